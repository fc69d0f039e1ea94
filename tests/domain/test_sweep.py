"""What a sweep makes of cards and tickets that disagree, and what it says."""

from datetime import UTC, datetime, timedelta

import pytest

from workflows.domain.intake import CardSeen
from workflows.domain.people import Person, Trust
from workflows.domain.routes import Route
from workflows.domain.sweep import EndedTicket, SweepOutcome, is_believable, says, settled, untold
from workflows.domain.ticket import Ticket, TicketRef

ENDED = datetime(2026, 3, 2, 12, tzinfo=UTC)
BEFORE, AFTER = ENDED - timedelta(minutes=5), ENDED + timedelta(minutes=5)
ADA = Person(place="linear", id="u1", name="Ada", trust=Trust.MEMBER)
PAWL = Person(place="linear", id="u2", name="Pawl", trust=Trust.OURS)
EVE = Person(place="linear", id="u3", name="Eve", trust=Trust.STRANGER)


def seen(
    status: str, at: datetime = BEFORE, *, closed: bool = False, by: Person | None = None, moved: bool = False
) -> CardSeen:
    ref = TicketRef(tracker="linear", id="1")
    card = Ticket(ref=ref, identifier="ENG-1", title="Mend it", status=status, team="ENG", closed=closed)
    return CardSeen(id=f"card@{at:%H:%M}", card=card, at=at, by=by, moved=moved)


def ended(how: str, shown: str) -> EndedTicket:
    return EndedTicket(run="r1", at=ENDED, how=how, shown=shown)


ASKS_IN_TODO = (Route(tracker="linear", state="Todo", repository="/srv/shop"),)
ASKS_BY_LABEL = (Route(tracker="linear", label="pawl", repository="/srv/shop"),)


@pytest.mark.parametrize(
    ("card", "run", "routes", "to"),
    [
        (seen("Building"), ended("Terminated", "Building"), (), "Todo"),
        (seen("building", AFTER), ended("Terminated", "Building"), (), "Todo"),
        (seen("Building"), ended("Failed", "Building"), ASKS_BY_LABEL, "Todo"),
        (seen("Building"), ended("Terminated", "Building"), ASKS_IN_TODO, "Cancelled"),
        (seen("Merge gate"), ended("Completed", "Done"), (), "Done"),
        (seen("Building"), ended("Completed", "Cancelled"), (), "Todo"),
        (seen("Building"), ended("Terminated", "Reviewing"), (), "Todo"),
        # a person has moved it since
        (seen("Building", AFTER), ended("Terminated", "Reviewing"), (), None),
        (seen("Merge gate", AFTER), ended("Completed", "Done"), (), None),
        (seen("Building", AFTER, by=ADA, moved=True), ended("Terminated", "Building"), (), None),
        # Pawl itself did
        (seen("Building", AFTER, by=PAWL, moved=True), ended("Terminated", "Building"), (), "Todo"),
        # no column of work
        (seen("Todo"), ended("Terminated", "Building"), (), None),
        (seen("Done"), ended("Completed", "Declined"), (), None),
        (seen("Someday"), ended("Terminated", "Building"), (), None),
        (seen("Building", closed=True), ended("Terminated", "Building"), (), None),
        (seen("Building"), ended("Completed", ""), (), None),
    ],
)
def test_a_card_whose_ticket_has_ended(
    card: CardSeen, run: EndedTicket, routes: tuple[Route, ...], to: str | None
) -> None:
    found = settled(card, run, routes)
    assert (found.to if found else None) == to
    assert not found or found.run == "r1"


def test_why_a_card_is_moved_is_said() -> None:
    silent = settled(seen("Building"), ended("Terminated", "Building"), ())
    assert silent
    assert "ended without a word (terminated in Temporal)" in silent.why
    spoken = settled(seen("Merge gate"), ended("Completed", "Done"), ())
    assert spoken
    assert spoken.why == "The ticket has ended (Done); the card stood in Merge gate because its last move failed."


@pytest.mark.parametrize(
    ("card", "shown", "status"),
    [
        (seen("Cancelled"), "Building", "Cancelled"),
        (seen("Done"), "Building", "Done"),
        (seen("Shipped", closed=True), "Building", "Taken over"),
        (seen("Building", closed=True), "Reviewing", "Taken over"),
        (seen("Building"), "Reviewing", None),
        (seen("Done"), "Done", None),
        (seen("Done"), "Declined", None),
        (seen("Cancelled"), "Todo", None),
        (seen("Cancelled"), "", None),
        (seen("Cancelled", by=PAWL), "Building", None),
        (seen("Cancelled", by=EVE), "Building", None),
    ],
)
def test_a_ticket_whose_card_is_closed(card: CardSeen, shown: str, status: str | None) -> None:
    found = untold(card, shown)
    assert (found.move.status if found and found.move else None) == status


def test_a_move_has_the_name_that_a_look_gives_it() -> None:
    found = untold(seen("Cancelled"), "Building")
    assert found
    assert found.move
    assert found.move.id == "Cancelled@11:55"


@pytest.mark.parametrize(("gone", "there", "is_so"), [(1, 1, True), (1, 0, False), (3, 1, True), (4, 3, False)])
def test_cards_that_are_not_shown_are_not_always_gone(gone: int, there: int, is_so: bool) -> None:
    assert is_believable(gone, there) is is_so


def test_what_is_said() -> None:
    empty = SweepOutcome(says="", at=ENDED)
    assert says(empty) == "Nothing was stale. Nobody was told anything."
    full = empty.model_copy(
        update={"reminded": ("A", "B"), "branches": ("x",), "sandboxes": 3, "cards": ("C",), "told": ("D", "E")}
    )
    said = "2 gates reminded, 1 branch removed, 3 sandboxes removed, 1 card put right, 2 tickets told of their cards."
    assert says(full) == said
    assert says(empty.model_copy(update={"trouble": "x fails."})) == "Not all could be done: x fails."
    assert says(full.model_copy(update={"branches": ("x", "y"), "trouble": "x fails."})).endswith(
        "2 tickets told of their cards. Not all could be done: x fails."
    )
