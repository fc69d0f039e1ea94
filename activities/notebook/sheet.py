"""The state file: what triage knows, and what people have written around it."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from activities.notebook import writing
from activities.notebook.reading import Node, Unreadable, read_yaml
from workflows.domain.model import Record
from workflows.domain.triage import Entry, Kind, Standing, TriageState, finding_id
from workflows.domain.triage_goes import kept

MOST_BYTES = 5_000_000
_OURS = "##"
_FIRST, _LAST = ("id", "kind", "subject", "title", "standing", "note", "command", "detail"), ("tried",)
"""Where of an entry's keys people look first and last."""
_NEAR_THE_END = 10_000
"""Characters: people may write below it."""
HEADER = """\
## What triage knows of this repository. Pawl writes it; you may edit it at any time, and what you write wins.
##   standing  how a finding stands; write another of these words and Pawl goes by it:
##     waiting   it is true and did not fit into the night: the first of the next one
##     reported  it is in the report        ticketed  it has a ticket      started  its ticket was started
##     refuted   its command does not fail  fixed     it is mended; when it comes back, it is raised anew
##     ignored   you do not want to hear of it
##   note      your words; Pawl never touches them. Comments and keys of your own stay, too.
## A finding that you delete comes back only when it is found anew. To look at the past again, set seen_until back.
## Lines that begin with ## are Pawl's."""
THE_END = "## The end. Without this line a file was cut short, and is not used."

Anchor = tuple[str, str]
"""An entry's id and a key of it; the id is empty at the top of the file, the key at the entry itself."""
_END: Anchor = ("", "")


@dataclass
class Words:
    """What people have written beside the values."""

    above: dict[Anchor, list[str]] = field(default_factory=dict)
    """Lines of comments."""
    beside: dict[Anchor, str] = field(default_factory=dict)
    own: dict[str, dict[str, object]] = field(default_factory=dict)
    """Keys that mean nothing to Pawl, of the entry with the id, or of the file."""


@dataclass
class Sheet:
    state: TriageState
    words: Words = field(default_factory=Words)


def read_sheet(data: bytes, repository: str, written: datetime) -> Sheet:
    """What a file says. `written` stands for times that a person has left out. Raises Unreadable."""
    if len(data) > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8", data[: error.start].count(b"\n") + 1) from error
    if not text.strip():
        raise Unreadable("it is empty")
    if text.startswith(HEADER.split("\n")[0]) and THE_END not in text[-_NEAR_THE_END:]:
        raise Unreadable("it ends in the middle: its last line is missing", text.count("\n") + 1)
    root = read_yaml(text)
    if not isinstance(root.value, dict):
        raise Unreadable("write `key: value` lines")
    state = _state(root, {"repository": repository}, written)
    nodes = root.pairs["findings"].node.items if "findings" in root.pairs else []
    entries = dict[str, Node]()
    for node, entry in zip(nodes, state.findings, strict=True):
        if entry.id in entries:
            raise Unreadable(f"another finding has the id {entry.id}, too", node.line + 1)
        entries[entry.id] = node
    return Sheet(state, _words(text, root, entries))


def render(sheet: Sheet) -> bytes:
    """The file, the same for the same sheet."""
    state, words = sheet.state, sheet.words
    known = [name for name in TriageState.model_fields if name != "findings"]
    values = _said(state, known) | words.own.get("", {})
    lines = [HEADER]
    for key, value in values.items():
        lines += _keyed(words, ("", key), value, 0)
    findings = "findings:" if state.findings else "findings: []"
    lines += _stray(words, "", values.keys() | {"findings"})
    lines += [*_comments(words, ("", "findings"), 0), *_with_remark(words, ("", "findings"), [findings])]
    for entry in state.findings:
        lines += ["", *entry_lines(entry, words)]
    return ("\n".join([*lines, "", *_comments(words, _END, 0), THE_END]) + "\n").encode()


def entry_lines(entry: Entry, words: Words) -> list[str]:
    """One finding, as an item of the list."""
    order = (*_FIRST, *(name for name in Entry.model_fields if name not in (*_FIRST, *_LAST)), *_LAST)
    values = _said(entry, order)
    lines = list[str]()
    values |= words.own.get(entry.id, {})
    for key, value in values.items():
        lines += _keyed(words, (entry.id, key), value, 2, lead=key != "id")
    first = [*_comments(words, (entry.id, ""), 0), *_comments(words, (entry.id, "id"), 0)]
    first += _stray(words, entry.id, values.keys())
    return [*(f"  {line}" for line in first), *writing.as_item(lines, 1)]


def _stray(words: Words, owner: str, written: AbstractSet[str]) -> list[str]:
    """Comments at keys that are not written any more."""
    gone = {key: None for of, key in (*words.above, *words.beside) if of == owner and key and key not in written}
    return [
        line for key in gone for line in (*_comments(words, (owner, key), 0), words.beside.get((owner, key))) if line
    ]


