"""One repository, one key, however it was written: schedules, loops and their files are named by it."""

import hashlib
import re
from urllib.parse import unquote

_SCP = re.compile(r"(?:[^/@:]+@)?([^/@:]+):(.+)")
_GITHUB = re.compile(r"^(?:www|ssh)\.github\.com(?:[:/]443)?/")
"""Its other doors, as they are written in front of a path. Behind strict firewalls SSH goes by the port of the web."""
_USUAL_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}


def repository_key(repository: str) -> str:
    """`shop-3f2a9c10` for `https://github.com/acme/shop`, `git@github.com:acme/shop.git` or a folder: readable, and its
    own by eight hex digits. A folder must be absolute already: what it is relative to is not known here."""
    whole = _one_spelling(repository.strip())
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", whole.rsplit("/", 1)[-1].removesuffix(".git")).strip("-_")[:40]
    return f"{slug or 'repository'}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def _one_spelling(repository: str) -> str:
    """Host and path where there is a host, whatever protocol and user lead there; else the path."""
    scheme, has_scheme, rest = repository.partition("://")
    if has_scheme:
        place, _, path = rest.partition("/")
        if scheme == "file":
            return _folder(unquote(f"/{path}"))
        return _hosted(place.rpartition("@")[2].removesuffix(f":{_USUAL_PORTS.get(scheme.lower(), 0)}"), path)
    if found := _SCP.fullmatch(repository):
        return _hosted(found[1], found[2])
    return _folder(repository)


def _hosted(host: str, path: str) -> str:
    """Hosts of repositories tell no two of them apart by capital letters."""
    whole = f"{host}/{path.strip('/').removesuffix('.git').rstrip('/')}".casefold()
    return _GITHUB.sub("github.com/", whole)


def _folder(path: str) -> str:
    return path.rstrip("/").removesuffix("/.git") or "/"
