"""YAML as people write it, read without guessing what a word may stand for, and with the place of everything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

_MOST_DEPTH = 20
_MOST_NODES = 500_000
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


class Bare(str):
    """A text as it stood in a file without quotes: `3` may be a number to whoever wrote it."""

    __slots__ = ()


class Unreadable(Exception):
    """Why a state file cannot be used, and where."""

    def __init__(self, cause: str, line: int = 1) -> None:
        super().__init__(f"line {line}: {cause}")


@dataclass(frozen=True)
class Node:
    """A value. Lines and columns count from 0."""

    value: "str | list[Node] | dict[str, Pair] | None"
    """Every scalar as its text; None for one that is left empty or written as null."""
    line: int
    end_line: int
    end_column: int
    is_bare: bool = False
    """A text without quotes."""

    @property
    def plain(self) -> object:
        """As Python has it."""
        if isinstance(self.value, dict):
            return {key: pair.node.plain for key, pair in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain for node in self.value]
        return self.value

    @property
    def as_written(self) -> object:
        """As it is written again: what had no quotes needs none."""
        if isinstance(self.value, dict):
            return {key: pair.node.as_written for key, pair in self.value.items()}
        if isinstance(self.value, list):
            return [node.as_written for node in self.value]
        return Bare(self.value) if self.is_bare and self.value else self.value

    @property
    def pairs(self) -> "Mapping[str, Pair]":
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> "list[Node]":
        return self.value if isinstance(self.value, list) else []


@dataclass(frozen=True)
class Pair:
    """A key and what it says."""

    line: int
    end_column: int
    """Of the key."""
    node: Node


def read_yaml(text: str) -> Node:
    """The one document of a text. Raises Unreadable.

    It is built from the parser's events and not by the library: what calls itself more than so deep would end the whole
    process there, and aliases could unfold into billions.
    """
    try:
        return _Reader(text).document()
    except yaml.MarkedYAMLError as error:
        mark = cast("Any", error.problem_mark or error.context_mark)
        said = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise Unreadable(f"this is not YAML: {said}", mark.line + 1 if mark else 1) from error
    except yaml.reader.ReaderError as error:
        line = text[: int(cast("Any", error).position)].count("\n") + 1
        raise Unreadable("it holds a character that no YAML may hold", line) from error
    except yaml.YAMLError as error:
        raise Unreadable(f"this is not YAML: {error}") from error


class _Reader:
    def __init__(self, text: str) -> None:
        events = cast("Iterator[Any]", yaml.parse(text, Loader=yaml.CSafeLoader))  # pyright: ignore[reportUnknownMemberType]
        self._events = events
        self._seen = 0

    def document(self) -> Node:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                break
        else:
            return Node({}, 0, 0, 0)
        node = self._node(next(self._events), 0)
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise Unreadable("there is a second document here", _line(event))
        return node

    def _node(self, event: Any, depth: int) -> Node:
        self._seen += 1
        if depth > _MOST_DEPTH or self._seen > _MOST_NODES:
            raise Unreadable("there is more in this than a state file can mean", _line(event))
        if isinstance(event, yaml.ScalarEvent):
            is_nothing = not event.style and event.value in _NOTHING
            return _at(event, event, None if is_nothing else str(event.value), not event.style)
        if isinstance(event, yaml.SequenceStartEvent):
            items, end = self._items(depth)
            return _at(event, end, items)
        if isinstance(event, yaml.MappingStartEvent):
            pairs, end = self._pairs(depth)
            return _at(event, end, pairs)
        raise Unreadable("anchors and aliases are not read here: write it out", _line(event))

    def _items(self, depth: int) -> tuple[list[Node], Any]:
        items = list[Node]()
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items, event

    def _pairs(self, depth: int) -> tuple[dict[str, Pair], Any]:
        pairs = dict[str, Pair]()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise Unreadable("a key must be a word", _line(event))
            key = str(event.value)
            if key in pairs:
                raise Unreadable(f"{key[:60]!r} is written twice", _line(event))
            end = cast("Any", event).end_mark.column
            pairs[key] = Pair(_line(event) - 1, end, self._node(next(self._events), depth + 1))
        return pairs, event


def _at(start: Any, end: Any, value: "str | list[Node] | dict[str, Pair] | None", is_bare: bool = False) -> Node:
    return Node(value, start.start_mark.line, end.end_mark.line, end.end_mark.column, is_bare)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
