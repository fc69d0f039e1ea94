"""Files that several processes share: replaced whole, changed under a lock that dies with its holder."""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

_LONGEST_NAP_SECONDS = 0.05


def replace_file(path: Path, data: bytes) -> None:
    """Write the whole file or nothing; readers see the old bytes or the new ones. Durable when it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:60]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock file, among threads and processes. For work of milliseconds: it blocks the thread."""
    with _lock_file(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@asynccontextmanager
async def holding(path: Path) -> AsyncGenerator[int]:
    """Hold the lock file without blocking the event loop; waiting for it can be cancelled.

    Yields the lock's descriptor. A child process that inherits it keeps the lock while it lives, so that work which
    outlives its killed parent is still alone.
    """
    with _lock_file(path) as descriptor:
        nap = 0.001
        while not _took(descriptor):
            await asyncio.sleep(nap)
            nap = min(nap * 2, _LONGEST_NAP_SECONDS)
        yield descriptor


@contextmanager
def _lock_file(path: Path) -> Generator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _took(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
