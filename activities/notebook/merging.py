"""What a night has learned, put into what the file says now."""

from collections.abc import Iterable, Sequence

from pydantic import Field

from workflows.domain.model import Record
from workflows.domain.triage import Entry, Standing, TriageState, Tried
from workflows.domain.triage_goes import kept
from workflows.ports.notebook import KeepNotebook

_HOW_FAR = ("seen_until", "base", "saw")
"""Where the next night begins to look."""


class Meant(Record):
    """What people have written since the notebook was opened: it holds for the whole night, however often Pawl keeps
    its notes and whatever it had in mind meanwhile."""

    standing: tuple[str, ...] = ()
    """Findings that somebody has put where they stand."""
    deleted: dict[str, int] = Field(default_factory=dict[str, int])
    """Findings that somebody has deleted, with how often they had come up."""
    had_file: bool = False
    """Whether there was a file when it was opened."""
    begins_anew: bool = False
    """Somebody has deleted the whole file: the next night looks at everything."""


def meant(
    state: TriageState, keep: KeepNotebook, before: Meant, *, has_file: bool = True, is_lost: bool = False
) -> Meant:
    """What people have written, seen in the file as it is now. `is_lost`: the file was gone for reasons of its own, so
    nobody has deleted anything from it."""
    seen, entries = _by_id(keep.seen), _by_id(state.findings)
    standing, deleted = dict.fromkeys(before.standing), dict(before.deleted)
    for entry in keep.entries:
        now, then = entries.get(entry.id), seen.get(entry.id)
        if now is None and then is not None and not is_lost:
            deleted[entry.id] = then.times
        elif now is not None and now.standing not in (entry.standing, then.standing if then else entry.standing):
            standing[entry.id] = None
    anew = before.begins_anew or (before.had_file and not has_file and not is_lost)
    return Meant(standing=tuple(standing), deleted=deleted, had_file=before.had_file, begins_anew=anew)


def merged(state: TriageState, keep: KeepNotebook, people: Meant) -> TriageState:
    seen, entries = _by_id(keep.seen), _by_id(state.findings)
    for entry in keep.entries:
        now = entries.get(entry.id)
        if now is not None:
            then = seen.get(entry.id)
            is_put = entry.id in people.standing
            entries[entry.id] = _merged(now, then, entry, is_put) if then else _written_too(now, entry)
        elif entry.times > people.deleted.get(entry.id, 0):
            entries[entry.id] = entry
    cursor = {name: getattr(keep, name) for name in TriageState.model_fields if name != "findings"}
    stays = _HOW_FAR if people.begins_anew else ()
    said = {name: value for name, value in cursor.items() if value not in (None, "") and name not in stays}
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
    """What the night has not changed, or not carried, is as the file has it."""
    peoples = {"note", "standing"} if is_put else {"note"}
    stays = {
        name: getattr(now, name)
        for name in Entry.model_fields
        if name in peoples or getattr(new, name) == getattr(then, name)
    }
    detail = now.detail if new.detail in ("", then.detail) else new.detail
    return new.model_copy(update={**stays, "detail": detail, "tried": _goes(now, new, then.tried)})


def _written_too(now: Entry, new: Entry) -> Entry:
    """What the night has found while a person wrote it: all that they gave holds. So does what stood in the file, and
    was too much to be carried by the night."""
    given = {"note", "standing", *(("title",) if now.title != now.subject else ())}
    given |= {name for name in ("detail", "ticket", "identifier", "url", "elsewhere") if getattr(now, name)}
    stays = {name: getattr(now, name) for name in given}
    both = {"times": max(now.times, new.times), "first_seen": min(now.first_seen, new.first_seen)}
    return new.model_copy(update={**stays, **both, "tried": _goes(now, new)})


def _goes(now: Entry, new: Entry, then: Sequence[Tried] = ()) -> tuple[Tried, ...]:
    """Those of the file with all that they printed, and behind them what the night has made."""
    known = {(go.at, go.base) for go in (*now.tried, *then)}
    return kept((*now.tried, *(go for go in new.tried if (go.at, go.base) not in known)))


def _by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.id: entry for entry in entries}
