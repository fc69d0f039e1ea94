"""Processes as /proc shows them, and what the C library calls that Python does not."""

# ruff: noqa: PTH123, PTH208
# pathlib would double the start-up time

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress

from activities.sandbox.supervisor.sockets import socket_filter

_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_PR_SET_SECCOMP, _FILTER = 22, 2
_KILL_SECONDS = 10.0
_LIBC = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Be the parent of every descendant whose own parent ends: nobody can leave the tree."""
    _prctl(_PR_SET_CHILD_SUBREAPER)


def renounce_privileges() -> None:
    """From now on no program gives more rights than we have."""
    _prctl(_PR_SET_NO_NEW_PRIVS)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def forbid_sockets_to_the_host() -> None:
    """Where the kernel has filters: the vendor's own walls are what counts, this is one more."""
    with suppress(RuntimeError):
        code = socket_filter()
        _LIBC.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(_Program(len(code) // 8, code)), 0, 0)


@contextmanager
def seen_as(user: int | None) -> Generator[None]:
    """Open files with the rights of another user. The kernel shows a process's memory to its own user, and to root only
    with a capability that containers do not have. Signals cannot be sent to us on these grounds."""
    if user is None:
        yield
        return
    _LIBC.setfsgid(user)
    _LIBC.setfsuid(user)
    try:
        yield
    finally:
        _LIBC.setfsuid(os.geteuid())
        _LIBC.setfsgid(os.getegid())


def close_all_but(kept: Iterable[int]) -> None:
    """Let go of every other descriptor but the three standard ones."""
    for fd in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, *kept}:
        with suppress(OSError):  # the one that listed them
            os.close(fd)


def descendants(root: int) -> list[int]:
    """All living processes below it. Read from everybody's parent, since not every kernel keeps lists of children."""
    below: dict[int, list[tuple[int, str]]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            state, parent = _state(name)
            below.setdefault(parent, []).append((int(name), state))
    found = list(below.get(root, []))
    for pid, _ in found:
        found += below.get(pid, [])
    return [pid for pid, state in found if state not in "ZX"]


def kill_descendants() -> None:
    """End all that lives below us. The dead are left lying until none lives: they count as processes of their user, so
    whoever forks faster than we kill runs into his limit."""
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        living = descendants(os.getpid())
        if not living:
            break
        for pid in living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)
    reap()


def reap() -> dict[int, int]:
    """Bury children that have ended: wait status by process."""
    ended: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return ended
            ended[pid] = status
    except ChildProcessError:
        return ended


def _state(pid: str) -> tuple[str, int]:
    try:
        with open("/proc/" + pid + "/stat", errors="replace") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return "X", 0
    return state, int(parent)


def _prctl(option: int) -> None:
    if _LIBC.prctl(option, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
