"""When a night has nothing to look at, and what is nobody's news."""

from datetime import UTC, datetime, timedelta

import pytest

from workflows.domain.ticket import Ticket, TicketRef
from workflows.domain.triage import Entry, Kind, Standing, TriageState
from workflows.domain.triage_look import FIRST_LOOK, is_anything_new, is_ours, since, stale_before, what_stays

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
CARD = Ticket(ref=TicketRef(tracker="board", id="1"), identifier="ENG-1", title="Loose", body="It is.", status="Todo")
STAYS = what_stays([("lint", "f")], [7], [CARD])


def state(**more: object) -> TriageState:
    return TriageState.model_validate({"repository": "/srv/hinge", "base": "b1", "saw": STAYS, **more})


@pytest.mark.parametrize(
    ("known", "base", "happened", "stays", "new"),
    [
        (state(), "b1", 0, STAYS, False),
        (state(), "b1", 0, STAYS[:1], False),  # something went away
        (state(), "b1", 1, STAYS, True),
        (state(), "b2", 0, STAYS, True),  # the base moved without a commit that is younger
        (state(base=""), "b2", 0, STAYS, False),  # the first night has no base to compare
        (state(saw=()), "b1", 0, STAYS, True),
        (state(), "b1", 0, what_stays([("lint", "g")], [7], [CARD]), True),
        (state(), "b1", 0, what_stays([("lint", "f")], [7, 8], [CARD]), True),
        (state(), "b1", 0, what_stays([], [], [CARD.model_copy(update={"body": "Now it fell off."})]), True),
        (state(), "b1", 0, what_stays([], [], [CARD.model_copy(update={"version": 9, "status": "Done"})]), False),
        (state(saw=()), "b1", 0, (), False),
    ],
)
def test_what_no_night_has_seen_is_new(
    known: TriageState, base: str, happened: int, stays: tuple[str, ...], new: bool
) -> None:
    assert is_anything_new(known, base, happened, stays) is new


def test_a_night_begins_where_the_last_one_ended() -> None:
    assert since(state(), NOW) == NOW - FIRST_LOOK
    assert since(state(seen_until=NOW), NOW + timedelta(days=1)) == NOW


def test_no_pull_request_is_stale_where_none_may_be() -> None:
    assert stale_before(NOW, 86_400) == NOW - timedelta(days=1)
    assert stale_before(NOW, 0).year == 1970


def test_our_own_tickets_are_known_by_who_filed_them_and_by_the_state_file() -> None:
    filed = Entry(
        id="a",
        kind=Kind.LINT,
        subject="s",
        title="t",
        standing=Standing.TICKETED,
        first_seen=NOW,
        last_seen=NOW,
        ticket=CARD.ref,
    )
    assert not is_ours(CARD, state())
    assert is_ours(CARD.model_copy(update={"labels": ("Triage",), "ours": True}), state())
    assert not is_ours(CARD.model_copy(update={"labels": ("Triage",)}), state()), "a template gives it, too"
    assert not is_ours(CARD.model_copy(update={"labels": ("spike",), "ours": True}), state())
    assert is_ours(CARD, state(inbox=CARD.ref))
    assert is_ours(CARD, state(findings=(filed,)))
    reported = filed.model_copy(update={"standing": Standing.REPORTED})
    assert is_ours(CARD, state(findings=(reported,)))
    told_elsewhere = reported.model_copy(update={"elsewhere": True})
    assert not is_ours(CARD, state(findings=(told_elsewhere,)))
