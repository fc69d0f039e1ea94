"""Nothing is raised twice: findings are held against the state file, against open tickets, and against each other."""

import re
from collections.abc import Sequence
from datetime import datetime

from workflows.domain.model import Record
from workflows.domain.ticket import Ticket
from workflows.domain.triage import Entry, Standing, TriageFinding, TriageState, finding_id, name_of
from workflows.domain.triage_look import is_ours

_SHORTEST = 6
"""Characters of a subject that may be looked for in the text of tickets: shorter ones stand in any text."""


class SortedOut(Record):
    """A triager's findings, as the night goes on with them."""

    fresh: tuple[Entry, ...] = ()
    """New ones, those that came back after they were fixed, and those that were refuted on another commit: to be
    shown to be true. In the triager's order."""
    again: tuple[Entry, ...] = ()
    """Known ones: seen once more, and not raised."""
    elsewhere: tuple[Entry, ...] = ()
    """Other people's open tickets hold them: kept as reported there, and not raised."""

    @property
    def known(self) -> int:
        return len(self.again) + len(self.elsewhere)


def sort_out(
    findings: Sequence[TriageFinding],
    state: TriageState,
    open_tickets: Sequence[Ticket],
    base: str,
    at: datetime,
    *,
    complete: bool = True,
) -> SortedOut:
    """What of a night's findings is new. `base` is the commit that is looked at; `complete`: whether no other ticket is
    open."""
    entries = {entry.id: entry for entry in state.findings}
    others = [ticket for ticket in open_tickets if not is_ours(ticket, state)]
    fresh, again, elsewhere = dict[str, Entry](), dict[str, Entry](), dict[str, Entry]()
    for finding in findings:
        name = finding_id(finding.kind, finding.subject)
        known = entries.get(name) or _meant(finding.duplicate_of, state)
        if known and _is_settled(known, base) and not (complete and _was_let_go(known, others)):
            again[known.id] = known.model_copy(update={"last_seen": at})
        elif name in fresh or name in elsewhere:
            continue
        elif (name not in entries or entries[name].elsewhere) and (ticket := _held_by(finding, others)):
            elsewhere[name] = _entry(finding, at, entries.get(name)).model_copy(
                update={
                    "standing": Standing.REPORTED,
                    "elsewhere": True,
                    "ticket": ticket.ref,
                    "identifier": ticket.identifier,
                    "url": ticket.url,
                }
            )
        else:
            fresh[name] = _entry(finding, at, entries.get(name))
    return SortedOut(
        fresh=tuple(fresh.values()),
        again=tuple(entry for entry in again.values() if entry.id not in fresh),
        elsewhere=tuple(elsewhere.values()),
    )


def _is_settled(entry: Entry, base: str) -> bool:
    """Whether people know of it, do not want to, or it was shown to be wrong on this very commit."""
    if entry.standing is Standing.REFUTED:
        return bool(entry.tried) and entry.tried[-1].base == base
    return entry.standing is not Standing.FIXED


def _was_let_go(entry: Entry, others: Sequence[Ticket]) -> bool:
    """Whether somebody else's ticket held it, and is open no more: a stranger's issue hides nothing for good."""
    return (
        entry.elsewhere and entry.standing is Standing.REPORTED and all(ticket.ref != entry.ticket for ticket in others)
    )


def _entry(finding: TriageFinding, at: datetime, before: Entry | None = None) -> Entry:
    came_back = before is not None and before.standing is Standing.FIXED
    return Entry(
        id=finding_id(finding.kind, finding.subject),
        kind=finding.kind,
        subject=finding.subject,
        title=finding.title,
        detail=finding.detail,
        command=finding.command,
        standing=Standing.WAITING,
        first_seen=before.first_seen if before else at,
        last_seen=at,
        times=before.times + came_back if before else 1,
        tried=before.tried if before else (),
        note=before.note if before else "",
    )


def _meant(name: str, state: TriageState) -> Entry | None:
    """The finding that a triager calls the same. It is believed only where people know of that one, or do not want to:
    what was fixed or refuted hides nothing."""
    if not (wanted := _plain(name)):
        return None
    return next(
        (
            entry
            for entry in state.findings
            if wanted in (_plain(entry.id), _plain(entry.identifier) if entry.standing.has_ticket else "")
            and (entry.standing.is_open or entry.standing is Standing.IGNORED)
        ),
        None,
    )


def _held_by(finding: TriageFinding, others: Sequence[Ticket]) -> Ticket | None:
    """Somebody's open ticket that is about the same: by the triager's word, or because it holds the very name."""
    wanted = _plain(finding.duplicate_of)
    named = (ticket for ticket in others if wanted and wanted in (_plain(ticket.identifier), _plain(ticket.ref.id)))
    return next(named, None) or next((ticket for ticket in others if _holds(ticket, finding.subject)), None)


def _holds(ticket: Ticket, subject: str) -> bool:
    name = name_of(subject)
    if len(name) < _SHORTEST or not re.search(r"[^\W\d_]", name):
        return False
    return (
        re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/])", f"{ticket.title}\n{ticket.body}", re.IGNORECASE) is not None
    )


def _plain(name: str) -> str:
    return name.strip().lstrip("#").strip("`'\" ").casefold()
