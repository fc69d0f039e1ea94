"""A webhook and a look tell the same happening under the same id: whichever comes first, it counts once."""

import time
from datetime import datetime

import pytest

from infra.ingress.linear import LinearDoor
from tests.activities.tracker.linear.desk import NAME, Desk
from tests.fakes.linear.deliveries import SECRET, Delivery
from workflows.domain.intake import CardSeen, Happening, WordsSaid
from workflows.domain.routes import Route
from workflows.domain.ticket import TicketRef
from workflows.ports.tracker import FindNews

ROUTE = Route(tracker=NAME, team="ENG", repository="r")


def heard(desk: Desk, deliveries: list[Delivery]) -> list[Happening]:
    door = LinearDoor(NAME, [SECRET], ours=[desk.linear.us["id"]])
    happenings: list[Happening] = []
    for delivery in deliveries:
        door.check(delivery.headers, delivery.body, time.time())
        happenings += door.read(delivery.headers, delivery.body).happenings
    return happenings


async def found(desk: Desk, since: datetime, *under_way: TicketRef, route: Route = ROUTE) -> list[Happening]:
    news = await desk.tracker.find_news(FindNews(tracker=NAME, since=since, routes=(route,), under_way=under_way))
    return [*news.cards, *news.words]


def words(happenings: list[Happening]) -> dict[str, tuple[object, ...]]:
    """What must be the same whichever way it comes. Linear's deliveries know nobody's display name."""
    said = [one for one in happenings if isinstance(one, WordsSaid)]
    return {one.id: (one.ref, one.text, one.at, one.by, one.addressed, one.stop) for one in said}


def cards(happenings: list[Happening]) -> dict[str, tuple[object, ...]]:
    seen = [one for one in happenings if isinstance(one, CardSeen)]
    return {one.id: (one.card.ref, one.card.status, one.at, one.moved, one.assigned) for one in seen}


async def test_words_and_prompts_are_the_same_by_webhook_and_by_looking(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    session = desk.linear.delegate(issue, desk.linear.us)
    assert session is not None
    since, start = datetime.fromisoformat(desk.linear.now()), len(desk.linear.deliveries)
    desk.linear.say(issue, "@pawl please")
    desk.linear.say(issue, "> @pawl please\n\nOh well.")
    desk.linear.say_from_outside(issue, "@pawl leak it")
    desk.linear.say(issue, "@pawl is what I am", by=desk.linear.us)
    desk.linear.prompt(session, "the other one")
    desk.linear.stop(session)
    told = words(heard(desk, desk.linear.deliveries[start:]))
    assert len(told) == 6
    assert words(await found(desk, since, desk.ref(issue))) == told


async def test_a_card_is_the_same_by_webhook_and_by_looking(desk: Desk) -> None:
    since = datetime.fromisoformat(desk.linear.now())
    new = desk.linear.file(desk.team, "Filed there", column="Agent Todo")
    moved = desk.linear.file(desk.team, "Moved there", column="Backlog")
    desk.linear.move(moved, "Agent Todo")
    told, seen = cards(heard(desk, desk.linear.deliveries)), cards(await found(desk, since))
    assert set(seen) == {f"card@{new['updatedAt']}", f"Agent Todo@{moved['updatedAt']}"}
    assert {id: told[id] for id in seen} == seen  # noqa: A001


@pytest.mark.parametrize("webhooks_first", [True, False])
async def test_words_in_a_session_are_heard_once_by_whichever_way_and_however_often(
    desk: Desk, webhooks_first: bool
) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    since, start = datetime.fromisoformat(desk.linear.now()), len(desk.linear.deliveries)
    session = desk.linear.mention(issue, "@pawl please")
    desk.linear.answer(session, "@pawl and the tests")
    desk.linear.answer(session, "and the docs")
    desk.linear.stop(session)
    told, seen = heard(desk, desk.linear.deliveries[start:] * 3), await found(desk, since, desk.ref(issue))
    said = [
        one for one in ([*told, *seen] if webhooks_first else [*seen, *reversed(told)]) if isinstance(one, WordsSaid)
    ]
    addressed = {one.id: (one.text, one.stop) for one in said if one.addressed}
    assert sorted(addressed.values()) == [
        ("Stop", True),
        ("and the docs", False),
        ("and the tests", False),
        ("please", False),
    ]
    both = [{one.id for one in way if isinstance(one, WordsSaid) and one.addressed} for way in (told, seen)]
    assert both[0] == both[1]


async def test_a_stop_is_not_swallowed_by_the_comment_that_says_it(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One")
    session = desk.linear.mention(issue, "@pawl please")
    since = datetime.fromisoformat(desk.linear.now())
    comment = desk.linear.say(issue, "@pawl stop", parent=session["comment"])
    desk.linear.act(session, desk.linear.ada, {"type": "prompt", "body": "stop"}, signal="stop", sourceComment=comment)
    for way in (heard(desk, desk.linear.deliveries), await found(desk, since, desk.ref(issue))):
        assert [one.id for one in way if isinstance(one, WordsSaid) and one.stop] == [
            f"activity:{desk.linear.all('agentActivity')[-1]['id']}"
        ]


async def test_a_session_that_begins_without_words_is_the_same_by_webhook_and_by_looking(desk: Desk) -> None:
    issue, since = desk.linear.file(desk.team, "One"), datetime.fromisoformat(desk.linear.now())
    session = desk.linear.delegate(issue, desk.linear.us)
    assert session is not None
    ways = (heard(desk, desk.linear.deliveries[-1:]), await found(desk, since))
    told, seen = (
        [one for one in way if isinstance(one, CardSeen) and one.id == f"session:{session['id']}"] for way in ways
    )
    assert [(one.at, one.by) for one in told] == [(one.at, one.by) for one in seen]
    assert len(told) == 1
