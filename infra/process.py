"""One supervised process: started in its own group, watched, started again when it dies, stopped in bounded time."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from infra.exits import Exit, Misused, OutOfReach
from infra.files import private_folder
from infra.spare import VARIABLE
from workflows.domain.model import Record

BACKOFF_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits before the first, second, ... start after a death. The first is immediate: a killed worker costs no time."""
SETTLED_SECONDS = 10.0
"""A process that lived this long counts as healthy again: the next death starts the waits from the beginning."""
LOG_BYTES = 10_000_000

WATCH_SECONDS = 2.0
MOST_MISSES = 3
"""So many times in a row a process may not work when it is looked at."""

_POLL_SECONDS = 0.05
_LEASH = Path(__file__).with_name("leash.py")


class What(StrEnum):
    STARTED = "started"
    READY = "ready"
    STUCK = "stuck"
    """It lives and no longer works: it is killed."""
    DIED = "died"
    NOT_STARTED = "not started"
    """The machine has no room for a new process just now; it is tried again."""
    STOPPING = "stopping"
    STOPPED = "stopped"


class StackEvent(Record):
    """Something that happened to a supervised process."""

    part: str
    what: What
    pid: int
    """0 when there is no process."""
    seconds: float
    """READY, DIED and STOPPED: how long after its start or the order to stop. Others: 0."""
    how: str = ""
    """How it ended, as `SIGKILL` or `exit code 1`; NOT_STARTED: why."""

    @property
    def sentence(self) -> str:
        match self.what:
            case What.STARTED:
                return f"{self.part} started (process {self.pid})"
            case What.READY:
                return f"{self.part} is ready after {self.seconds:.1f} s (process {self.pid})"
            case What.STUCK:
                return f"{self.part} lives and no longer works: it is killed (process {self.pid})"
            case What.DIED:
                return f"{self.part} died ({self.how}) after {self.seconds:.1f} s (process {self.pid})"
            case What.NOT_STARTED:
                return f"{self.part} cannot be started just now ({self.how}); it is tried again"
            case What.STOPPING:
                return f"{self.part} is told to stop (process {self.pid})"
            case What.STOPPED:
                return f"{self.part} stopped after {self.seconds:.1f} s ({self.how})"


