"""Running `pawl` as a person or a script does: as a process of its own."""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON object and nothing else."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


ELSEWHERE = ("PAWL_", "TEMPORAL_")
_STARTING = Lock()
COLOURING = {"NO_COLOR", "FORCE_COLOR", "COLORTERM"}


def environment(home: Path, **more: str) -> dict[str, str]:
    """The test run's own environment, without what would lead to another Pawl or decide on colours."""
    kept = {
        name: value for name, value in os.environ.items() if name not in COLOURING and not name.startswith(ELSEWHERE)
    }
    return {**kept, "PAWL_HOME": str(home), "TEMPORAL_CONFIG_FILE": os.devnull, **more}


def pawl(home: Path, *arguments: str, cwd: Path | None = None, **env: str) -> Answer:
    """Run a command with its output in files."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = _ran(arguments, environment(home, **env), cwd or Path.cwd(), (out.fileno(), err.fileno()))
        out.seek(0)
        err.seek(0)
        return Answer(code, out.read().decode(), err.read().decode())


def _ran(arguments: Sequence[str], env: dict[str, str], folder: Path, streams: tuple[int, int]) -> int:
    """The exit code of a command, negative for a signal. Raises TimeoutError."""
    order = json.dumps({"arguments": arguments, "environment": env, "folder": str(folder)}).encode()
    ours, theirs = socket.socketpair()
    with ours:
        with theirs, _STARTING:
            socket.send_fds(_spare(), [order], [theirs.fileno(), *streams])
        ours.settimeout(100)
        return int(ours.recv(100))


@cache
def _spare() -> socket.socket:
    """Where commands are ordered. Its process ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        spare = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "infra" / "spare_pawl.py")], stdin=theirs.fileno()
        )

    def end() -> None:
        ours.close()
        spare.wait()

    atexit.register(end)
    return ours


def pawl_in_terminal(home: Path, *arguments: str, **env: str) -> Answer:
    """Run a command with its output in a terminal; standard error is part of what is seen."""
    leader, follower = os.openpty()
    command = [sys.executable, str(ROOT / "starter.py"), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=environment(home, **env)
    ) as running:
        os.close(follower)
        seen = b"".join(iter(lambda: _read(leader), b""))
        os.close(leader)
        code = running.wait(timeout=100)
    return Answer(code, seen.decode().replace("\r\n", "\n"), "")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # the other end was closed: Linux says so with an error
        return b""
