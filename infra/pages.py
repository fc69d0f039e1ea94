"""Pages: Markdown files with YAML front matter, written by people and by Pawl in turns.

What people wrote survives: the order of keys, their comments, line endings, everything Pawl did not change.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Any, Self, cast
from urllib.parse import quote

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from workflows.domain.written import closed

MOST_BYTES = 1_000_000
MOST_VALUES = 10_000
_FENCE = re.compile(r"---[ \t]*")


class BadPage(Exception):
    """A page that cannot be read: where, and what to write instead."""

    def __init__(self, cause: str, line: int = 1) -> None:
        super().__init__(cause)
        self.cause = cause
        self.line = line
        """1-based line in the file."""


class FrontMatter:
    """The YAML mapping at the head of a page, with the lines its values stand on."""

    def __init__(self, values: CommentedMap, text: str | None = None) -> None:
        """`text` is what the values were read from: it stands, to the last blank, until one of them changes."""
        self._values = values
        self._text = text

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadPage with the line of the page, the opening `---` being line 1."""
        try:
            loaded: object = _yaml().load(text)  # pyright: ignore[reportUnknownMemberType]
        except MarkedYAMLError as error:
            raise _not_yaml(cast("Any", error)) from error
        except (YAMLError, ValueError, RecursionError) as error:
            raise BadPage(f"This is not YAML: {str(error) or type(error).__name__}.", 2) from error
        if loaded is None:
            return cls(CommentedMap(), text)
        if not isinstance(loaded, CommentedMap):
            raise BadPage("The front matter must be `key: value` lines.", 2)
        return cls(loaded, text)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        return cls(CommentedMap({key: _Plain().unfold(value) for key, value in values.items()}))

    def render(self) -> str:
        if self._text is None:
            out = StringIO()
            if self._values:
                _yaml().dump(self._values, out)  # pyright: ignore[reportUnknownMemberType]
            self._text = out.getvalue()
        return self._text

    def values(self) -> dict[str, object]:
        """All of it as plain Python values. Raises BadPage when aliases unfold into more than a page can mean."""
        plain = _Plain().unfold(self._values)
        return cast("dict[str, object]", plain)

    def get(self, key: str) -> object:
        """A top-level value, None when it is absent."""
        return cast("object", self._values.get(key))  # pyright: ignore[reportUnknownMemberType]

    def set(self, key: str, value: str | int) -> None:
        """Change a value in its place, or add it at the end."""
        self._values[key] = _Plain().unfold(value)
        self._text = None

    def remove(self, key: str) -> None:
        if key in self._values:
            del self._values[key]
            self._text = None

    def line(self, path: Sequence[str | int]) -> int:
        """The page's line for a value, or for the nearest thing around it when the value is absent."""
        node: object = self._values
        line = 1
        for step in path:
            position = _position(node, step)
            if position is None:
                break
            line = position + 2
            node = cast("Any", node)[step]
        return line


def _not_yaml(error: Any) -> BadPage:
    mark = error.problem_mark or error.context_mark
    said = " ".join(str(part) for part in (error.context, error.problem) if part)
    return BadPage(f"This is not YAML: {said}.", (int(mark.line) if mark else 0) + 2)


def _position(node: object, step: str | int) -> int | None:
    if isinstance(node, CommentedMap) and step in node:
        return cast("int", cast("Any", node).lc.key(step)[0])
    if isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(cast("list[object]", node)):
        return cast("int", cast("Any", node).lc.item(step)[0])
    return None


class _Plain:
    """Turns ruamel's values into plain ones and counts them, since a few aliases can unfold into billions."""

    def __init__(self) -> None:
        self._seen = 0

    def unfold(self, value: object) -> object:
        self._seen += 1
        if self._seen > MOST_VALUES:
            raise BadPage(f"The front matter unfolds into more than {MOST_VALUES:,} values. Use fewer aliases.")
        if isinstance(value, Mapping):
            return {str(k): self.unfold(v) for k, v in cast("Mapping[object, object]", value).items()}
        if isinstance(value, list):
            return [self.unfold(item) for item in cast("list[object]", value)]
        if isinstance(value, bool) or value is None:
            return value
        return next((kind(value) for kind in (int, float) if isinstance(value, kind)), str(value))


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True  # pyright: ignore[reportAttributeAccessIssue]
    yaml.width = 1_000_000  # pyright: ignore[reportAttributeAccessIssue]
    yaml.indent(mapping=2, sequence=4, offset=2)  # pyright: ignore[reportUnknownMemberType]
    return yaml


