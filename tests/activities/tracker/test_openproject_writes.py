"""OpenProject as a tracker: writes that happen once, whatever breaks and whoever else writes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from tests.fakes.openproject import KEY
from tests.fakes.openproject_world import ADA, PAWL
from tests.fakes.service import Fault
from tests.ports.trackers import OpenProjectRig
from workflows.domain.failures import Failure
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.ports.tracker import ClaimTicket, FileTicket, LinkTicket, MoveTicket, PostComment, Remark

Step = Callable[[OpenProjectRig, TicketRef], Awaitable[object]]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[OpenProjectRig]:
    async with OpenProjectRig(tmp_path) as rig:
        yield rig


def claim(rig: OpenProjectRig, ref: TicketRef) -> Awaitable[object]:
    return rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))


def move(rig: OpenProjectRig, ref: TicketRef) -> Awaitable[object]:
    remark = Remark(key="why", text="Because.")
    return rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING, remark=remark))


def comment(rig: OpenProjectRig, ref: TicketRef) -> Awaitable[object]:
    return rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="k", text="Said.")))


def link(rig: OpenProjectRig, ref: TicketRef) -> Awaitable[object]:
    return rig.tracker.link_ticket(LinkTicket(ref=ref, url="https://forge.test/pull/1", title="Pull request"))


def file(rig: OpenProjectRig, ref: TicketRef) -> Awaitable[Ticket]:
    return rig.tracker.file_ticket(
        FileTicket(tracker="openproject", key="spike", parent=ref, title="Spike", body="Why?")
    )


@pytest.mark.parametrize("after", [False, True], ids=["not-done", "done-and-lost"])
@pytest.mark.parametrize(
    ("at", "step"),
    [
        ("PATCH /api/v3/work_packages", claim),
        ("PATCH /api/v3/work_packages", move),
        ("POST /api/v3/work_packages", move),
        ("POST /api/v3/work_packages", comment),
        ("POST /api/v3/work_packages", link),
        ("POST /api/v3/work_packages", file),
    ],
)
async def test_a_write_whose_reply_is_lost_happens_once(rig: OpenProjectRig, at: str, step: Step, after: bool) -> None:
    ref = await rig.add("One")
    if step is move:
        await claim(rig, ref)
    rig.double.app.add(Fault(at, after=after))
    with pytest.raises(ApplicationError) as caught:
        await step(rig, ref)
    assert not caught.value.non_retryable
    await step(rig, ref)
    seen = (rig.double.cards[int(ref.id)].lock, rig.double.said(int(ref.id)), len(rig.double.cards))
    await step(rig, ref)
    assert (rig.double.cards[int(ref.id)].lock, rig.double.said(int(ref.id)), len(rig.double.cards)) == seen
    assert len(rig.double.said(int(ref.id))) == (step in (move, comment, link))
    assert len(rig.double.cards) == 1 + (step is file)


async def test_a_person_who_changes_the_card_in_the_middle_of_a_claim_wins(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    seen = await rig.look(ref)
    rig.double.meanwhile = lambda: rig.double.move(int(ref.id), "Someday")
    with pytest.raises(ApplicationError, match="changed since it was read") as caught:
        await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a", version=seen.version))
    assert Failure(caught.value.type or "") is Failure.CLAIM_LOST
    assert rig.double.cards[int(ref.id)].note is None


async def test_a_claim_that_saw_no_version_goes_on_with_what_the_person_made_of_it(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    rig.double.meanwhile = lambda: rig.double.move(int(ref.id), "Someday")
    ticket = await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    assert ticket.status == "Someday"
    assert rig.double.app.seen.count(f"PATCH /api/v3/work_packages/{ref.id}") == 2


async def test_a_move_is_tried_again_on_what_a_person_has_changed(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    rig.double.meanwhile = lambda: rig.double.assign(int(ref.id), ADA)
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    card = rig.double.cards[int(ref.id)]
    assert (card.assignee, (await rig.look(ref)).status) == (ADA, Phase.BUILDING)


async def test_a_card_that_never_rests_is_tried_again_later(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")

    def restless() -> None:
        rig.double.assign(int(ref.id), ADA)
        rig.double.meanwhile = restless

    rig.double.meanwhile = restless
    with pytest.raises(ApplicationError, match="changed by others") as caught:
        await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    assert not caught.value.non_retryable


async def test_two_who_said_the_same_at_once_leave_one_comment(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    await comment(rig, ref)
    (mine,) = [entry for entry in rig.double.cards[int(ref.id)].journal if entry.user == PAWL]
    rig.double.say(int(ref.id), mine.text, by=PAWL)  # as somebody would who had looked before the first was there
    rig.double.app.add(Fault("PATCH /api/v3/activities", after=True))
    with pytest.raises(ApplicationError):
        await comment(rig, ref)
    await comment(rig, ref)
    assert [text for text in rig.double.said(int(ref.id)) if text] == ["Said."]


async def test_what_a_person_copies_of_our_comment_does_not_count_as_said(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    other = await rig.add("Other")
    await comment(rig, ref)
    (mine,) = [entry for entry in rig.double.cards[int(ref.id)].journal if entry.user == PAWL]
    await rig.say(other, mine.text)
    await comment(rig, other)
    assert rig.double.said(int(other.id)) == ["Said.", "Said."]


async def test_many_who_file_the_same_ticket_file_one(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    filed = await asyncio.gather(*(file(rig, ref) for _ in range(6)))
    (child,) = [card for card in rig.double.cards.values() if card.id != int(ref.id)]
    assert {ticket.ref.id for ticket in filed} == {str(child.id)}
    assert (child.parent, child.project, child.body) == (int(ref.id), 1, "Why?")


async def test_a_persons_copy_of_a_filed_ticket_is_left_alone(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    filed = await file(rig, ref)
    copied = rig.double.file("Spike", by=ADA)
    rig.double.cards[copied].note = rig.double.cards[int(filed.ref.id)].note
    assert await file(rig, ref) == filed
    assert copied in rig.double.cards


async def test_a_copy_of_a_claimed_card_is_held_by_nobody(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    await claim(rig, ref)
    copy = await rig.add("Copy of one")
    rig.double.cards[int(copy.id)].note = rig.double.cards[int(ref.id)].note
    await rig.tracker.claim_ticket(ClaimTicket(ref=copy, account="b"))
    with pytest.raises(ApplicationError, match="held by a"):
        await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="b"))


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (401, Failure.BAD_CREDENTIALS),
        (403, Failure.BAD_CREDENTIALS),
        (422, Failure.BAD_REQUEST),
        (302, Failure.BAD_REQUEST),
    ],
)
async def test_what_only_people_can_mend_is_not_tried_again(rig: OpenProjectRig, status: int, failure: Failure) -> None:
    ref = await rig.add("One")
    rig.double.app.add(Fault("PATCH", status))
    with pytest.raises(ApplicationError) as caught:
        await claim(rig, ref)
    assert (caught.value.non_retryable, Failure(caught.value.type or "")) == (True, failure)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_what_may_pass_is_tried_again(rig: OpenProjectRig, status: int) -> None:
    ref = await rig.add("One")
    rig.double.app.add(Fault("GET", status, body=b"<html>not JSON</html>"))
    with pytest.raises(ApplicationError) as caught:
        await claim(rig, ref)
    assert not caught.value.non_retryable
    await claim(rig, ref)


async def test_a_page_that_is_no_api_is_tried_again(rig: OpenProjectRig) -> None:
    ref = await rig.add("One")
    for body in (b"<html>a proxy's page</html>", b"[]", b'{"id": 1}'):
        rig.double.app.add(Fault(f"GET /api/v3/work_packages/{ref.id}", 200, body=body))
        with pytest.raises(ApplicationError, match="answered") as caught:
            await claim(rig, ref)
        assert not caught.value.non_retryable


async def test_the_key_is_shown_to_nobody(rig: OpenProjectRig) -> None:
    assert KEY not in repr(rig.tracker)
    ref = await rig.add("One")
    rig.double.app.add(Fault("GET", 500, body=b"broken"))
    rig.double.app.add(Fault("GET"))
    for _ in range(2):
        with pytest.raises(ApplicationError) as caught:
            await claim(rig, ref)
        assert KEY not in str(caught.value)
