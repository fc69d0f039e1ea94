"""A job's folder, and the commands about it. The folder's files:

`alive` locked by the job's watcher for as long as it lives · `spec` what to do · `control` a fifo the watcher reads ·
`out`, `err` the kept output · `exit` how it ended, as JSON · `log` our own errors · `pid` the watcher's.
"""

# ruff: noqa: PTH103, PTH104, PTH108, PTH110, PTH116, PTH118, PTH123
# pathlib would double the start-up time

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from contextlib import suppress
from typing import Any

_KILL_SECONDS = 15.0
_SHORTEST_NAP, _LONGEST_NAP = 0.002, 0.025


class NoSuchJob(Exception):
    """Nobody has started it."""


def note_use(home: str) -> None:
    """So that whoever ends sandboxes nobody uses can see that this one is used."""
    with suppress(OSError):
        os.close(os.open(os.path.join(home, "asked"), os.O_WRONLY | os.O_CREAT, 0o600))
        os.utime(os.path.join(home, "asked"))


def settle(home: str, at: str, limits: dict[str, int]) -> dict[str, Any]:
    """Keep the limits of every job here, those of the first who comes. `at` is the sandbox: a snapshot of another one
    has that one's files in it, which are not ours."""
    folder = os.path.join(home, "jobs", at)
    os.makedirs(folder, 0o700, exist_ok=True)
    draft = os.path.join(folder, ".limits-" + secrets.token_hex(8))
    with open(draft, "w") as file:
        json.dump(limits, file)
    with suppress(FileExistsError):
        os.link(draft, os.path.join(folder, "limits"))
    os.unlink(draft)
    return {}


def start(home: str, at: str, job: str, staged: str) -> dict[str, Any]:
    """Run what the file at `staged` says, unless the job was started before."""
    folder = os.path.join(home, "jobs", at, job)
    draft = os.path.join(home, "jobs", at, ".new-" + secrets.token_hex(8))
    os.makedirs(draft, 0o700)
    os.rename(staged, os.path.join(draft, "spec"))
    os.mkfifo(os.path.join(draft, "control"), 0o600)
    lock = os.open(os.path.join(draft, "alive"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # before anybody can see it: a job without a watcher is one that is gone
    try:
        os.rename(draft, folder)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        shutil.rmtree(draft)
        return {}
    if os.fork() == 0:
        _go_on_alone(folder, lock)
    return {}


def poll(home: str, at: str, job: str, out: int, err: int, wait: float, most: int) -> dict[str, Any]:
    """State and output from the offsets on, at most so many bytes of both; waits for an end. State first, output
    second: whoever reads `ended` and not `more` has all output."""
    folder = _folder(home, at, job)
    ended = _wait(folder, wait)
    said = _slice(os.path.join(folder, "out"), out, most)
    complained = _slice(os.path.join(folder, "err"), err, most - len(said))
    more = max(_size(folder, "out") - out - len(said), _size(folder, "err") - err - len(complained)) > 0
    answer: dict[str, Any] = {"ended": ended, "more": more, "out": _ascii(said), "err": _ascii(complained)}
    if ended:
        answer.update(_record(folder))
    return answer


def kill(home: str, at: str, job: str) -> dict[str, Any]:
    """Have the watcher end the whole tree, and wait until it has. If it does not, its own death does."""
    try:
        folder = _folder(home, at, job)
        control = os.open(os.path.join(folder, "control"), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.write(control, b"k")
    except (NoSuchJob, OSError):  # nobody reads it: it has ended
        return {}
    if not _wait(folder, _KILL_SECONDS):
        with open(os.path.join(folder, "pid")) as file:
            os.kill(int(file.read()), signal.SIGKILL)
        _wait(folder, 2)
    return {}


def _go_on_alone(folder: str, lock: int) -> None:
    """The watcher: of a session of its own, holding nothing of whoever started it."""
    try:
        os.setsid()
        os.chdir(folder)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDWR)
        for source, target in ((nothing, 0), (nothing, 1), (log, 2)):
            os.dup2(source, target)
        with open("pid", "w") as file:
            file.write(str(os.getpid()))
        from activities.sandbox.remote.inside import processes, watcher

        processes.close_all_but([lock])
        watcher.run()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(0)


def _folder(home: str, at: str, job: str) -> str:
    folder = os.path.join(home, "jobs", at, job)
    if not os.path.exists(folder):
        raise NoSuchJob("There is no job " + job + ".")
    return folder


def _wait(folder: str, seconds: float) -> bool:
    """Whether the job has no watcher any more, now or soon."""
    started = time.monotonic()
    fd = os.open(os.path.join(folder, "alive"), os.O_RDWR | os.O_CLOEXEC)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                pass
            waited = time.monotonic() - started
            if waited >= seconds:
                return False
            # see the end late by an eighth of the time at most
            time.sleep(min(max(_SHORTEST_NAP, min(waited / 8, _LONGEST_NAP)), seconds - waited))
    finally:
        os.close(fd)


def _record(folder: str) -> dict[str, Any]:
    try:
        with open(os.path.join(folder, "exit")) as file:
            return json.load(file)
    except FileNotFoundError:
        return {"reason": "gone", "code": None, "truncated": False}


def _slice(path: str, at: int, most: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(at)
            return file.read(most)
    except FileNotFoundError:
        return b""


def _size(folder: str, name: str) -> int:
    try:
        return os.stat(os.path.join(folder, name)).st_size
    except FileNotFoundError:
        return 0


def _ascii(data: bytes) -> str:
    return base64.b64encode(data).decode()