class Page:
    """Front matter, and the text below it."""

    def __init__(self, head: FrontMatter, text: str, newline: str = "\n", has_head: bool = True) -> None:
        self.head = head
        self.text = text
        """Everything below the front matter, with `\\n` at line ends."""
        self.has_head = has_head
        self._newline = newline

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """A page without `---` in its first line has no front matter and is all text. Raises BadPage."""
        raw = _decoded(data)
        newline = "\r\n" if "\r\n" in raw else "\n"
        lines = raw.replace("\r\n", "\n").split("\n")
        if not _FENCE.fullmatch(lines[0]):
            return cls(FrontMatter(CommentedMap()), "\n".join(lines), newline, has_head=False)
        end = next((n for n, line in enumerate(lines[1:], start=1) if _FENCE.fullmatch(line)), None)
        if end is None:
            raise BadPage("The front matter is never closed. Write --- on a line of its own after it.")
        head = FrontMatter.parse("".join(f"{line}\n" for line in lines[1:end]))
        return cls(head, "\n".join(lines[end + 1 :]), newline)

    def render(self) -> bytes:
        text = f"---\n{self.head.render()}---\n{self.text}"
        return text.replace("\n", self._newline).encode()

    def body(self, heading: str) -> str:
        """The text above the heading (`## Comments`)."""
        return self._split(heading)[0].strip("\n")

    def set_body(self, heading: str, text: str) -> None:
        """Replace the text above the heading, whatever it holds: nothing in it passes for the heading or a comment."""
        lines = closed(unmarked(text).strip("\n")).split("\n")
        for at in _outside_fences(lines):
            if lines[at].strip().lower() == heading.lower():
                lines[at] = f"#{lines[at].strip()}"
        below = self._split(heading)[1]
        said = "\n".join(lines)
        self.text = f"\n{said}\n\n{below}" if below else f"\n{said}\n"

    def has_comment(self, key: str) -> bool:
        """Wherever on the page: whoever edits it may have moved the comment."""
        return marker(key) in self.text.split("\n")

    def add_comment(self, heading: str, key: str, text: str) -> None:
        """Append below the heading, which is made when there is none."""
        above, below = self._split(heading)
        if not below:
            above, below = f"{above.rstrip()}\n\n", f"{heading}\n"
        said = unmarked(text).strip("\n")
        self.text = f"{above}{below.rstrip()}\n\n{marker(key)}\n{said}\n"

    def _split(self, heading: str) -> tuple[str, str]:
        lines = self.text.split("\n")
        at = next((n for n in _outside_fences(lines) if lines[n].strip().lower() == heading.lower()), len(lines))
        above = "".join(f"{line}\n" for line in lines[:at]) if at < len(lines) else self.text
        return above, "\n".join(lines[at:])


_MARK = "<!-- pawl:"


def marker(key: str) -> str:
    """The hidden line that makes a comment findable by its key."""
    return f"{_MARK}{quote(key, safe=':/@+ ')} -->"


def unmarked(text: str) -> str:
    """Text from elsewhere with `\\n` line ends, in which nothing passes for a marker."""
    return text.replace("\r\n", "\n").replace(_MARK, _MARK.replace("<", "&lt;"))


_FENCED = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def _outside_fences(lines: list[str]) -> Iterator[int]:
    """The numbers of lines that are not inside a fenced code block (CommonMark 4.5). One that is never closed hides
    nothing here: whatever was written below it would never be found again."""
    hidden_until, unclosed = 0, dict[str, int]()
    for number, line in enumerate(lines):
        if number < hidden_until:
            continue
        opener = _FENCED.match(line)
        is_code_within_a_line = opener is not None and opener[1][0] == "`" and "`" in opener[2]
        if opener is None or is_code_within_a_line:
            yield number
            continue
        mark, length = opener[1][0], len(opener[1])
        end = None if length >= unclosed.get(mark, length + 1) else _closer(lines, number + 1, mark, length)
        if end is None:
            unclosed[mark] = length  # nor is any later one of this length: looking again would take for ever
            yield number
        else:
            hidden_until = end + 1


def _closer(lines: list[str], first: int, mark: str, length: int) -> int | None:
    closer = re.compile(rf" {{0,3}}{mark}{{{length},}}\s*")
    return next((number for number in range(first, len(lines)) if closer.fullmatch(lines[number])), None)


def _decoded(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise BadPage(f"The file is larger than {MOST_BYTES:,} bytes. Shorten it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadPage("The file is not UTF-8. Save it as UTF-8.", line) from error
