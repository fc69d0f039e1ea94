"""Human actions: what people may say to a ticket, and which of it is refused when."""

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import Field, ValidationError

from workflows.domain.model import Record
from workflows.domain.ticket import Phase


class Action(StrEnum):
    APPROVE = "approve"
    REQUEST_CHANGES = "request-changes"
    REJECT = "reject"
    ANSWER = "answer"
    STEER = "steer"
    PAUSE = "pause"
    RESUME = "resume"
    TOP_UP = "top-up"
    TAKE_OVER = "take-over"
    ABORT = "abort"


MOST_USD, MOST_TOKENS = 1_000_000, 10**12
"""More than this in one top-up is a slip of the hand."""


class Decision(Record):
    """The one argument of every human action. All fields have defaults, so an empty box in the UI is valid."""

    note: str = ""
    """Words: feedback, the answer, the steering, the reason. At most `MOST_WORDS` characters are taken."""
    by: str = Field(default="", max_length=200)
    """Who decided, as they name themselves."""
    of: str = Field(default="", max_length=64)
    """The hash that was seen: the plan's at the plan gate, the commit's at the push and merge gates, the question's
    where one is asked, or its beginning. Empty: today's."""
    usd: Decimal | None = Field(default=None, gt=0, le=MOST_USD)
    """For top-up: by how many dollars the ceiling rises."""
    tokens: int | None = Field(default=None, gt=0, le=MOST_TOKENS)
    """For top-up: by how many tokens the ceiling rises, where one is in force."""
    id: str = Field(default="", max_length=64)
    """Makes a repeated steering the same one."""
    who: str = ""
    """Whom a connected service vouches for, as `Person.key`; empty: somebody with access to Temporal."""
    via: str = ""
    """By which way it came: the name of a connection; empty: Temporal itself."""
    email: str = ""
    """The address that service gives for them."""


class DecisionRecord(Record):
    """One decision as it is kept: who, where, when, on what."""

    action: Action
    phase: Phase
    """Where the ticket was."""
    subject: str = ""
    """The hash that waited for it."""
    who: str = ""
    """`Decision.who`: nobody can choose it."""
    name: str = ""
    """As they name themselves, or as the service shows them. Untrusted."""
    via: str = ""
    at: datetime
    note: str = ""
    """Its beginning."""


RECORDED = frozenset(
    {
        Action.APPROVE,
        Action.REQUEST_CHANGES,
        Action.REJECT,
        Action.ANSWER,
        Action.TOP_UP,
        Action.TAKE_OVER,
        Action.ABORT,
    }
)
"""What is a decision; pausing and steering are not."""


def understood(action: Action, said: object) -> Decision | str:
    """What a person sent, as a Decision; or, where it is none, words for that person.

    People may send nothing, a text, the fields of a Decision, and a bare number where dollars are asked for.
    """
    match said:
        case Decision():
            return said
        case None:
            return Decision()
        case str():
            return Decision(note=said)
        case bool():
            pass
        case int() | float() if action is Action.TOP_UP and 0 < said < MOST_USD:
            return Decision(usd=Decimal(str(said)))
        case dict():
            try:
                return Decision.model_validate(said)
            except ValidationError as error:
                wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
                return f"Not understood: {wrong}."
        case _:
            pass
    return f"Not understood: {action} takes nothing, a text, or an object with the fields of a decision."


class Desk(Record):
    """What the rules below need to know of a ticket at the moment somebody acts."""

    phase: Phase
    subject: str = ""
    """The hash of what waits for a decision."""
    paused: bool = False
    decided: Action | None = None
    """What was decided at the gate already; it is being carried out."""
    ending: bool = False
    """The ticket is on its way out: what has begun is being undone or kept."""
    counts_dollars: bool = True
    counts_tokens: bool = True
    """Whether a ceiling of this kind is in force, or may be: until the policy is read nobody knows."""


GATES = (Phase.PLAN_GATE, Phase.PUSH_GATE, Phase.MERGE_GATE)
"""Where a person approves a hash."""
NEEDS_PHASE: dict[Action, tuple[Phase, ...]] = {
    Action.APPROVE: GATES,
    Action.REQUEST_CHANGES: GATES,
    Action.REJECT: GATES,
    Action.ANSWER: (Phase.QUESTION,),
}
MOST_WORDS = 10_000
"""Of a note, in characters. A rule and not the record's: what a record refuses reaches nobody as a signal."""

_BEGINNING = re.compile(r"[0-9a-f]{7,}")
"""Of a hash, enough to name it: what git shows of a commit at least."""
_SHOWN = 12

_NEEDS_NOTE = frozenset({Action.REQUEST_CHANGES, Action.ANSWER, Action.STEER})


def short(subject: str) -> str:
    """What waits for approval as people read and type it."""
    return subject[:_SHOWN]


def misnamed(of: str, subject: str = "") -> str | None:
    """Why `of` names no hash that somebody saw, in words; None when it does. The whole subject is a name as well."""
    if not of or of == subject or _BEGINNING.fullmatch(of):
        return None
    return f"{of!r} does not name what you saw: give at least the first 7 digits of its hash, 0-9 and a-f."


def refusal(action: Action, decision: Decision, desk: Desk) -> str | None:
    """Why the action cannot be taken now, in words for the person who tried; None when it can."""
    if desk.phase.is_final:
        return f"This ticket has ended ({desk.phase}); nothing can be changed any more."
    if desk.ending:
        return f"{action} comes too late: this ticket is ending."
    wanted = NEEDS_PHASE.get(action)
    if wanted is not None and desk.phase not in wanted:
        places = " or ".join(str(phase) for phase in wanted)
        return f"Nothing to {action} now: the ticket is in {desk.phase}, not in {places}."
    if wanted is not None and desk.decided is not None:
        return f"{action} comes too late: {desk.decided} was taken already and is being carried out."
    if len(decision.note) > MOST_WORDS:
        return f"A note may have {MOST_WORDS:,} characters; this one has {len(decision.note):,}."
    if action in _NEEDS_NOTE and not decision.note.strip():
        return f"Say it in words: {action} needs a note."
    if wanted is not None and (words := misnamed(decision.of, desk.subject)):
        return words
    if wanted is not None and not desk.subject.startswith(decision.of):
        seen, waiting = short(decision.of), short(desk.subject)
        return f"Stale: you saw {seen}, but {waiting} is waiting. Read it and {action} again."
    if action is Action.TOP_UP and decision.usd is None and decision.tokens is None:
        return 'Say by how much: top-up needs dollars, as {"usd": 5}, or tokens, as {"tokens": 100000}.'
    if action is Action.TOP_UP and decision.usd is None and not desk.counts_tokens:
        return "Tokens would change nothing: this ticket has no ceiling in tokens."
    if action is Action.TOP_UP and decision.tokens is None and not desk.counts_dollars:
        return "Dollars would change nothing: this ticket has no ceiling in dollars."
    if action is Action.PAUSE and desk.paused:
        return "The ticket is paused already."
    if action is Action.RESUME and not desk.paused and desk.phase is not Phase.BLOCKED:
        return f"Nothing to resume: the ticket is in {desk.phase} and not paused."
    return None
