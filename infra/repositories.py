"""Repositories as people type them."""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

from infra.exits import Misused, NotFound
from workflows.domain.repositories import repository_key

_GITHUB = re.compile(r"(?:[^@]*@)?(?:www\.)?github\.com(?::[0-9]+)?", re.IGNORECASE)
"""It keeps all of them as `owner/name`."""
_SHOWN = 10


def named_repository(named: str, branch: str = "") -> str:
    """A local path as an absolute one, since the worker runs elsewhere; a URL as it is. Raises NotFound for what is no
    repository here or has no such branch, and Misused for a URL that names none or holds a password."""
    path = Path(named).expanduser()
    if named.strip() and path.exists():
        _require_branch(path.resolve(), branch)
        return str(path.resolve())
    if named.startswith("file://"):
        _require_branch(Path(unquote(urlsplit(named).path)), branch)
        return named
    if ":" not in named:  # neither a URL nor host:path
        raise NotFound(f"There is no repository {named!r}.", "Give a folder or a git URL.")
    _require_one(named)
    return named


def key_of(named: str) -> str:
    """The repository's key, whether it is still there or not."""
    return repository_key(named if ":" in named else str(Path(named).expanduser().resolve()))


def _require_branch(folder: Path, branch: str) -> None:
    """That there is a repository at this very place, with commits, on this branch if one is named."""
    heads = _heads(folder / ".git", folder)
    if heads is None:
        root = next((one for one in folder.parents if (one / ".git").exists()), None)
        how = (
            f"Name the root of the repository it is in: {root}" if root else "Give a repository's folder or a git URL."
        )
        raise NotFound(f"{folder} is no git repository.", how)
    if not heads:
        raise NotFound(f"{folder} has no commit yet.", "Commit something there.")
    if branch and branch not in heads:
        known = ", ".join(heads[:_SHOWN]) + (", ..." if len(heads) > _SHOWN else "")
        raise NotFound(f"{folder} has no branch {branch!r}.", f"It has: {known}.")


def _heads(*places: Path) -> list[str] | None:
    """The branches of the first of the places where git keeps a repository; None where it is none."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    for place in places:
        asked = ["git", f"--git-dir={place}", "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"]
        told = subprocess.run(asked, env=env, capture_output=True, check=False)
        if told.returncode == 0:
            return told.stdout.decode(errors="replace").split()
    return None


def _require_one(url: str) -> None:
    if re.match(r"https?://[^/]*@", url):
        raise Misused("The URL of the repository holds a password, which would be kept in records.", "Leave it out.")
    scheme, is_url, rest = url.partition("://")
    host, _, path = rest.partition("/") if is_url else url.partition(":")
    whole, needed = re.split(r"/-/|[?#]", path.strip("/"))[0].strip("/"), 1
    if _GITHUB.fullmatch(host):
        whole, needed = "/".join(whole.split("/")[:2]), 2
    if not host or not whole or len(whole.split("/")) < needed:
        raise Misused(f"{url} names no repository.", "Give all of it, such as https://github.com/acme/shop.")
    if is_url and whole != path.strip("/"):
        raise Misused(f"{url} is a page, and no repository.", f"Give the repository: {scheme}://{host}/{whole}")
