"""What every tracker promises beside claims and moves: links, tickets of our own, and news of what people do."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from tests.ports.tracker_rig import TrackerRig
from tests.ports.trackers import RIGS
from workflows.domain.failures import Failure
from workflows.domain.people import Trust
from workflows.domain.routes import AGENT_TODO, Route
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.ports.tracker import (
    ClaimTicket,
    FileTicket,
    FindNews,
    LinkTicket,
    MoveTicket,
    News,
    PostComment,
    Remark,
    ShowProgress,
)

START = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[TrackerRig]:
    async with RIGS[request.param](tmp_path) as rig:
        yield rig


def linked(ref: TicketRef, number: int, title: str = "Pull request") -> LinkTicket:
    return LinkTicket(ref=ref, url=f"https://forge.test/pull/{number}.", title=title)


async def file(rig: TrackerRig, parent: TicketRef, key: str = "spike", title: str = "Try it out") -> Ticket:
    filing = FileTicket(tracker=parent.tracker, key=key, parent=parent, title=title, body="## Why\n\nTo know.")
    return await rig.tracker.file_ticket(filing)


async def look(rig: TrackerRig, ref: TicketRef, since: datetime = START, *, under_way: bool = False) -> News:
    """At everything of the tracker that `ref` belongs to."""
    routes = (Route(tracker=ref.tracker, repository="/srv/shop.git"),)
    search = FindNews(tracker=ref.tracker, since=since, routes=routes, under_way=(ref,) if under_way else ())
    return await rig.tracker.find_news(search)


async def test_a_link_is_put_there_once_per_url(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    for number, title in [(1, "Pull request"), (1, "Pull request"), (2, "Another"), (1, "Pull request")]:
        await rig.tracker.link_ticket(linked(ref, number, title))
    links = await rig.links(ref)
    assert (links.count("https://forge.test/pull/1."), links.count("https://forge.test/pull/2.")) == (1, 1)


async def test_many_who_put_the_same_link_there_leave_one(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    await asyncio.gather(*(rig.tracker.link_ticket(linked(ref, n % 2)) for n in range(8)))
    links = await rig.links(ref)
    assert (links.count("https://forge.test/pull/0."), links.count("https://forge.test/pull/1.")) == (1, 1)


async def test_a_ticket_is_filed_once_per_key_and_is_then_as_it_stands(rig: TrackerRig) -> None:
    parent = await rig.add("One")
    filed = await file(rig, parent)
    assert (filed.title, filed.body) == ("Try it out", "## Why\n\nTo know.")
    other = await file(rig, parent, key="other", title="Something else")
    assert len({ticket.key for ticket in (parent, filed.ref, other.ref)}) == 3
    await rig.drag(filed.ref, "Someday")
    again = await file(rig, parent)
    assert (again.ref, again.status) == (filed.ref, "Someday")
    assert sorted(await rig.titles()) == ["One", "Something else", "Try it out"]


async def test_many_who_file_the_same_ticket_file_one(rig: TrackerRig) -> None:
    parent = await rig.add("One")
    filed = await asyncio.gather(*(file(rig, parent) for _ in range(6)))
    assert len({ticket.ref.key for ticket in filed}) == 1
    assert (await rig.titles()).count("Try it out") == 1


async def test_a_filed_ticket_can_be_claimed(rig: TrackerRig) -> None:
    parent = await rig.add("One")
    filed = await file(rig, parent)
    await rig.tracker.claim_ticket(ClaimTicket(ref=filed.ref, account="a"))
    await rig.tracker.move_ticket(MoveTicket(ref=filed.ref, to=Phase.BUILDING))
    assert (await file(rig, parent)).status == Phase.BUILDING


async def test_progress_moves_nothing(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    before = await rig.look(ref)
    for _ in range(2):
        progress = ShowProgress(ref=ref, key="p1", phase=Phase.PLANNING, lines=("Read the code.",))
        await rig.tracker.show_progress(progress)
    assert await rig.look(ref) == before


async def test_what_is_not_there_gets_no_link(rig: TrackerRig) -> None:
    ref = (await rig.add("One")).model_copy(update={"id": "nowhere"})
    with pytest.raises(ApplicationError) as caught:
        await rig.tracker.link_ticket(linked(ref, 1))
    assert Failure(caught.value.type or "") is Failure.TICKET_NOT_FOUND


async def test_a_card_that_asks_for_work_is_found_each_time(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    await rig.drag(ref, AGENT_TODO)
    first, second = await look(rig, ref), await look(rig, ref)
    for news in (first, second):
        (seen,) = [one for one in news.cards if one.card.ref == ref]
        assert (seen.card.title, seen.card.status, seen.card.closed) == ("One", AGENT_TODO, False)
    assert [one.id for one in first.cards] == [one.id for one in second.cards]


@pytest.mark.parametrize("status", ["Someday", Phase.PLAN_GATE, Phase.CANCELLED])
async def test_a_card_under_way_is_found_wherever_it_stands(rig: TrackerRig, status: str) -> None:
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    await rig.drag(ref, status)
    news = await look(rig, ref, datetime.now(UTC) + timedelta(minutes=1), under_way=True)
    (seen,) = [one for one in news.cards if one.card.ref == ref]
    assert seen.card == (await rig.look(ref))
    assert seen.card.status == status


async def test_what_people_say_is_found_with_the_same_id_each_time(rig: TrackerRig) -> None:
    if not rig.words_are_news:
        return
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    await rig.say(ref, "Use the other table.")
    await rig.say(ref, "And test it.")
    first, second = await look(rig, ref, under_way=True), await look(rig, ref, under_way=True)
    theirs = [words for words in first.words if words.by.trust is not Trust.OURS]
    assert [(words.text, words.ref, words.by.trust) for words in theirs] == [
        ("Use the other table.", ref, rig.trust),
        ("And test it.", ref, rig.trust),
    ]
    assert len({words.id for words in theirs}) == 2
    assert [words.id for words in first.words] == [words.id for words in second.words]


async def test_what_pawl_says_is_nobody_elses_word(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="k", text="@pawl approve")))
    news = await look(rig, ref, under_way=True)
    assert {words.by.trust for words in news.words} <= {Trust.OURS}


async def test_a_look_says_how_far_it_came_and_the_next_misses_nothing(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    first = await look(rig, ref)
    assert first.until > START
    await rig.say(ref, "Said between two looks.")
    await rig.drag(ref, AGENT_TODO)
    second = await look(rig, ref, first.until)
    assert second.until >= first.until
    assert AGENT_TODO in [one.card.status for one in second.cards if one.card.ref == ref]
    if rig.words_are_news:
        assert "Said between two looks." in [words.text for words in second.words]
