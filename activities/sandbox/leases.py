"""How long sandboxes live: what is too old or idle goes, with what dead workers left half made and unused snapshots."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from activities.sandbox import folders, images, jobs
from activities.sandbox.folders import About
from workflows.ports.sandbox import Gone

_IMAGE_SECONDS = 30 * 86_400
"""How long a snapshot is kept that no sandbox starts from."""
_DRAFT_SECONDS = 60


def end(root: Path) -> tuple[str, ...]:
    """Take away all sandboxes whose time is over; their keys. Never one with a running command, or just being used."""
    return tuple(key for key in folders.living(root) if _ended(root, key))


def clear(root: Path) -> None:
    """Remove snapshots nobody has used for long, and what is half made or half removed and in nobody's hands."""
    for image in images.unused_since(root, time.time() - _IMAGE_SECONDS):
        images.forget(root, image)
    for remains in folders.taken_away(images.home(root)):
        folders.remove(remains)
    for draft in (*folders.drafts(root), *folders.drafts(images.home(root))):
        with suppress(FileNotFoundError, BlockingIOError):
            if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
                held = folders.lock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
                folders.remove(draft)
                os.close(held)


def _ended(root: Path, key: str) -> bool:
    folder = root / key
    try:
        held = folders.lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # in use, or gone
        return False
    try:
        return _is_over(folder, folders.about_of(folder)) and folders.rename_away(root, key) is not None
    except (Gone, FileNotFoundError):  # whoever takes it away moves it first, and then waits for us
        return False
    finally:
        os.close(held)


def _is_over(folder: Path, about: About) -> bool:
    if any(not jobs.has_ended(job) for job in (folder / "jobs").iterdir()):
        return False
    now = time.time()
    idle = now - (folder / folders.LEASE).stat().st_mtime
    return idle > about.idle_seconds or now - about.created.timestamp() > about.lifetime_seconds
