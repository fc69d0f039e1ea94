"""A process that has loaded all of `pawl` already, and forks for each command: its own process, environment, folder and
streams, as a command has in a shell, without the second it takes to load everything.

What a cold start could show is shown by those tests that start `starter.py` themselves."""

import json
import os
import select
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_LOADED = (
    "starter",
    "infra.doctor",
    *(f"infra.commands.{path.stem}" for path in ROOT.glob("infra/commands/[a-z]*.py")),
)
_ORDER_BYTES = 1 << 20


def main() -> None:
    """Serves the socket of descriptor 0 until who started us closes it. A message is an order with the descriptors of
    its connection, output and errors."""
    sys.path.insert(0, str(ROOT))
    for name in _LOADED:
        import_module(name)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork has no other threads"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orders = socket.socket(fileno=os.dup(0))
    while True:
        said, descriptors, _, _ = socket.recv_fds(orders, _ORDER_BYTES, 3)
        if not said:
            return
        if os.fork() == 0:
            _attend(json.loads(said), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _attend(order: Any, connection: int, out: int, err: int) -> None:
    """Have the command run, and say how it ended. Who does not wait any more wants no command any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command == 0:
        os.close(connection)
        _become(order, out, err)
    ended = os.pidfd_open(command)
    if ended not in select.select([ended, connection], [], [])[0]:
        os.kill(command, signal.SIGKILL)
    status = os.waitpid(command, 0)[1]
    os.write(connection, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(order: Any, out: int, err: int) -> None:
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        os.closerange(3, max(nothing, out, err) + 1)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        sys.argv = [str(ROOT / "starter.py"), *order["arguments"]]
        import_module("starter").main()
    finally:
        os._exit(70)


if __name__ == "__main__":
    main()