def _said(record: Record, order: Sequence[str]) -> dict[str, object]:
    """Its values without those that say nothing, save the ones people are to fill in."""
    values = record.model_dump()
    if isinstance(record, Entry):
        values["tried"] = [_said_of(one.model_dump()) for one in kept(record.tried)]
        values["note"] = values["note"] or None
    return {key: values[key] for key in order if key in ("note", "inboxes") or values[key] not in (None, "", [], ())}


def _said_of(tried: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in tried.items() if key != "excerpt" or value}


def _keyed(words: Words, at: Anchor, value: object, indent: int, lead: bool = True) -> list[str]:
    above = _comments(words, at, indent) if lead else []
    return [*above, *_with_remark(words, at, writing.pair(at[1], value, indent))]


def _comments(words: Words, at: Anchor, indent: int) -> list[str]:
    return [f"{'  ' * indent}{line}" for line in words.above.get(at, ())]


def _with_remark(words: Words, at: Anchor, lines: list[str]) -> list[str]:
    return [f"{lines[0]}  {words.beside[at]}", *lines[1:]] if at in words.beside else lines


def _state(root: Node, defaults: Mapping[str, object], written: datetime) -> TriageState:
    values = cast("dict[str, Any]", _filled(root.plain))
    findings = values.get("findings", [])
    if isinstance(findings, list):
        seen = str(values.get("seen_until", written.isoformat()))
        values["findings"] = [_completed(one, seen) for one in cast("list[object]", findings)]
    try:
        return cast("TriageState", _aware(TriageState.model_validate({**defaults, **values})))
    except OverflowError as error:
        raise Unreadable("a time in it is none that a calendar has") from error
    except ValidationError as error:
        detail = error.errors()[0]
        path = ".".join(str(step) for step in detail["loc"])
        raise Unreadable(f"{path}: {_in_words(detail)}", _line(root, detail["loc"])) from error


def _filled(value: object) -> object:
    """Without what is left empty, which then is what it is where it is not written."""
    if isinstance(value, dict):
        given = cast("dict[str, object]", value)
        return {key: _filled(inner) for key, inner in given.items() if inner is not None}
    return [_filled(inner) for inner in cast("list[object]", value)] if isinstance(value, list) else value


def _completed(given: object, seen: str) -> object:
    """A finding that a person has written: kind, subject and standing are enough."""
    if not isinstance(given, dict):
        return given
    values = cast("dict[str, object]", given)
    kind, subject = values.get("kind"), values.get("subject")
    known = {"id": "", "title": subject, "first_seen": seen, "last_seen": seen}
    if isinstance(subject, str) and kind in list(Kind):
        known["id"] = finding_id(Kind(str(kind)), subject)
    return known | values if subject else values


def _aware(value: object) -> object:
    """Times without a zone are UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    if isinstance(value, Record):
        return value.model_copy(update={name: _aware(inner) for name, inner in value})
    return tuple(_aware(one) for one in cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def _in_words(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "it is missing"
    if detail["loc"][-1] == "standing":
        return f"{str(detail['input'])[:40]!r} is none of {', '.join(Standing)}"
    return f"{detail['msg']}, not {str(detail['input'])[:40]!r}"


def _line(root: Node, path: Sequence[str | int]) -> int:
    node, line = root, root.line
    for step in path:
        if isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            line = node.line
        elif isinstance(step, str) and step in node.pairs:
            line, node = node.pairs[step].line, node.pairs[step].node
        else:
            break
    return line + 1


def _words(text: str, root: Node, entries: Mapping[str, Node]) -> Words:
    lines, words = text.splitlines(), Words()
    places = dict[int, Anchor]()
    for owner, node, known in [("", root, TriageState), *((of, node, Entry) for of, node in entries.items())]:
        strange = {key: pair.node.as_written for key, pair in node.pairs.items() if key not in known.model_fields}
        if strange:
            words.own[owner] = strange
        for key, pair in node.pairs.items():
            places.setdefault(pair.line, (owner, key))
            if remark := _remark(lines, pair.line, pair.end_column, pair.node):
                words.beside[owner, key] = remark
        if owner:
            places[node.line] = (owner, "")
    covered, order = set(_covered(root)), sorted(places)
    for number, line in enumerate(lines):
        said = line.strip()
        if number not in covered and said.startswith("#") and not said.startswith(_OURS):
            following = bisect_right(order, number)
            at = places[order[following]] if following < len(order) else _END
            words.above.setdefault(at, []).append(said)
    return words


def _remark(lines: Sequence[str], line: int, column: int, node: Node) -> str:
    """The comment behind a value, or behind the sign that a block begins."""
    if node.line == node.end_line == line:
        found = re.match(r"\s+(#.*)", lines[line][node.end_column :])
    else:
        found = re.match(r"\s*:(?:\s+[|>][-+0-9]*)?\s+(#.*)", lines[line][column:])
    return found[1].rstrip() if found else ""


def _covered(node: Node) -> Iterator[int]:
    """The lines inside texts of several lines, where nothing is a comment."""
    if isinstance(node.value, str):
        last = node.end_line + (1 if node.end_column else 0)
        yield from range(node.line + 1, last)
    for inner in (*node.items, *(pair.node for pair in node.pairs.values())):
        yield from _covered(inner)
