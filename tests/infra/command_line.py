"""Running `pawl` as a person or a script does: as a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
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
COLOURING = {"NO_COLOR", "FORCE_COLOR", "COLORTERM"}


def environment(home: Path, **more: str) -> dict[str, str]:
    """The test run's own environment, without what would lead to another Pawl or decide on colours."""
    kept = {
        name: value for name, value in os.environ.items() if name not in COLOURING and not name.startswith(ELSEWHERE)
    }
    return {**kept, "PAWL_HOME": str(home), "TEMPORAL_CONFIG_FILE": os.devnull, **more}


def pawl(home: Path, *arguments: str, cwd: Path | None = None, **env: str) -> Answer:
    """Run a command with its output piped."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / "starter.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment(home, **env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
    )
    return Answer(ran.returncode, ran.stdout, ran.stderr)


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
