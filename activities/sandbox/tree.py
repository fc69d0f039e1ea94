"""Files an untrusted tree holds, for whoever has more rights than it: no link is followed on any part of a path, only
regular files count.

Of the standard library alone and for Python 3.8 on: this also runs inside of remote sandboxes.
"""

# pathlib would double the start-up time of the short commands inside

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager

WORK = "/work"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Forbidden(Exception):
    """The path leads out, or to something that is no file to read or replace."""


class TooLarge(Exception):
    """The file has more bytes than were asked for."""


def read_file(work: str, path: str, max_bytes: int) -> bytes:
    """`path` as the sandbox sees it, below /work, which is `work` here. Raises FileNotFoundError, Forbidden,
    TooLarge."""
    *folders, name = _parts(path)
    with _folder(work, folders, path, owner=None) as folder, _plain_errors(path):
        # non-blocking, so that a fifo does not hold us up
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Forbidden(f"{path} is not a regular file.")
            data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLarge(f"{path} is larger than {max_bytes:,} bytes.")
    return data


def write_file(work: str, path: str, data: bytes, mode: int, owner: int | None) -> None:
    """Replace the file in one step, making folders on the way. `owner` is the uid it and they are given. Raises
    Forbidden."""
    *folders, name = _parts(path)
    temporary = f".pawl-{secrets.token_hex(8)}"
    with _folder(work, folders, path, owner, make=True) as folder, _plain_errors(path):
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(fd, mode & 0o777)
                if owner is not None:
                    os.fchown(fd, owner, owner)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(temporary, dir_fd=folder)
            raise


def _parts(path: str) -> list[str]:
    """The path's parts below /work. A relative path starts there."""
    parts = [part for part in (path if path.startswith("/") else f"{WORK}/{path}").split("/") if part not in ("", ".")]
    if "\0" in path or ".." in parts or parts[:1] != [WORK.lstrip("/")] or len(parts) < 2:
        raise Forbidden(f"{path!r} is not a file below {WORK}.")
    return parts[1:]


@contextmanager
def _folder(work: str, parts: list[str], path: str, owner: int | None, make: bool = False) -> Generator[int]:
    """A descriptor of the folder. Each part is opened by itself from the one before, so nothing in it is followed."""
    fd = os.open(work, _FOLDER)
    try:
        with _plain_errors(path):
            for part in parts:
                inner = _open_folder(fd, part, owner, make)
                os.close(fd)
                fd = inner
        yield fd
    finally:
        os.close(fd)


def _open_folder(parent: int, name: str, owner: int | None, make: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not make:
            raise
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return os.open(name, _FOLDER, dir_fd=parent)
    fd = os.open(name, _FOLDER, dir_fd=parent)
    if owner is not None:
        os.fchown(fd, owner, owner)
    return fd


@contextmanager
def _plain_errors(path: str) -> Generator[None]:
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist.") from None
    except OSError as error:
        raise Forbidden(f"{path} cannot be used: {error.strerror}.") from error
