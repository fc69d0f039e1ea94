"""Globs over the paths of a repository: a glob without a slash means a name in any folder, `*` stops at slashes, `**`
does not."""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

_MEANINGS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matches(glob: str, path: str) -> bool:
    """Whether a glob means exactly this path, letter by letter."""
    return _pattern(glob).fullmatch(path) is not None


def require_globs(globs: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError, in words, for what can match no path of a repository."""
    for glob in globs:
        if not glob.strip() or glob.startswith(("/", "!")) or "\\" in glob or ".." in glob.split("/"):
            raise ValueError(f"{glob!r} names no path: write it from the repository's root, such as 'deploy/**'")
    return globs


def matching(globs: Collection[str], paths: Iterable[str]) -> Iterator[str]:
    """Those of the paths that one of the globs means: fast for many of both."""
    names, whole = _one_of(glob for glob in globs if "/" not in glob), _one_of(glob for glob in globs if "/" in glob)
    return (path for path in paths if names.fullmatch(path.rpartition("/")[2]) or whole.fullmatch(path))


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    anywhere = "" if "/" in glob else "(?:.*/)?"
    return re.compile(anywhere + _meaning(glob), re.DOTALL)


def _one_of(globs: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(_meaning(glob) for glob in globs), re.DOTALL)


def _meaning(glob: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return "".join(_MEANINGS.get(part) or re.escape(part) for part in parts)
