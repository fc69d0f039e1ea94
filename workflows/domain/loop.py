"""Loops: work that a schedule starts over and over, what each run says, and when people hear of a failure."""

from datetime import datetime
from typing import Any

from pydantic import Field

from workflows.domain.fingerprint import fingerprint
from workflows.domain.model import Record


class LoopOrder(Record):
    """The start argument of a Loop: what the schedule has it do each time."""

    name: str = Field(min_length=1, max_length=200)
    """The schedule's id, and that of the one run of its work at a time: `triage:shop-3f2a`."""
    title: str = ""
    """What people read of it: `Triage of /srv/shop`."""
    flow: str
    """The type of the workflow that does the work: `Triage`, `Sweep`. It returns a Round, or more than that."""
    order: dict[str, Any] = Field(default_factory=dict)
    """That workflow's start argument. `at`, the scheduled moment, and `run`, a name for this round that survives a
    Reset, are added to it."""


class Round(Record):
    """What one run of a loop's work says at its end."""

    says: str
    """What came of it, as people read it: the warning first, where there is one."""
    trouble: str = ""
    """A step that failed for good, in words; what it was to do is taken up by the next round. Empty: none."""
    warning: str = ""
    """What those who keep Pawl running should know although nothing failed; empty: nothing."""
    gone: str = ""
    """Why there is nothing left to work on: the schedule is paused with these words. Empty: there is."""


class LoopOutcome(Record):
    """The result of a Loop, and what its next run knows of it."""

    at: datetime
    says: str
    trouble: str = ""
    """Of this round; or of the one that was under way."""
    told: bool = False
    """Whether people were told of the trouble."""


def is_news(trouble: str, last: LoopOutcome | None) -> bool:
    """Whether people have not heard of this trouble yet: the same one is told once for as long as it lasts."""
    if not trouble:
        return False
    return last is None or not last.told or fingerprint(last.trouble) != fingerprint(trouble)
