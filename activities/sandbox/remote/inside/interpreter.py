"""Whether the Python that runs this is safe to be called by root later on: nobody else can change it.

Its text is run by `-c`, told the path it is called by, before any command has run in the sandbox. Exit code 0: it is;
1: it cannot be used; 2: it is not safe.
"""

# ruff: noqa: PTH114, PTH115, PTH118, PTH120, PTH123
# pathlib would double the start-up time

from __future__ import annotations

import os
import sys

_UNUSABLE, _UNSAFE = 1, 2
_COMMANDS = 1000
"""The group of commands, and their only one."""
_NOT_READ = ("site-packages", "dist-packages", "test")
"""Folders of the standard library that nothing of ours imports from."""
_SEARCHED_BY_THE_LOADER = ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT")


def main() -> None:
    program = sys.argv[1]
    if sys.version_info < (3, 8) or os.path.realpath(program) != os.readlink("/proc/self/exe"):  # an old one, a script
        sys.exit(_UNUSABLE)
    if os.geteuid() != 0:  # nobody in this sandbox is more than the commands are
        return
    for path in [program, *_loaded(), *_named_for_the_loader(), *_library()]:
        if not _only_roots(path):
            sys.exit(_UNSAFE)


def _loaded() -> list[str]:
    """The program behind all links, and every shared library in it."""
    with open("/proc/self/maps") as file:
        mapped = {line.split(None, 5)[5].rstrip("\n") for line in file if line.count("/")}
    return sorted(path for path in mapped if path.startswith("/"))


def _named_for_the_loader() -> list[str]:
    named = " ".join(os.environ.get(name, "").replace(":", " ") for name in _SEARCHED_BY_THE_LOADER)
    return [path for path in named.split() if path.startswith("/")]


def _library() -> list[str]:
    """All files that are imported from."""
    found = list(sys.path)
    for place in sys.path:
        for folder, folders, names in os.walk(place):
            folders[:] = [name for name in folders if name not in _NOT_READ]
            found += [os.path.join(folder, name) for name in (*folders, *names)]
    return found


_known: dict[str, bool] = {}


def _only_roots(path: str) -> bool:
    """Whether only root can change what the path leads to, or put something there."""
    if path not in _known:
        _known[path] = True  # a link in a circle leads nowhere
        _known[path] = _is_roots(path) and (path == "/" or _only_roots(os.path.dirname(path)))
    return _known[path]


def _is_roots(path: str) -> bool:
    try:
        seen = os.lstat(path)
    except FileNotFoundError:
        return True
    if seen.st_uid != 0:
        return False
    if os.path.islink(path):
        return _only_roots(os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path))))
    return not seen.st_mode & (0o022 if seen.st_gid == _COMMANDS else 0o002)


if __name__ == "__main__":
    main()
