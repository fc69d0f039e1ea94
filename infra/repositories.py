"""Repositories as people type them."""

import re
from pathlib import Path

from infra.exits import Misused, NotFound
from workflows.domain.repositories import repository_key


def named_repository(named: str) -> str:
    """A local path as an absolute one, since the worker runs elsewhere; a URL as it is. Raises NotFound, and Misused
    for a URL with a password."""
    path = Path(named).expanduser()
    if named.strip() and path.exists():
        return str(path.resolve())
    if re.match(r"https?://[^/]*@", named):
        raise Misused("The URL of the repository holds a password, which would be kept in records.", "Leave it out.")
    if ":" not in named:  # neither a URL nor host:path
        raise NotFound(f"There is no repository {named!r}.", "Give a folder or a git URL.")
    return named


def key_of(named: str) -> str:
    """The repository's key, whether it is still there or not."""
    return repository_key(named if ":" in named else str(Path(named).expanduser().resolve()))
