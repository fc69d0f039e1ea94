"""The place commands work in: /work, owned by the user they run as; and files carried into and out of it."""

# ruff: noqa: PTH102, PTH108, PTH118, PTH123
# pathlib would double the start-up time

from __future__ import annotations

import base64
import os
import secrets
import time
from contextlib import suppress
from typing import Any

from activities.sandbox import tree

HOME = tree.WORK + "/home"
USER = 1000
"""Who commands run as where we are root; their uid, and gid, everywhere."""
_INLINE = 256 << 10
"""Bytes that an answer carries itself."""
_FORGOTTEN_SECONDS = 3_600.0


class Unusable(Exception):
    """This sandbox's image cannot hold commands."""


def owner() -> int | None:
    """Who owns /work and runs commands; None: whoever we are."""
    return USER if os.geteuid() == 0 else None


def prepare() -> None:
    """Make /work and the home folder, and give all of an image's /work to whom it is for."""
    user = owner()
    for folder in (tree.WORK, HOME):
        try:
            os.mkdir(folder, 0o755)
        except FileExistsError:
            continue
        except OSError as error:
            raise Unusable(f"The sandbox's image has no {folder} and we cannot make it: {error.strerror}.") from error
        if user is not None:
            os.chown(folder, user, user, follow_symlinks=False)
    if user is not None and os.lstat(tree.WORK).st_uid != user:
        # only before the first command: whatever is there is the image's
        for _, folders, names, fd in os.fwalk(tree.WORK):
            for name in (*folders, *names):
                os.chown(name, user, user, dir_fd=fd, follow_symlinks=False)
        os.chown(tree.WORK, user, user)


def take(home: str, path: str, most: int) -> dict[str, Any]:
    """The file's bytes as they are, or where they were put for whoever fetches them."""
    prepare()
    data = tree.read_file(tree.WORK, path, most)
    if len(data) <= _INLINE:
        return {"data": base64.b64encode(data).decode()}
    _forget_old(home)
    staged = os.path.join(home, "out", secrets.token_hex(8))
    with open(staged, "wb") as file:
        file.write(data)
    return {"staged": staged}


def offer(home: str, path: str, staged: str, mode: int) -> dict[str, Any]:
    """Replace the file by what was put at `staged`."""
    prepare()
    _forget_old(home)
    with open(staged, "rb") as file:
        data = file.read()
    os.unlink(staged)
    tree.write_file(tree.WORK, path, data, mode, owner())
    return {}


def _forget_old(home: str) -> None:
    """Remove what callers that died have left."""
    for folder in ("in", "out"):
        with os.scandir(os.path.join(home, folder)) as found:
            for entry in found:
                with suppress(FileNotFoundError):  # another call was faster
                    if time.time() - entry.stat().st_mtime > _FORGOTTEN_SECONDS:
                        os.unlink(entry.path)
