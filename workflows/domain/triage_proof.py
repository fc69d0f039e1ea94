"""What running a finding's command shows, and what becomes of the finding then."""

import re
from collections.abc import Iterable
from itertools import takewhile

from workflows.domain.triage import Entry, Kind, Standing, Tried, Verdict, is_test_id, name_of
from workflows.domain.triage_goes import kept

MOST_TRIED = 20
"""New findings whose commands are run in one night, and as many old ones. The others wait for the next night."""
_NAMED = (Kind.FAILING_TEST, Kind.FLAKY_TEST, Kind.LINT, Kind.DEPENDENCY)
"""Their subjects are names that every tool prints. Of a build, or an issue by its number, that cannot be asked."""


def verdict(runs: int, failed: int) -> Verdict:
    """Of runs that say something at all. That no run failed proves it wrong only for now, on this commit."""
    if runs <= 0:
        return Verdict.UNPROVEN
    if failed <= 0:
        return Verdict.REFUTED
    return Verdict.CONFIRMED if failed >= runs else Verdict.FLAKY


def must_name(entry: Entry) -> str:
    """What a failing run has to name to count: the last part of the subject, `test_b` of `tests/a.py::test_b[1]`. A
    command that fails for another reason proves nothing."""
    if entry.kind not in _NAMED and not is_test_id(entry.subject):
        return ""
    whole = name_of(entry.subject)
    plain = re.sub(r"\[.*\]$", "", whole)
    parts = [part for part in re.split(r"::|[/:\s]", plain) if part]
    return parts[-1] if parts else whole


def shown(entry: Entry, tried: Tried) -> Entry:
    """A new finding after its command was run: it waits to be told, or was wrong."""
    refuted = tried.verdict is Verdict.REFUTED
    return entry.model_copy(
        update={
            "tried": kept((*entry.tried, tried)),
            "kind": _kind(entry.kind, tried.verdict),
            "standing": Standing.REFUTED if refuted else Standing.WAITING,
        }
    )


def shown_again(entry: Entry, tried: Tried) -> Entry:
    """A known finding after its command was run on a newer commit. Runs that say nothing change nothing. What last
    failed now and then passes by luck, too: it is fixed only when two goes in a row passed, on different commits."""
    if tried.verdict is Verdict.UNPROVEN:
        return entry
    goes = (*entry.tried, tried)
    return entry.model_copy(
        update={
            "tried": kept(goes),
            "kind": _kind(entry.kind, tried.verdict),
            "standing": Standing.FIXED if _is_over(goes) else entry.standing,
        }
    )


def to_try_again(entries: Iterable[Entry], base: str) -> tuple[Entry, ...]:
    """Open findings whose command was last run on another commit, the longest ago first."""
    due = [entry for entry in entries if entry.standing.is_open and entry.command and _is_old(entry, base)]
    return tuple(sorted(due, key=lambda entry: (entry.tried[-1].at, entry.id))[:MOST_TRIED])


def is_unshown(entry: Entry) -> bool:
    """Whether it waits for its command to be run: a new finding, or one that has come back since that passed."""
    waits = entry.standing is Standing.WAITING and bool(entry.command)
    return waits and (not entry.tried or _is_over(entry.tried))


def is_proven(entry: Entry) -> bool:
    """Whether its command was last seen to fail every time."""
    return bool(entry.command and entry.tried) and entry.tried[-1].verdict is Verdict.CONFIRMED


def _is_over(goes: tuple[Tried, ...]) -> bool:
    """Whether the last goes have passed, so often that it is no luck."""
    said = [tried for tried in reversed(goes) if tried.verdict is not Verdict.UNPROVEN]
    passed = list(takewhile(lambda tried: tried.verdict is Verdict.REFUTED, said))
    was_flaky = any(tried.verdict is Verdict.FLAKY for tried in said[len(passed) : len(passed) + 1])
    return len({tried.base for tried in passed}) >= (2 if was_flaky else 1)


def _is_old(entry: Entry, base: str) -> bool:
    """One that was never run is new, or nobody could run it."""
    return bool(entry.tried) and entry.tried[-1].base != base


def _kind(kind: Kind, verdict: Verdict) -> Kind:
    """Whether a test is flaky is told by its runs, not by a model."""
    if kind not in (Kind.FAILING_TEST, Kind.FLAKY_TEST):
        return kind
    return {Verdict.CONFIRMED: Kind.FAILING_TEST, Verdict.FLAKY: Kind.FLAKY_TEST}.get(verdict, kind)
