"""The parent of a job's command: whatever the command starts stays below it, and ends with it.

Watcher and keeper are two, so that either's sudden death is seen by the other, which then ends the job's processes.
"""

# ruff: noqa: PTH123
# pathlib would double the start-up time

from __future__ import annotations

import os
import resource
import select
import signal
from contextlib import suppress
from typing import Any

from activities.sandbox.remote.inside import place, processes

_FIRST_TO_DIE = "500"
"""When memory is short the kernel takes the command, not us."""
_OPEN_FILES = 65_536
_CANNOT_RUN = 126


class Pipes:
    """The child's ends."""

    def __init__(self, stdin: int, out: int, err: int, word: int, report: int) -> None:
        self.stdin, self.out, self.err = stdin, out, err
        self.word = word
        """At its end, or at a byte: end the job."""
        self.report = report
        """Where the command's wait status is written when it ended by itself."""


def keep(spec: dict[str, Any], pipes: Pipes) -> None:
    """Run the command, wait for its end or for word to end it, and leave no process. Never returns."""
    try:
        processes.close_all_but(vars(pipes).values())
        woken = _wake_on_ended_children()
        processes.adopt_orphans()
        command = os.fork()
        if command == 0:
            _become(spec, pipes)
        for fd in (pipes.stdin, pipes.out, pipes.err):
            os.close(fd)
        status = _wait(command, pipes.word, woken)
        processes.kill_descendants()
        if status is not None:
            os.write(pipes.report, str(status).encode())
    finally:
        os._exit(0)


def _wake_on_ended_children() -> int:
    """A descriptor that can be read when a child has ended."""
    readable, writable = os.pipe()
    for fd in (readable, writable):
        os.set_blocking(fd, False)
    signal.signal(signal.SIGCHLD, _look_up)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable


def _look_up(number: int, frame: object) -> None:
    """Only so that the signal is not ignored."""


def _wait(command: int, word: int, woken: int) -> int | None:
    """The command's wait status; None when we are to end it."""
    poll = select.poll()
    poll.register(word, select.POLLIN)
    poll.register(woken, select.POLLIN)
    while True:
        ended = processes.reap()
        if command in ended:
            return ended[command]
        ready = [fd for fd, _ in poll.poll()]
        if word in ready:
            return None
        os.read(woken, 1024)


def _become(spec: dict[str, Any], pipes: Pipes) -> None:
    """Never returns: what goes wrong is said on standard error, as a shell does."""
    try:
        for source, target in ((pipes.stdin, 0), (pipes.out, 1), (pipes.err, 2)):
            os.dup2(source, target)
        os.setsid()
        _first_to_die()
        _limit(spec["limits"])
        _change_user()
        processes.renounce_privileges()
        processes.forbid_sockets_to_the_host()
        _default_signals()
        os.umask(0o022)
        os.chdir(spec["cwd"])
        # the shell says it in the usual words, and runs scripts without a first line, as shells do
        os.execve("/bin/sh", ["sh", "-c", 'exec "$@"', "sh", *spec["argv"]], spec["env"])  # noqa: S606
    except BaseException as error:
        os.write(2, ("pawl: " + str(error) + "\n").encode(errors="backslashreplace"))
    finally:
        os._exit(_CANNOT_RUN)


def _first_to_die() -> None:
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # some kernels do not have it
        file.write(_FIRST_TO_DIE)


def _limit(limits: dict[str, int]) -> None:
    _cap(resource.RLIMIT_CORE, 0)
    _cap(resource.RLIMIT_FSIZE, limits["disk"])
    _cap(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if limits["processes"]:
        _cap(resource.RLIMIT_NPROC, limits["processes"])


def _cap(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _change_user() -> None:
    user = place.owner()
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def _default_signals() -> None:
    """What Python, or whoever started it, ignores, the command must not ignore."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
