"""The sweep of stale work: what is old enough, what a card and its ticket that disagree come to, and what is said of
it. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import Field

from workflows.domain.events import phase_of, rests
from workflows.domain.gates import DAY, Seconds
from workflows.domain.intake import CardMove, CardSeen
from workflows.domain.loop import Round
from workflows.domain.model import Record
from workflows.domain.people import Trust
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.domain.words import counted

REMEMBERED = timedelta(days=30)
"""Tickets that ended longer ago are no reason any more to look at their repository and tracker."""
MOST_REMINDED, MOST_PUT_RIGHT = 50, 50
"""In one sweep; the longest waiting first. What is left is seen by the next one."""


class SweepOrder(Record):
    """The start argument of a Sweep."""

    name: str = "sweep"
    """The loop's."""
    remind_after: Seconds = 3 * DAY
    """How long a ticket waits for people, and since its last reminder, before it reminds them; 0: never."""
    keep_closed: Seconds = Field(default=14 * DAY, ge=DAY)
    """How long the branch of a pull request stays that was closed without a merge."""
    at: datetime | None = None
    """The scheduled moment; None: now."""
    run: str = ""


class Parked(Record):
    """A ticket that waits for a person."""

    ref: TicketRef
    identifier: str
    phase: Phase
    since: datetime
    """When it began to wait, or last reminded."""


class Place(Record):
    """A repository in which Pawl has worked lately, or may."""

    repository: str
    base_branch: str = ""
    in_use: tuple[str, ...] = ()
    """The branches of tickets that are under way."""
    silent: tuple[str, ...] = ()
    """Tickets under way there that do not say which branch is theirs: as long as there are any, none is removed."""


class EndedTicket(Record):
    """The last run of a ticket that is not under way."""

    run: str
    at: datetime
    how: str
    """`Completed`, or what Temporal did to it: `Terminated`, `Failed`."""
    shown: str
    """The phase that it wrote last."""


class Disagreement(Record):
    """A card and its ticket that say different things."""

    ref: TicketRef
    identifier: str
    to: str = ""
    """Where the card belongs; empty: it is the ticket that is to be told."""
    run: str = ""
    """Which run it is about: another one has nothing to do with it."""
    move: CardMove | None = None
    """What the ticket is told; None: that its card is gone."""
    why: str
    """A sentence for people."""


class SweepOutcome(Round):
    """The result of a Sweep."""

    at: datetime
    silent: bool = False
    """Nothing was done, and nothing failed of which people would be told."""
    reminded: tuple[str, ...] = ()
    """Tickets, by the names people use."""
    branches: tuple[str, ...] = ()
    sandboxes: int = 0
    cards: tuple[str, ...] = ()
    """Tickets whose card was moved to how they ended."""
    told: tuple[str, ...] = ()
    """Tickets that were told of their card."""
    kept: tuple[str, ...] = ()
    """Why branches that look dead are kept, at most 50 sentences."""


def settled(seen: CardSeen, ended: EndedTicket, routes: Sequence[Route]) -> Disagreement | None:
    """Where a card goes that says that Pawl is at work although its ticket has ended; None: it stays as it is.

    A card that stands where the ticket has put it was left there. In any other column it was left only where nothing
    has happened to it since: else a person has moved it, and it is theirs.
    """
    phase, shown = phase_of(seen.card.status), phase_of(ended.shown)
    if phase is None or rests(phase) or seen.card.closed:
        return None
    by_a_person = seen.moved and seen.by is not None and seen.by.trust is not Trust.OURS and seen.at > ended.at
    if by_a_person or (phase is not shown and seen.at > ended.at):
        return None
    card = seen.card
    if ended.how == "Completed":
        if shown is None or not shown.is_final:
            return None
        to = _rest(card, routes) if shown is Phase.CANCELLED else shown
        why = f"The ticket has ended ({shown}); the card stood in {card.status} because its last move failed."
    else:
        to = _rest(card, routes)
        why = (
            f"The ticket's workflow has ended without a word ({ended.how.lower()} in Temporal) while the card stood in "
            f"{card.status}. Nothing works on it any more; its branch and pull request, if any, are as they were. "
            "Start it again when it is wanted."
        )
    return Disagreement(ref=card.ref, identifier=card.identifier, to=to, run=ended.run, why=why)


def _rest(card: Ticket, routes: Sequence[Route]) -> Phase:
    """Todo, unless the card would ask for work there by itself."""
    there = card.model_copy(update={"status": Phase.TODO.value})
    asks = any(route.covers(there) and route.asks_for(there) for route in routes)
    return Phase.CANCELLED if asks else Phase.TODO


def untold(seen: CardSeen, shown: str) -> Disagreement | None:
    """What a ticket under way, which shows a phase, must be told of its card; None: nothing."""
    card = seen.card
    phase, now = phase_of(card.status), phase_of(shown)
    is_over = card.closed or (phase is not None and phase.is_final)
    if not is_over or phase is now or now is None or now.is_final or now is Phase.TODO:
        return None
    if seen.by is not None and seen.by.trust in (Trust.OURS, Trust.STRANGER):
        return None
    status = card.status if phase is not None and phase.is_final else Phase.TAKEN_OVER.value
    move = CardMove(
        id=f"{card.status}@{seen.id.rpartition('@')[2]}",  # as a look at the tracker names it
        status=status,
        at=seen.at,
        by=seen.by.shown if seen.by else "somebody",
        person=seen.by,
    )
    why = f"The card is closed (it stands in {card.status}), and the ticket went on as if it was not."
    return Disagreement(ref=card.ref, identifier=card.identifier, move=move, why=why)


def is_believable(gone: int, there: int) -> bool:
    """Whether cards that a tracker does not show are gone. Where it shows none, or far fewer than are missing, it is
    likelier that Pawl may not see them any more, or looks at the wrong place."""
    return there > 0 and gone <= max(3, there)


def says(outcome: SweepOutcome) -> str:
    """What came of it, as a sentence."""
    told = len(outcome.told)
    done = (
        (len(outcome.reminded), "gate", "reminded"),
        (len(outcome.branches), "branch", "removed"),
        (outcome.sandboxes, "sandbox", "removed"),
        (len(outcome.cards), "card", "put right"),
        (told, "ticket", "told of its card" if told == 1 else "told of their cards"),
    )
    said = ", ".join(f"{_counted(number, noun)} {what}" for number, noun, what in done if number)
    first = f"{said}." if said else "" if outcome.trouble else "Nothing was stale. Nobody was told anything."
    failed = f"Not all could be done: {outcome.trouble}" if outcome.trouble else ""
    return " ".join(part for part in (first, failed) if part)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}es" if noun.endswith(("ch", "x")) and number != 1 else counted(number, noun)
