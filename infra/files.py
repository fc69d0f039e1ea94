"""Files that several processes share: replaced whole, changed under a lock that dies with its holder."""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

_LONGEST_NAP_SECONDS = 0.05


PRIVATE = 0o600
"""Mode of a file for its owner only."""


def private_folder(folder: Path) -> Path:
    """The folder, and those above it that are missing, made for their owner only. What exists is left as it is: it may
    be somebody's choice, or /tmp."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def replace_file(path: Path, data: bytes, mode: int | None = None) -> None:
    """Write the whole file or nothing; readers see the old bytes or the new ones. Durable when it returns.

    A file that exists keeps its mode; a new one without a `mode` can be read by those who can read its folder.
    """
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:60]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), _mode(path) if mode is None else mode)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_folder(path.parent)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return PRIVATE | path.parent.stat().st_mode & 0o644


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
    private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
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
