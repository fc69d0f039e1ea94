"""The kill switch: a process that comes past a named point says so, and kills whom it was ordered to kill there.

In the folder named by CRASH_FOLDER, `TICKET.json` holds the ticket's outstanding orders and `TICKET.trace` what
happened: one line per passage and per kill.
"""

import fcntl
import os
import shutil
import signal
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from infra import home
from infra.settings import Settings
from workflows.domain.model import Record

FOLDER = "CRASH_FOLDER"


class Victim(StrEnum):
    WORKER = "worker"
    GATEWAY = "gateway"
    SERVER = "server"
    SUPERVISOR = "supervisor"
    """Of the sandbox's running jobs."""
    SANDBOX = "sandbox"
    """The whole sandbox: its processes killed, its folder gone."""


class Kill(Record):
    """Who dies where."""

    victim: Victim
    at: str
    nth: int = 1
    """At which passage of the point, counted over the ticket."""
    gently: bool = False
    """Told to stop (SIGTERM) instead of killed."""

    @property
    def name(self) -> str:
        return f"{'stop ' if self.gently else ''}{self.victim} @ {self.at}{f' #{self.nth}' if self.nth > 1 else ''}"


KILLS = TypeAdapter(list[Kill])


class Line(NamedTuple):
    """A line of the trace."""

    at: float
    who: str
    what: str

    @property
    def is_kill(self) -> bool:
        return self.what.startswith("KILL ")


def order(folder: Path, ticket: str, kills: tuple[Kill, ...]) -> None:
    (folder / f"{ticket}.json").write_bytes(KILLS.dump_json(list(kills)))
    (folder / f"{ticket}.trace").touch()


def outstanding(folder: Path, ticket: str) -> list[Kill]:
    return KILLS.validate_json((folder / f"{ticket}.json").read_bytes())


def note(folder: Path, ticket: str, who: str, what: str) -> None:
    with (folder / f"{ticket}.trace").open("a") as trace:
        trace.write(f"{time.time():.4f}\t{who}\t{what}\n")


def trace(folder: Path, ticket: str) -> list[Line]:
    lines = [line.split("\t") for line in (folder / f"{ticket}.trace").read_text().splitlines()]
    return [Line(float(at), who, what) for at, who, what in lines]


class Switch:
    """One process's way to pass points."""

    def __init__(self, who: Victim) -> None:
        self._who = who
        self._folder = Path(os.environ[FOLDER])
        self._settings = Settings()

    def past(self, ticket: str, point: str) -> None:
        """Come past the point on the ticket's way. Does not return when this process is to die of it."""
        path = self._folder / f"{ticket}.json"
        with path.open("rb") as orders:
            fcntl.flock(orders, fcntl.LOCK_EX)
            note(self._folder, ticket, self._who, point)
            kills = KILLS.validate_json(orders.read())
            counted = [kill.model_copy(update={"nth": kill.nth - (kill.at == point)}) for kill in kills]
            if counted != kills:
                path.write_bytes(KILLS.dump_json([kill for kill in counted if kill.nth]))
            for named, left in zip(kills, counted, strict=True):
                if not left.nth:
                    self._strike(named, ticket)

    def _strike(self, kill: Kill, ticket: str) -> None:
        note(self._folder, ticket, self._who, f"KILL {kill.victim} @ {kill.at}")
        sandboxes = [*(self._settings.home / "sandboxes").glob(f"{ticket}.*")]
        match kill.victim:
            case Victim.SUPERVISOR:
                note(self._folder, ticket, self._who, f"killed {kill_supervisors(sandboxes)} supervisors")
            case Victim.SANDBOX:
                kill_supervisors(sandboxes)
                for folder in sandboxes:
                    shutil.rmtree(folder)
            case _:
                number = signal.SIGTERM if kill.gently else signal.SIGKILL
                os.kill(os.getpid() if kill.victim is self._who else self._pid(kill.victim), number)

    def _pid(self, victim: Victim) -> int:
        stack = home.stack_file(self._settings)
        assert stack is not None, "the stack runs"
        return stack.pids[victim]


def kill_supervisors(sandboxes: list[Path]) -> int:
    """Kill the supervisors of all running jobs; how many there were."""
    started = [job for folder in sandboxes for job in (folder / "jobs").iterdir() if (job / "started").exists()]
    return sum(_kill_supervisor(job) for job in started if not (job / "exit").exists())


def _kill_supervisor(job: Path) -> bool:
    """A supervisor writes its id down a moment after it has taken the job."""
    end = time.monotonic() + 5
    while not (job / "pid").exists() or not (pid := (job / "pid").read_text()):
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    with suppress(ProcessLookupError):
        os.kill(int(pid), signal.SIGKILL)
        return True
    return False
