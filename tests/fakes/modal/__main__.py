"""`python -m tests.fakes.modal`: the double by hand, until Ctrl-C. It prints what leads a worker to it."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from tests.fakes.modal.server import Double


async def _serve(port: int, with_parent: bool) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), done.set)
    double = Double(Path(tempfile.mkdtemp(prefix="pawl-modal-")))
    await double.start(port)
    for name, value in double.environment.items():
        sys.stdout.write(f"export {name}={value}\n")
    sys.stdout.flush()
    await done.wait()
    await double.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.modal", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, is any free one")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.with_parent))


main()
