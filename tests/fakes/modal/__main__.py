"""`python -m tests.fakes.modal`: the double by hand, until Ctrl-C. It prints what leads a worker to it.

`python -m tests.fakes.modal -- COMMAND ...` serves it for one command, whose sandboxes are then at this Modal.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.fakes.modal.server import Double


async def _around(command: list[str]) -> int:
    """The command's exit code. Ctrl-C is the command's: it ends as it sees fit, and the double after it."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
    with tempfile.TemporaryDirectory(prefix="pawl-modal-") as folder:
        double = Double(Path(folder))
        await double.start()
        try:
            where = {**os.environ, **double.environment, "PAWL_SANDBOX": "modal"}
            process = await asyncio.create_subprocess_exec(*command, env=where)
            return await process.wait()
        finally:
            await double.stop()


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
    parser.add_argument("command", nargs="*", help="what to run with it")
    options = parser.parse_args()
    if options.command:
        sys.exit(asyncio.run(_around(options.command)))
    asyncio.run(_serve(options.port, options.with_parent))


main()
