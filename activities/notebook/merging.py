"""What a night has learned, put into what the file says now."""

from collections.abc import Iterable, Sequence

from pydantic import Field

from workflows.domain.model import Record
from workflows.domain.triage import Entry, Standing, TriageState
from workflows.ports.notebook import KeepNotebook


class Meant(Record):
    """What people have written since the notebook was opened: it holds for the whole night, however often Pawl keeps
    its notes and whatever it had in mind meanwhile."""

    standing: tuple[str, ...] = ()
    """Findings that somebody has put where they stand."""
    deleted: dict[str, int] = Field(default_factory=dict[str, int])
    """Findings that somebody has deleted, with how often they had come up."""


def meant(state: TriageState, keep: KeepNotebook, before: Meant, is_lost: bool = False) -> Meant:
    """What people have written, seen in the file as it is now. `is_lost`: the file was gone for reasons of its own, so
    nobody has deleted anything from it."""
    seen, entries = _by_id(keep.seen), _by_id(state.findings)
    standing, deleted = dict.fromkeys(before.standing), dict(before.deleted)
    for entry in keep.entries:
        now, then = entries.get(entry.id), seen.get(entry.id)
        if now is None and then is not None and not is_lost:
            deleted[entry.id] = then.times
        elif now is not None and then is not None and now.standing not in (then.standing, entry.standing):
            standing[entry.id] = None
    return Meant(standing=tuple(standing), deleted=deleted)


def merged(state: TriageState, keep: KeepNotebook, people: Meant) -> TriageState:
    seen, entries = _by_id(keep.seen), _by_id(state.findings)
    for entry in keep.entries:
        now = entries.get(entry.id)
        if now is not None:
            entries[entry.id] = _merged(now, seen.get(entry.id, now), entry, entry.id in people.standing)
        elif entry.times > people.deleted.get(entry.id, 0):
            entries[entry.id] = entry
    cursor = {name: getattr(keep, name) for name in TriageState.model_fields if name != "findings"}
    said = {name: value for name, value in cursor.items() if value not in (None, "")}
    return state.model_copy(update={**said, "findings": ordered(entries.values())})


def ordered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The open ones first, then the ignored ones; in each sort the newest first. No night moves an entry that stands
    as it stood."""
    return tuple(sorted(entries, key=lambda entry: (_rank(entry), -entry.first_seen.timestamp(), entry.id)))


def parted(entries: Sequence[Entry], most: int) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """What stays in the file, and what goes to the archive: of what is over and done with, `most` stay."""
    over = sorted((one for one in entries if _rank(one) == 2), key=lambda one: (one.last_seen, one.id), reverse=True)
    gone = {one.id for one in over[most:]}
    return tuple(one for one in entries if one.id not in gone), tuple(one for one in entries if one.id in gone)


def _rank(entry: Entry) -> int:
    return 0 if entry.standing.is_open else 1 if entry.standing is Standing.IGNORED else 2


def _merged(now: Entry, then: Entry, new: Entry, is_put: bool) -> Entry:
    """What the night has not changed is as the file has it."""
    peoples = {"note", "standing"} if is_put else {"note"}
    kept = {
        name: getattr(now, name)
        for name in Entry.model_fields
        if name in peoples or getattr(new, name) == getattr(then, name)
    }
    return new.model_copy(update=kept)


def _by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.id: entry for entry in entries}
