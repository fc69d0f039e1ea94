"""The goes at a finding, the newest last: which of them are kept, and what they show together."""

from collections.abc import Sequence
from itertools import dropwhile

from workflows.domain.triage import Tried, Verdict

MOST_KEPT = 10


def kept(goes: Sequence[Tried]) -> tuple[Tried, ...]:
    """The newest ones, and the first that showed what the last one does: what a report says of it stays the same on
    every night."""
    newest = tuple(goes[-MOST_KEPT:])
    first = first_alike(goes)
    return newest if first is None or first in newest else (first, *newest[1:])


def last_telling(goes: Sequence[Tried]) -> Tried | None:
    """The last one in which it failed."""
    return next(iter(_telling(goes)), None)


def first_alike(goes: Sequence[Tried]) -> Tried | None:
    """The first of the last ones in a row that failed alike. That a flaky test fails more or less often is no news."""
    first = None
    for go in _telling(goes):
        if first and go.verdict is not first.verdict:
            break
        first = go
    return first


def _telling(goes: Sequence[Tried]) -> list[Tried]:
    """From the last one in which it failed, the newest first: what fails now and then shows nothing where it happens to
    pass, nor does a go that says nothing."""
    said = (go for go in reversed(goes) if go.verdict is not Verdict.UNPROVEN)
    return list(dropwhile(lambda go: go.verdict is Verdict.REFUTED, said))
