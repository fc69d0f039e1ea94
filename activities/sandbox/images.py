"""Snapshots of local sandboxes: copies of /work below the provider's root, made and removed in one step.

`<root>/.images/<reference>/work` the files · `usage` their bytes as the disk watch counts them · the folder's own time
is its last use.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from activities.sandbox import folders
from activities.sandbox.copies import copy_tree
from activities.sandbox.supervisor.watch import DiskWatch
from workflows.ports.sandbox import BadSpec, Gone

_REFERENCE = re.compile(r"local-[0-9a-f]{32}")


def require_reference(image: str) -> None:
    """Raises BadSpec for what this provider has never given out."""
    if not _REFERENCE.fullmatch(image):
        raise BadSpec(f"The local sandbox has given out no snapshot {image!r}.")


def keep(root: Path, bwrap: str, work: Path, uid: int | None) -> str:
    """Copy `work`, whose files belong to `uid`. The reference of the copy."""
    reference = f"local-{secrets.token_hex(16)}"
    folder = home(root)
    folder.mkdir(mode=0o700, exist_ok=True)
    with folders.draft(folder) as draft:
        (draft / "work").mkdir(mode=0o700)
        copy_tree(bwrap, work, draft / "work", uid)
        DiskWatch(str(draft / "work"), 0, str(draft / "usage")).measure()
        os.utime(draft)
        draft.rename(folder / reference)
    return reference


def fill(root: Path, reference: str, bwrap: str, folder: Path, uid: int | None) -> None:
    """Give the new sandbox of this folder the image's files, and what is known of their size. Raises BadSpec, Gone."""
    with _using(root, reference) as image:
        copy_tree(bwrap, image / "work", folder / "work", uid)
        shutil.copyfile(image / "usage", folder / "usage")


def forget(root: Path, reference: str) -> None:
    """Remove the image; what does not exist is fine. Sandboxes made from it share nothing with it."""
    require_reference(reference)
    remains = folders.take_away(home(root), reference)
    if remains is not None:
        folders.remove(remains)


def unused_since(root: Path, moment: float) -> list[str]:
    """The images no sandbox was started from since that moment (seconds of Unix time), nor made since."""
    return sorted(image.name for image in home(root).glob("local-*") if image.stat().st_mtime < moment)


@contextmanager
def _using(root: Path, reference: str) -> Generator[Path]:
    """The image's folder, kept from being removed meanwhile."""
    require_reference(reference)
    image = home(root) / reference
    gone = Gone(f"The snapshot {reference} does not exist any more. Make another.")
    try:
        held = folders.lock(image, fcntl.LOCK_SH)
    except FileNotFoundError as error:
        raise gone from error
    try:
        if not image.exists():  # removed while we waited
            raise gone
        os.utime(image)
        yield image
    finally:
        os.close(held)


def home(root: Path) -> Path:
    """The folder of all images."""
    return root / ".images"
