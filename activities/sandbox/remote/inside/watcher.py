"""One running job and what becomes of it. The current folder is the job's, and the lock on `alive` is held."""

# ruff: noqa: PTH104, PTH108, PTH123
# pathlib would double the start-up time

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from activities.sandbox.remote.inside import groups, jobs, keeper, place, processes
from activities.sandbox.supervisor.output import Output
from activities.sandbox.supervisor.watch import DiskWatch, MemoryWatch
from activities.sandbox.tree import WORK

_TICK = 0.1
_NOTE_SECONDS = 20.0
_HOME = "../../.."
_STOP_SECONDS = 12.0
_STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USAGE = "../usage"
"""File with the bytes /work held when it was last measured."""


def run() -> None:
    """From the specification to the exit record, written when nothing of the job is left."""
    with open("spec", "rb") as file:
        spec = json.loads(file.readline())
        stdin = _stdin(file.read())
    with open("../limits") as file:
        limits = json.load(file)
    place.prepare()
    processes.adopt_orphans()  # should the keeper die
    spec["env"] = {**_environment(spec["path_prefix"]), **spec["env"]}
    job = _Job(spec, limits, stdin)
    job.watch()
    with open("exit.new", "w") as file:
        json.dump(job.bury(), file)
    os.rename("exit.new", "exit")


class _Job:
    def __init__(self, spec: dict[str, Any], limits: dict[str, int], stdin: int) -> None:
        self._reason = ""
        """Why we stopped it; empty when it ended by itself."""
        self._control = os.open("control", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # sees no end of its own
        self._kills = groups.oom_kills()
        self._disk = DiskWatch(WORK, limits["disk"], _USAGE)
        if groups.caps_processes():  # a cap that counts nobody else's
            limits["processes"] = 0
        self._keep({**spec, "limits": limits}, stdin)
        self._memory = MemoryWatch(self._keeper, limits["memory"], processes.descendants)
        self._watches_memory = not groups.caps_memory(limits["memory"])
        self._deadline = time.monotonic() + min(spec["timeout"], limits["seconds"])
        self._tick = time.monotonic() + _TICK
        self._note = time.monotonic() + _NOTE_SECONDS

    def watch(self) -> None:
        """Until the keeper has reported, or died."""
        handlers: dict[int, Callable[[], Any]] = {self._control: self._on_control, self._report: lambda: None}
        handlers.update({output.fd: output.pump for output in self._outputs})
        poll = select.poll()
        for fd in handlers:
            poll.register(fd, select.POLLIN)
        while True:
            left = max(0.0, min(self._tick, self._deadline) - time.monotonic())
            ready = [fd for fd, _ in poll.poll(left * 1_000 + 1)]
            for fd in ready:
                if handlers[fd]() is False:
                    poll.unregister(fd)
            if self._report in ready:
                return
            self._look()

    def bury(self) -> dict[str, Any]:
        """The exit record, once no process of the job is left and all they wrote is kept."""
        status = os.read(self._report, 64)
        processes.kill_descendants()
        for output in self._outputs:
            output.drain()
        reason, code = self._verdict(int(status) if status else None)
        return {"reason": reason, "code": code, "truncated": any(output.truncated for output in self._outputs)}

    def _keep(self, spec: dict[str, Any], stdin: int) -> None:
        out, out_in = os.pipe()
        err, err_in = os.pipe()
        word, self._word = os.pipe()
        self._report, report_in = os.pipe()
        self._keeper = os.fork()
        if self._keeper == 0:
            keeper.keep(spec, keeper.Pipes(stdin, out_in, err_in, word, report_in))
        for fd in (stdin, out_in, err_in, word, report_in):
            os.close(fd)
        cap: int = spec["output_cap"]
        self._outputs = [Output(out, "out", cap), Output(err, "err", cap)]

    def _look(self) -> None:
        now = time.monotonic()
        if now >= self._deadline and not self._reason:
            self._stop("timeout")
        elif now >= self._deadline:  # the keeper does not keep its word
            os.kill(self._keeper, signal.SIGKILL)
        if now < self._tick:
            return
        if groups.oom_kills() > self._kills or groups.is_crowded() or self._exceeds_memory():
            self._stop("oom")
        elif self._disk.exceeded():
            self._stop("disk")
        if now >= self._note:
            jobs.note_use(_HOME)
            self._note = now + _NOTE_SECONDS
        self._tick = time.monotonic() + _TICK

    def _exceeds_memory(self) -> bool:
        if not self._watches_memory:
            return False
        with processes.seen_as(place.owner()):
            return self._memory.exceeded()

    def _on_control(self) -> None:
        os.read(self._control, 64)
        self._stop("killed")

    def _stop(self, reason: str) -> None:
        if not self._reason:
            self._reason = reason
            self._deadline = time.monotonic() + _STOP_SECONDS
            os.close(self._word)

    def _verdict(self, status: int | None) -> tuple[str, int | None]:
        if self._reason:
            return self._reason, None
        if status != 0 and groups.oom_kills() > self._kills:
            return "oom", None
        if status is None:
            return "gone", None
        killer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if self._disk.exceeded_at_end() or killer == signal.SIGXFSZ:
            return "disk", None
        return ("signalled", killer) if killer else ("exited", os.WEXITSTATUS(status))


def _environment(path_prefix: str) -> dict[str, str]:
    """What every command has. The image says where its programs are; whatever else the vendor put there stays ours."""
    path = os.environ.get("PATH", _STANDARD_PATH)
    path = f"{path_prefix}:{path}" if path_prefix else path
    return {"PATH": path, "HOME": place.HOME, "USER": "pawl", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108


def _stdin(data: bytes) -> int:
    """A file without a name, so that no writer can be kept waiting."""
    if not data:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    with open("stdin", "wb") as file:
        file.write(data)
    fd = os.open("stdin", os.O_RDONLY | os.O_CLOEXEC)
    os.unlink("stdin")
    return fd
