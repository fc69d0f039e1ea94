"""The secret that gateway, worker and command line share: configured, or made once and kept in home."""

import os
import secrets
import tempfile
from pathlib import Path

from infra.files import private_folder
from infra.settings import Settings

FILE = "gateway.secret"


def gateway_secret(settings: Settings) -> str:
    """The configured secret, else the one in home, which the first caller makes, readable by its owner only."""
    if settings.gateway_secret:
        return settings.gateway_secret
    path = settings.home / FILE
    if not path.exists():
        _make(path)
    secret = path.read_text().strip()
    if not secret:
        raise ValueError(f"{path} is empty. Delete it, and the gateway makes a new secret when it starts.")
    return secret


def _make(path: Path) -> None:
    """Write a whole file and link it into place: of several callers the first wins, and no one reads half a secret."""
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}.")  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
