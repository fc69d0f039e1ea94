"""Gates with time: who may decide where, and what happens while nobody does; in WORKFLOW.md under `gates`."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from workflows.domain.decision import NEEDS_PHASE, Action, Decision
from workflows.domain.model import Record
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Phase

HOUR, DAY = 3_600, 86_400
_UNITS = {"m": 60, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"([0-9]{1,4}) ?([mhdw])")
_MOST = 366 * DAY
HOW_TO_WRITE_TIME = "Write a time such as 30m, 4h or 2d, a year at most, or never"
_NAME = re.compile(r"[a-z0-9_-]+:\S+")
MOST_NAMED = 50


def seconds_of(written: str) -> int:
    """`4h` in seconds, `never` as 0. Raises ValueError, in words."""
    if written.strip().lower() == "never":
        return 0
    found = _DURATION.fullmatch(written.strip().lower())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _MOST:
        raise ValueError(f"{written[:40]!r} is no time here. {HOW_TO_WRITE_TIME}")
    return seconds


def spelled(seconds: int) -> str:
    """`3 days`, `90 minutes`: the largest unit that says it exactly."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            number = seconds // unit
            return f"{number} {name}{'' if number == 1 else 's'}"
    raise AssertionError("a whole number of seconds")


def in_words(waited: timedelta) -> int:
    """A time so short of its last part that it reads well with `spelled`, in seconds: whole days, hours or minutes."""
    seconds = int(waited.total_seconds())
    unit = next((unit for unit in (DAY, HOUR, 60) if seconds >= unit), 1)
    return max(1, seconds // unit * unit)


def require_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, if each says where its person is known. Raises ValueError, in words."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} names nobody: write place:name, such as linear:ada@acme.com or github:ada")
    return names


def _seconds(given: object) -> object:
    return seconds_of(given) if isinstance(given, str) else given


Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=0)]
"""A time as people write it, stored in seconds; 0: never."""
Names = Annotated[tuple[str, ...], Field(max_length=MOST_NAMED)]


class GateTerms(Record):
    """What a policy says of one gate. None: what its `default` says, and where that is silent, what `GateRules` has."""

    who: Names | None = None
    operators: bool | None = None
    remind_after: Seconds | None = None
    second: Names | None = None
    second_after: Seconds | None = None
    escalate_after: Seconds | None = None
    expire_after: Seconds | None = None


class GateRules(Record):
    """What is in force at one gate. Times count from its opening, in seconds; 0: never."""

    who: tuple[str, ...] = ()
    """Who may decide, as `Person.is_named` reads it; empty: everybody trusted."""
    operators: bool = True
    """Whether whoever works in Temporal itself, by its UI or the command line, may decide without being named."""
    remind_after: int = DAY
    second: tuple[str, ...] = ()
    """Who is asked as well, and may decide as well."""
    second_after: int = 2 * DAY
    escalate_after: int = 3 * DAY
    expire_after: int = 0


class Gates(Record):
    """The policy's gates. A question and Blocked go by `default`."""

    default: GateTerms = GateTerms()
    plan: GateTerms = GateTerms()
    push: GateTerms = GateTerms()
    merge: GateTerms = GateTerms()
    budget: GateTerms = GateTerms()

    def at(self, phase: Phase) -> GateRules:
        """The rules of a phase that waits for people."""
        own = _terms(self.default) | _terms(getattr(self, _KEYS.get(phase, "default")))
        return GateRules.model_validate(own)


_KEYS = {
    Phase.PLAN_GATE: "plan",
    Phase.PUSH_GATE: "push",
    Phase.MERGE_GATE: "merge",
    Phase.BUDGET_GATE: "budget",
}


def _terms(terms: GateTerms) -> dict[str, object]:
    return terms.model_dump(exclude_none=True)


class Due(StrEnum):
    """What happens while nobody decides, each once."""

    REMIND = "remind"
    SECOND = "second"
    ESCALATE = "escalate"
    EXPIRE = "expire"


def agenda(rules: GateRules) -> tuple[tuple[int, Due], ...]:
    """What is due after how many seconds, the first first. Nothing comes after the expiry, and what would come with it
    is left out."""
    times = (
        (rules.remind_after, Due.REMIND),
        (rules.second_after if rules.second else 0, Due.SECOND),
        (rules.escalate_after, Due.ESCALATE),
        (rules.expire_after, Due.EXPIRE),
    )
    last = rules.expire_after or _MOST + 1
    kept = [(after, due) for after, due in times if after and (after < last or due is Due.EXPIRE)]
    return tuple(sorted(kept, key=lambda step: step[0]))


CLOCKS_DIFFER = timedelta(seconds=5)
"""By so much another service's clock, and its rounding, may be behind Temporal's. Nobody reads a plan in less."""


def overtaken(action: Action, decision: Decision, at: datetime | None, opened: datetime) -> str | None:
    """Why what was said at `at` does not count for what waits since `opened`, in words; None when it does. It may have
    been on its way for long, and meant for what waited before. A hash says better what was meant."""
    if at is None or decision.of or action not in NEEDS_PHASE or at >= opened - CLOCKS_DIFFER:
        return None
    return f"Stale: it was said before what waits now was there. Read that, and {action} again."


DECIDED_AT: dict[Action, Phase | None] = {
    Action.APPROVE: None,
    Action.REQUEST_CHANGES: None,
    Action.REJECT: None,
    Action.TOP_UP: Phase.BUDGET_GATE,
}
"""The actions that not everybody may take, and whose rules they obey: those of the phase they are said in, or always
the budget's. The others stay open to everybody trusted: who may not approve may still answer, steer and stop."""


def rules_for(action: Action, phase: Phase, gates: Gates) -> GateRules | None:
    """What says who may take the action now; None when everybody trusted may."""
    return gates.at(DECIDED_AT[action] or phase) if action in DECIDED_AT else None


def barred(action: Action, person: Person | None, rules: GateRules | None) -> str | None:
    """Why this person may not take the action, in words that say who may; None when they may. No person: whoever
    works in Temporal itself."""
    if person is not None and person.trust is not Trust.MEMBER:
        return "Pawl takes instructions from members only: of the workspace, or with write access to the repository."
    if rules is None:
        return None
    if person is None:
        return None if rules.operators else f"Here {who_may(action, rules)}; not whoever works in Temporal alone."
    if not rules.who or any(person.is_named(name) for name in (*rules.who, *rules.second)):
        return None
    handle = f" ({person.handle})" if person.handle else ""
    known = f"you are {person.key}{handle}" if person.id else "who you are is not known here"
    return f"Here {who_may(action, rules)}; {known}. WORKFLOW.md says so, under pawl: gates:."


def who_may(action: Action, rules: GateRules) -> str:
    """`only linear:ada@acme.com may approve`."""
    named = [*rules.who, *rules.second] if rules.who else ["members whom a connected service vouches for"]
    operators = ["whoever works in Temporal itself (`pawl`, its UI)"] if rules.operators else []
    return f"only {' and '.join((*named, *operators))} may {action}"
