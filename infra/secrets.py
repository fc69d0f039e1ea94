"""What is made once and kept in home: the secret that gateway, worker and command line share, and who we are."""

import os
import secrets
import tempfile
from pathlib import Path

from infra.files import private_folder
from infra.settings import Settings

FILE = "gateway.secret"
INSTALLATION = "installation"


def gateway_secret(settings: Settings) -> str:
    """The configured secret, else the one in home, which the first caller makes, readable by its owner only."""
    return settings.gateway_secret or _kept(settings.home / FILE, secrets.token_urlsafe(32))


def installation(settings: Settings) -> str:
    """The name by which this Pawl knows its own sandboxes at a vendor: configured, else made once. No secret."""
    return settings.installation or _kept(settings.home / INSTALLATION, f"pawl-{secrets.token_hex(6)}")


def _kept(path: Path, new: str) -> str:
    if not path.exists():
        _make(path, new)
    kept = path.read_text().strip()
    if not kept:
        raise ValueError(f"{path} is empty. Delete it, and a new one is made at the next start.")
    return kept


def _make(path: Path, text: str) -> None:
    """Write a whole file and link it into place: of several callers the first wins, and no one reads half a secret."""
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
