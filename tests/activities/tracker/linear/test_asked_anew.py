"""What asks for work once more after a ticket has ended, and what only changes its card; the same by webhook and by
looking."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.activities.tracker.linear.desk import NAME, Desk
from tests.activities.tracker.linear.test_both_ways import found, heard
from tests.fakes.linear.rows import Row
from workflows.domain.intake import Happening, Start, Terms, decide
from workflows.domain.routes import Route

COLUMN = Route(tracker=NAME, team="ENG", repository="r")
LABEL = Route(tracker=NAME, team="ENG", repository="r", label="agent")
Hand = Callable[[Desk, Row], object]


def asked_for(happenings: list[Happening], route: Route) -> list[datetime]:
    moves = [move for one in happenings for move in decide(one, Terms(routes=(route,), model="m"))]
    return [move.at for move in moves if isinstance(move, Start)]


async def ended(desk: Desk, issue: Row, route: Route) -> datetime:
    """When its ticket has ended: by then all that was asked has been heard."""
    at = datetime.fromisoformat(desk.linear.now())
    since = at - timedelta(hours=1)
    assert max(asked_for(await found(desk, since, route=route), route)) < at
    assert max(asked_for(heard(desk, desk.linear.deliveries), route)) < at
    desk.linear.deliveries.clear()
    return at


async def both_ways(desk: Desk, at: datetime, route: Route) -> tuple[bool, bool]:
    """Whether the ticket is started again, by webhook and by looking."""
    told, seen = heard(desk, desk.linear.deliveries), await found(desk, at - timedelta(minutes=2), route=route)
    return any(one > at for one in asked_for(told, route)), any(one > at for one in asked_for(seen, route))


HANDS: dict[str, tuple[Hand, bool]] = {
    "edit": (lambda desk, issue: desk.linear.edit(issue, "Told better."), False),
    "other label": (lambda desk, issue: desk.linear.put_label(issue, "bug"), False),
    "for another": (lambda desk, issue: desk.linear.assign(issue, desk.linear.ada), False),
    "comment": (lambda desk, issue: desk.linear.say(issue, "So that is done?"), False),
    "moved in": (lambda desk, issue: [desk.linear.move(issue, to) for to in ("Backlog", "Agent Todo")], True),
    "assigned": (lambda desk, issue: desk.linear.assign(issue, desk.linear.us), True),
    "delegated": (lambda desk, issue: desk.linear.delegate(issue, desk.linear.us), True),
    "mentioned": (lambda desk, issue: desk.linear.mention(issue, "@pawl once more"), True),
}
"""What a person does, and whether it asks for work anew."""


@pytest.mark.parametrize("name", HANDS)
async def test_what_stands_in_the_column_after_its_end_is_started_by_what_asks_and_by_nothing_else(
    desk: Desk, name: str
) -> None:
    issue = desk.linear.file(desk.team, "One", column="Backlog")
    desk.linear.move(issue, "Agent Todo")
    at = await ended(desk, issue, COLUMN)
    hand, again = HANDS[name]
    hand(desk, issue)
    assert await both_ways(desk, at, COLUMN) == (again, again)


async def test_a_label_counts_when_it_is_set_and_not_while_it_stays(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Backlog", labels=("Agent",))
    at = await ended(desk, issue, LABEL)
    desk.linear.edit(issue, "Told better.")
    desk.linear.move(issue, "Todo")
    assert await both_ways(desk, at, LABEL) == (False, False)
    desk.linear.change(issue, desk.linear.ada, labels=[])
    desk.linear.put_label(issue, "agent")
    assert await both_ways(desk, at, LABEL) == (True, True)


async def test_what_is_ours_still_is_not_given_to_us_by_an_edit(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Backlog")
    desk.linear.delegate(issue, desk.linear.us)
    at = await ended(desk, issue, COLUMN)
    desk.linear.edit(issue, "Told better.")
    assert await both_ways(desk, at, COLUMN) == (False, False)
    desk.linear.delegate(issue, None)
    desk.linear.delegate(issue, desk.linear.us)
    assert await both_ways(desk, at, COLUMN) == (True, True)


async def test_what_was_never_begun_is_begun_whatever_changed(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    desk.linear.edit(issue, "Told better.")
    for way in (heard(desk, desk.linear.deliveries[-1:]), await found(desk, datetime.now(UTC) - timedelta(hours=1))):
        assert asked_for(way, COLUMN) == [datetime.fromisoformat(issue["createdAt"])]
