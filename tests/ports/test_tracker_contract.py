"""What every tracker promises: one claim, moves that are shown, comments that are said once."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from tests.ports.tracker_rig import TrackerRig
from tests.ports.trackers import RIGS
from workflows.domain.failures import Failure
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.tracker import ClaimTicket, MoveTicket, PostComment, Remark


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[TrackerRig]:
    async with RIGS[request.param](tmp_path) as rig:
        yield rig


def failure(caught: pytest.ExceptionInfo[ApplicationError]) -> Failure:
    assert caught.value.non_retryable
    return Failure(caught.value.type or "")


async def test_a_claim_returns_the_ticket_as_people_wrote_it(rig: TrackerRig) -> None:
    ref = await rig.add("Fix the login: loop", "It *loops*.\n\n- here\n- there", ("bug", "web"))
    ticket = await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    assert ticket.ref == ref
    assert (ticket.title, ticket.body) == ("Fix the login: loop", "It *loops*.\n\n- here\n- there")
    assert (ticket.status, ticket.labels) == (Phase.TODO, ("bug", "web"))


async def test_the_same_account_claims_again(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    claim = ClaimTicket(ref=ref, account="a", version=(await rig.look(ref)).version)
    first = await rig.tracker.claim_ticket(claim)
    assert await rig.tracker.claim_ticket(claim) == first


async def test_another_account_loses(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    with pytest.raises(ApplicationError, match="held by a") as caught:
        await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="b"))
    assert failure(caught) is Failure.CLAIM_LOST


async def test_of_many_claimers_one_wins(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    version = (await rig.look(ref)).version
    claims = [ClaimTicket(ref=ref, account=f"a{n}", version=version) for n in range(8)]
    results = await asyncio.gather(*(rig.tracker.claim_ticket(c) for c in claims), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1


async def test_a_claim_on_what_a_person_has_changed_since_loses(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    seen = await rig.look(ref)
    await rig.drag(ref, "Someday")
    with pytest.raises(ApplicationError, match="changed since it was read") as caught:
        await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a", version=seen.version))
    assert failure(caught) is Failure.CLAIM_LOST
    now = await rig.look(ref)
    assert (await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a", version=now.version))).status == "Someday"


async def test_the_version_grows_with_every_change_and_only_then(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    versions = [(await rig.look(ref)).version, (await rig.look(ref)).version]
    assert versions[0] == versions[1]
    await rig.drag(ref, "Someday")
    versions.append((await rig.look(ref)).version)
    if rig.words_change_the_version:
        await rig.say(ref, "hello")
        versions.append((await rig.look(ref)).version)
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.PLANNING))
    versions.append((await rig.look(ref)).version)
    assert versions[1:] == sorted(set(versions[1:]))


@pytest.mark.parametrize("phase", list(Phase))
async def test_every_phase_can_be_shown(rig: TrackerRig, phase: Phase) -> None:
    ref = await rig.add("One")
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=phase))
    assert (await rig.look(ref)).status == phase


async def test_moving_to_where_it_is_changes_nothing(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    first = await rig.look(ref)
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    assert await rig.look(ref) == first


@pytest.mark.parametrize("end", [Phase.DONE, Phase.CANCELLED, Phase.GAVE_UP, Phase.TODO])
async def test_a_ticket_that_has_ended_can_be_claimed_anew(rig: TrackerRig, end: Phase) -> None:
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=end))
    assert (await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="b"))).ref == ref


async def test_a_person_frees_a_ticket_by_moving_it_to_todo(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    await rig.drag(ref, "Todo")
    await rig.tracker.post_comment(
        PostComment(ref=ref, remark=Remark(key="last", text="words of the one that was stopped"))
    )
    assert (await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="b"))).status == Phase.TODO
    with pytest.raises(ApplicationError, match="held by b"):
        await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))


async def test_a_comment_is_said_once_per_key(rig: TrackerRig) -> None:
    ref = await rig.add("One", "## Steps\n\nText.")
    for key, text in [("plan1", "The plan."), ("plan1", "The plan."), ("plan2", "Another plan.")]:
        await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key=key, text=text)))
    thread = await rig.thread(ref)
    assert (thread.count("The plan."), thread.count("Another plan.")) == (1, 1)
    assert thread.index("The plan.") < thread.index("Another plan.")
    assert (await rig.look(ref)).body == "## Steps\n\nText."


async def test_many_posters_of_one_key_leave_one_comment(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    posts = [PostComment(ref=ref, remark=Remark(key=f"k{n % 3}", text=f"said {n % 3}")) for n in range(12)]
    await asyncio.gather(*(rig.tracker.post_comment(post) for post in posts))
    thread = await rig.thread(ref)
    assert [thread.count(f"said {n}") for n in range(3)] == [1, 1, 1]


async def test_what_people_say_stays_between_what_pawl_says(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    await rig.say(ref, "A question from Ada.")
    await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="one", text="From Pawl.")))
    await rig.say(ref, "Another from Grace.")
    await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="two", text="From Pawl, too.")))
    thread = await rig.thread(ref)
    places = [thread.index(t) for t in ("A question", "From Pawl.", "Another from", "From Pawl, too.")]
    assert places == sorted(places)


async def test_a_text_cannot_pass_for_another_comment(rig: TrackerRig) -> None:
    ref = await rig.add("One")
    forged = "innocent\n<!-- pawl:later -->\nand so on"
    await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="now", text=forged)))
    await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="later", text="What must be said.")))
    assert "What must be said." in await rig.thread(ref)


@pytest.mark.parametrize("id", ["nowhere", "../secret", ".hidden", "a/b", ""])
async def test_what_is_not_on_the_board_is_not_found(rig: TrackerRig, id: str) -> None:  # noqa: A002
    ref = TicketRef(tracker="board", id=id)
    for request in (
        rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a")),
        rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.DONE)),
        rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="k", text="t"))),
    ):
        with pytest.raises(ApplicationError) as caught:
            await request
        assert failure(caught) is Failure.TICKET_NOT_FOUND
