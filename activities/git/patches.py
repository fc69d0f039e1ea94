"""Reading unified diffs as git writes them: which line of which file was added."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class Line(NamedTuple):
    """A line of a patch. Where it is an added one, `path` and `number` say where it is now; else they are empty."""

    raw: bytes
    path: str = ""
    number: int = 0

    @property
    def text(self) -> str:
        """The added text without its plus."""
        return self.raw[1:].decode(errors="replace")


def lines_of(patch: bytes) -> Iterator[Line]:
    """All lines of a patch of our own git, whose names are not quoted but for quotes and backslashes.

    The counts of a hunk's head decide what belongs to it: a file's own text can look like any head.
    """
    path, number, old, new = "", 0, 0, 0
    for raw in patch.removesuffix(b"\n").split(b"\n"):
        if old > 0 or new > 0:
            mark = raw[:1]
            yield Line(raw, path, number) if mark == b"+" else Line(raw)
            old -= mark in (b"-", b" ")
            new -= mark in (b"+", b" ")
            number += mark in (b"+", b" ")
            continue
        if hunk := _HUNK.match(raw):
            old, number, new = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
        elif raw.startswith(b"+++ "):
            path = _name(raw[4:])
        yield Line(raw)


def lines_added(path: str, before: str, after: str) -> Iterator[Line]:
    """The lines of a text that git has no patch of, but for those that it had before."""
    known = set(before.split("\n"))
    for number, text in enumerate(after.split("\n"), start=1):
        if text not in known:
            yield Line(f"+{text}".encode(errors="replace"), path, number)


def _name(shown: bytes) -> str:
    """The path of a `+++ b/...` line. Git ends a name with blanks in it with a tab."""
    text = shown.decode(errors="replace").removesuffix("\t")
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text.strip('"'))
    return text.removeprefix("b/")
