"""What the kernel does not enforce for us: disk use always, the tree's memory where no cgroup is writable."""

# ruff: noqa: PTH104, PTH110, PTH123, PTH208
# pathlib would double the start-up time of every job

from __future__ import annotations  # Python 3.8: this also runs inside of remote sandboxes

import os
import time
from collections.abc import Callable

_SHARE = 10
"""A measurement may take at most one part in this many of the time."""
_DU = ("/usr/bin/du", "/bin/du")
"""Not by PATH, where the image of a sandbox can have folders that commands may write to."""
_ENTRY = 1024
"""Bytes charged for each file and folder besides its content, so that empty files are not free."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class DiskWatch:
    """Watches the bytes below one folder.

    Measuring a tree costs time, free space of the file system costs nothing: the tree is measured when the file
    system lost as much as the tree may still grow; and, since others may free what it takes, every few seconds and at
    the end of a command that was not short.
    """

    _INTERVAL, _SHORT = 5.0, 1.0

    def __init__(self, folder: str, limit: int, memo: str) -> None:
        self.look: Callable[[str], tuple[int, int]] = _look
        """Bytes of what has a name below a folder, and of what has none any more but is still there."""
        self._folder, self._limit, self._memo = folder, limit, memo
        self._known, self._took = _read_memo(memo)
        self._allowed = max(limit, self._known)  # a sandbox that is over its limit may still delete files
        self._free = self._room()
        self._seen = time.monotonic()
        self._rest_until = 0.0

    def exceeded(self) -> bool:
        try:
            return self._is_over()
        except FileNotFoundError:  # the sandbox is being removed, and whoever does so ends us
            return False

    def _is_over(self) -> bool:
        now = time.monotonic()
        grown = self._free - self._room()
        if now < self._rest_until or (self._known + grown <= self._limit and now < self._seen + self._INTERVAL):
            return False
        self.measure()
        self._rest_until = self._seen + _SHARE * self._took
        return self._known > self._allowed

    def exceeded_at_end(self) -> bool:
        """Whether the command ended over the limit, without having been caught at it."""
        is_long = time.monotonic() - self._seen > max(self._SHORT, _SHARE * self._took)
        try:
            if is_long or self._free - self._room() > self._limit // 16 or self._known > self._limit:
                self.measure()
        except FileNotFoundError:  # as above
            return False
        return self._known > self._allowed

    def measure(self) -> None:
        self._free, begun = self._room(), time.monotonic()
        kept, held = self.look(self._folder)
        self._seen = time.monotonic()
        self._known, self._took = kept + held, self._seen - begun
        draft = f"{self._memo}.{os.getpid()}"  # other jobs of this sandbox measure as well
        with open(draft, "w") as file:
            file.write(f"{kept} {self._took:.3f}")
        os.rename(draft, self._memo)

    def _room(self) -> int:
        at = os.statvfs(self._folder)
        return at.f_bfree * at.f_frsize + at.f_ffree * _ENTRY


class MemoryWatch:
    """Watches the memory of a process and all its descendants, or of those that `tree` finds."""

    def __init__(self, root: int, limit: int, tree: Callable[[int], list[int]] | None = None) -> None:
        self._root, self._limit = root, limit
        self._find = tree or family

    def exceeded(self) -> bool:
        tree = self._find(self._root)
        if sum(_resident(pid) for pid in tree) <= self._limit:
            return False
        return sum(_proportional(pid) for pid in tree) > self._limit  # shared pages counted once


def named(folder: str) -> int:
    """Bytes of all below the folder. We ask `du`, which copes with any depth and never follows a link."""
    size = _du(folder, "--block-size=1") or _du(folder, "-k") * 1024  # the second for busybox
    return size + _du(folder, "--inodes") * _ENTRY


def oom_kills(events: str) -> int:
    """How many processes the kernel killed in the cgroup for want of memory."""
    try:
        with open(events) as file:
            counts = dict(line.split()[:2] for line in file)
    except OSError:
        return 0
    return int(counts.get("oom_kill", "0"))


def oom_file(root: str, pid: int) -> str:
    """The file that counts `oom_kill` in the control group (version 2) of a process."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            return next(f"{root}{line[3:].rstrip()}/memory.events" for line in file if line.startswith("0::"))
    except (OSError, StopIteration):
        return ""


def children(pid: int) -> list[int]:
    """The children of all threads of a process; empty when it has ended."""
    try:
        found: list[int] = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
        return found
    except OSError:
        return []


def family(root: int) -> list[int]:
    """A process and all its descendants."""
    found = [root]
    for pid in found:
        found += children(pid)
    return found


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    """With its part of what it shares; with all of that when it hides the rest from us."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:")), 0)
    except OSError:
        return _resident(pid)


def _look(folder: str) -> tuple[int, int]:
    return named(folder), 0


def _du(folder: str, measure: str) -> int:
    """One number of `du`; what it could not read is left out."""
    read_end, write_end = os.pipe()
    quiet = os.open(os.devnull, os.O_RDWR)
    streams = [(os.POSIX_SPAWN_DUP2, quiet, 0), (os.POSIX_SPAWN_DUP2, write_end, 1), (os.POSIX_SPAWN_DUP2, quiet, 2)]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    program = next((path for path in _DU if os.path.exists(path)), _DU[0])
    pid = os.posix_spawn(program, ["du", "-sx", measure, "--", folder], environment, file_actions=streams)
    os.close(write_end)
    os.close(quiet)
    with open(read_end) as file:
        said = file.read()
    os.waitpid(pid, 0)
    return int(said.split()[0]) if said.strip() else 0


def _read_memo(path: str) -> tuple[int, float]:
    """Bytes when it was last measured, and the seconds that took."""
    try:
        with open(path) as file:
            kept, _, took = file.read().partition(" ")
        return int(kept), float(took or 0)
    except (OSError, ValueError):
        return 0, 0.0
