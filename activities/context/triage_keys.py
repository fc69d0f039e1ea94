"""What WORKFLOW.md says under `pawl: triage:`, as people write it."""

from collections.abc import Iterator
from typing import cast

from workflows.domain.gates import HOW_TO_WRITE_TIME
from workflows.domain.triage import Kind, Level

_LEVELS = {word: level.value for level in Level for word in (level.name.lower(), str(level.value))}
_HOW_TO_WRITE_LEVELS = ", ".join(f"{level.name.lower()} ({level.value})" for level in Level)
_KINDS = frozenset(kind.value for kind in Kind)

Told = tuple[tuple[str | int, ...], str]
"""A key below `triage`, and what is wrong with it."""


def as_stored(triage: dict[str, object]) -> dict[str, object]:
    """Levels as numbers and kinds as the record spells them, without the keys that `slips` has told of."""
    wrong = {path[0] for path, _ in slips(triage)}
    return {key: _stored(key, value) for key, value in triage.items() if key not in wrong}


def slips(triage: dict[str, object]) -> Iterator[Told]:
    """What people must write otherwise, in better words than the record's."""
    if "level" in triage and _stored("level", triage["level"]) not in _LEVELS.values():
        yield ("level",), f"{str(triage['level'])[:40]!r} is no level. Write {_HOW_TO_WRITE_LEVELS}."
    if not isinstance(triage.get("stale_after", ""), str):  # a bare number would be taken for seconds
        yield ("stale_after",), f"{HOW_TO_WRITE_TIME}."
    kinds = triage.get("low_risk")
    for number, kind in enumerate(cast("list[object]", kinds) if isinstance(kinds, list) else []):
        if _spelled(kind) not in _KINDS:
            yield ("low_risk", number), f"{str(kind)[:40]!r} is no kind of finding. Write some of {', '.join(Kind)}."


def _stored(key: str, value: object) -> object:
    if key == "level" and isinstance(value, str | bool):
        return _LEVELS.get(str(value).strip().lower(), value if isinstance(value, str) else None)
    if key == "low_risk" and isinstance(value, list):
        return [_spelled(kind) for kind in cast("list[object]", value)]
    return value


def _spelled(kind: object) -> str:
    return str(kind).strip().lower().replace("-", " ").replace("_", " ")
