"""How much disk a sandbox takes, seen from where nothing of it is hidden.

To an ordinary user's supervisor a folder with mode 0 is closed, and so are the descriptors of a process that cannot be
dumped. In the user namespace that bwrap made it is root, and may look into both. There is no way back out of a
namespace: a process of its own goes there.
"""

import ctypes
import fcntl
import os
import select
from collections.abc import Iterator

from . import watch

_MOST_DESCRIPTORS = 100_000
"""More than this in one tree are not looked at, for that takes the time in which nothing else is watched."""
_TOO_MUCH = 1 << 62
_CLONE_NEWUSER, _NS_GET_USERNS = 0x10000000, 0xB701
_PIDFD_GETFD = 438


class Look:
    """Measures a folder and the tree of processes that works in it."""

    def __init__(self, init: int, alive: int, enter: bool) -> None:
        """`init`: the tree's first process, `alive`: its pidfd. `enter`: whether there is a namespace to go to."""
        self._init, self._alive = init, alive
        self._inside = _namespace(init) if enter else -1

    def __call__(self, folder: str) -> tuple[int, int]:
        """Bytes of all that has a name below the folder, and of removed files that the tree keeps open. Raises OSError
        where the sandbox cannot be looked into."""
        if self._inside < 0:
            return self._look(folder)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                _enter(self._inside)
                os.write(write_end, "{} {}".format(*self._look(folder)).encode())
            except OSError as error:
                os.write(write_end, f"- {error}".encode())
            finally:
                os._exit(0)
        os.close(write_end)
        with open(read_end) as file:  # noqa: PTH123
            named, _, held = file.read().partition(" ")
        os.waitpid(pid, 0)
        if not named.isdigit():
            raise OSError(f"the sandbox cannot be looked into: {held or 'no answer'}")
        return int(named), int(held)

    def _look(self, folder: str) -> tuple[int, int]:
        held = 0 if _has_ended(self._alive) else _held(watch.family(self._init), os.stat(folder).st_dev)  # noqa: PTH116
        return watch.named(folder), held  # in this order: what is removed meanwhile is not counted twice


def _namespace(init: int) -> int:
    """Kept open, it outlives its processes: what they left behind is looked at from there, too. The first process is in
    another one, below it, where we would be an ordinary user again; its network belongs to the one we want."""
    network = os.open(f"/proc/{init}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    namespace = fcntl.ioctl(network, _NS_GET_USERNS)
    os.close(network)
    return namespace


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _has_ended(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 0)[0])


def _held(tree: list[int], device: int) -> int:
    """Bytes of the removed files on this device that these processes keep open; too much if they have more open than
    can be looked at."""
    found: dict[int, int] = {}
    looked_at = 0
    for pid in tree:
        for at in _open_files(pid):
            looked_at += 1
            if looked_at > _MOST_DESCRIPTORS:
                return _TOO_MUCH
            if at.st_nlink == 0 and at.st_dev == device:
                found[at.st_ino] = at.st_blocks * 512
    return sum(found.values())


def _open_files(pid: int) -> Iterator[os.stat_result]:
    try:
        names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
    except PermissionError:
        yield from _taken_over(pid)
        return
    except OSError:
        return
    for name in names:
        try:
            yield os.stat(f"/proc/{pid}/fd/{name}")  # noqa: PTH116
        except OSError:
            continue


def _taken_over(pid: int) -> Iterator[os.stat_result]:
    """What a process that cannot be dumped has open: /proc tells only the numbers, but a tracer may take the files."""
    try:
        names = os.listdir(f"/proc/{pid}/fdinfo")  # noqa: PTH208
        process = os.pidfd_open(pid)
    except OSError:
        return
    call = ctypes.CDLL(None).syscall
    try:
        for name in names:
            fd = call(_PIDFD_GETFD, process, int(name), 0)
            if fd >= 0:
                at = os.fstat(fd)
                os.close(fd)
                yield at
    finally:
        os.close(process)