@dataclass(frozen=True)
class Program:
    """What to run, and how to know that it serves."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    is_ready: Callable[[int], Awaitable[bool]]
    """Whether the process with this id serves. Asked until it says yes; must answer soon."""
    works: Callable[[], Awaitable[bool]] | None = None
    """Whether it still does its work, asked from time to time while it serves. None: it lives, so it works."""
    is_ours: bool = False
    """Its exit codes are those of infra.exits."""
    has_spare: bool = False
    """Keep one more of it loaded and waiting (see infra.spare), which serves at once when the first one dies."""


@dataclass
class Supervised:
    """A program that is kept running until `stop`."""

    program: Program
    tell: Callable[[StackEvent], None]
    _process: asyncio.subprocess.Process | None = None
    _keeper: "asyncio.Task[None] | None" = None
    _serves: "asyncio.Task[None] | None" = None
    _watch: "asyncio.Task[None] | None" = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _spare: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the newest start. Raises OutOfReach when there was none."""
        if self._process is None:
            raise OutOfReach(f"{self.program.name} was never started.")
        return self._process.pid

    async def start(self, patience_seconds: float) -> None:
        """Start it and wait until it serves. Raises OutOfReach, or Misused where it says that a setting is at fault,
        with the end of what it wrote to its log, when it does not."""
        _make_room(self.program.log)
        begins = self.program.log.stat().st_size if self.program.log.exists() else 0
        process, serves = await self._spawn()
        died = asyncio.create_task(process.wait())
        await asyncio.wait({died, serves}, timeout=patience_seconds, return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        if not self._ready.is_set() or process.returncode is not None:
            what = "does not answer" if process.returncode is None else f"ended with {_how(process.returncode)}"
            is_misused = self.program.is_ours and process.returncode == Exit.USAGE
            await self.stop(0)
            raise (Misused if is_misused else OutOfReach)(
                f"{self.program.name} {what} after its start. The end of {self.program.log}:\n{self._tail(begins)}",
                "Mend what the log says and try again.",
            )
        self._keeper = asyncio.create_task(self._keep(process))

    async def wait_ready(self) -> None:
        await self._ready.wait()

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the process alone, as an operator or the kernel would."""
        if number in (signal.SIGKILL, signal.SIGTERM):
            self._ready.clear()  # at once, so that whoever waits next waits for its successor
        os.kill(self.pid, number)

    async def stop(self, patience_seconds: float) -> None:
        """SIGTERM, then SIGKILL for the whole group when the patience is over. Harmless when it never started."""
        for task in (self._keeper, self._serves, self._watch):
            await _ended(task)
        if self._spare is not None:
            await self._kill_tree(self._spare)
            self._spare = None
        if self._process is None:
            return
        process, begun = self._process, time.monotonic()
        if process.returncode is None:
            self._say(What.STOPPING, process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), patience_seconds)
        await self._kill_tree(process)
        self._process = None
        self._say(What.STOPPED, process.pid, time.monotonic() - begun, _how(process.returncode))

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        """Start it again whenever it dies."""
        deaths, begun = 0, time.monotonic()
        while True:
            await process.wait()
            lived = time.monotonic() - begun
            self._ready.clear()
            for task in (self._serves, self._watch):
                await _ended(task)
            await self._kill_tree(process)
            self._say(What.DIED, process.pid, lived, _how(process.returncode))
            process, deaths = await self._successor(0 if lived > SETTLED_SECONDS else deaths)
            begun = time.monotonic()

    async def _successor(self, deaths: int) -> tuple[asyncio.subprocess.Process, int]:
        """The next process, however often it takes, and the deaths and failed starts in a row up to it."""
        while True:
            await asyncio.sleep(BACKOFF_SECONDS[min(deaths, len(BACKOFF_SECONDS) - 1)])
            deaths += 1
            try:
                process, _ = await self._spawn()
            except OSError as problem:  # no memory, no process ids or no room on the disk
                self._say(What.NOT_STARTED, 0, how=problem.strerror or str(problem))
            else:
                return process, deaths

    async def _spawn(self) -> tuple[asyncio.subprocess.Process, "asyncio.Task[None]"]:
        """The new process, and the task that ends when it serves."""
        self._process = await self._needed_spare() or await self._created()
        self._say(What.STARTED, self._process.pid)
        self._serves = asyncio.create_task(self._until_ready(self._process.pid))
        return self._process, self._serves

    async def _needed_spare(self) -> asyncio.subprocess.Process | None:
        """The waiting spare, told to serve; None when there is none or it has died."""
        spare, self._spare = self._spare, None
        if spare is None or spare.returncode is not None or spare.stdin is None:
            return None
        try:
            spare.stdin.write(b"\n")
            await spare.stdin.drain()
        except ConnectionError:
            return None
        return spare

    async def _created(self, spare: bool = False) -> asyncio.subprocess.Process:
        program = self.program
        leash = (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()))
        with program.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *leash,
                *program.argv,
                stdin=asyncio.subprocess.PIPE if spare else asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**program.env, VARIABLE: "1"} if spare else dict(program.env),
                cwd=program.cwd,
                umask=0o077,  # databases and logs hold people's tickets and code
                start_new_session=True,  # a group of its own: Ctrl-C in the terminal reaches only the supervisor
            )

    async def _until_ready(self, pid: int) -> None:
        begun = time.monotonic()
        while not await self.program.is_ready(pid):  # noqa: ASYNC110  # another process: nothing here can be an Event
            await asyncio.sleep(_POLL_SECONDS)
        self._ready.set()
        self._say(What.READY, pid, time.monotonic() - begun)
        if self.program.works is not None:
            self._watch = asyncio.create_task(self._watched(pid, self.program.works))
        if self.program.has_spare and self._spare is None:
            with contextlib.suppress(OSError):  # without one, only the next start is slower
                self._spare = await self._created(spare=True)

    async def _watched(self, pid: int, works: Callable[[], Awaitable[bool]]) -> None:
        misses = 0
        while misses < MOST_MISSES:
            await asyncio.sleep(WATCH_SECONDS)
            misses = 0 if await works() else misses + 1
        self._say(What.STUCK, pid)
        self.kill(signal.SIGKILL)

    async def _kill_tree(self, process: asyncio.subprocess.Process) -> None:
        """End what is left of its group: helpers of a dead process must not work on beside its successor."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    def _tail(self, begins: int) -> str:
        """What stands in the log from this byte on: an older failure is not this one."""
        lines = self.program.log.read_bytes()[begins:].decode(errors="replace").splitlines()
        return "\n".join(f"  {line[:300]}" for line in lines[-12:])

    def _say(self, what: What, pid: int, seconds: float = 0.0, how: str = "") -> None:
        event = StackEvent(part=self.program.name, what=what, pid=pid, seconds=round(seconds, 2), how=how)
        with contextlib.suppress(OSError):  # the terminal is gone or the disk is full: the process is kept all the same
            self.tell(event)


async def _ended(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait({task})


def _how(code: int | None) -> str:
    if code is None:
        return "still running"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _make_room(log: Path) -> None:
    """Keep one older log file, so that logs stay bounded over restarts of the stack."""
    private_folder(log.parent)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))
