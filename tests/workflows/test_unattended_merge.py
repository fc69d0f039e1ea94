"""The last step of a ticket that passes its gates by itself: what comes between the decision and the merge."""

from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType

from activities.errors import again, stop
from tests.workflows.conftest import Run, StartTicket
from tests.workflows.pulls import ADA, PAWL, RUNNING_CI, low, nudge, seen
from tests.workflows.test_unattended import LEAVE, at_the_merge_gate, log
from tests.workflows.world import World
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.pull import PullSeen, PullState
from workflows.domain.ticket import Phase
from workflows.domain.unattended import AuditEntry
from workflows.ports.forge import MergePullRequest

pytestmark = pytest.mark.server
AWAY = again("GitHub is away.", timedelta(minutes=10))
"""Tried again later than a merge by itself may take."""
REFUSED = stop(Failure.BAD_CREDENTIALS, "Pawl may not merge here.")


def then(last: PullSeen) -> World:
    """Nothing speaks against the merge, until it is written down."""
    return low(looks=[seen(), seen(), last])


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        (seen(others_wrote=True), "somebody has written on the pull request"),
        (seen(changes_asked_by=(ADA,)), "a review asks for changes"),
        (seen(head_sha="c" * 40), "somebody else has pushed to the branch"),
    ],
)
async def test_what_people_do_until_it_is_written_down_counts(
    start: StartTicket, meanwhile: PullSeen, why: str
) -> None:
    world = then(meanwhile)
    run = await start(world, **LEAVE)
    await run.until(lambda _: f"A person decides at Merge gate: {why}." in world.comments)
    assert log(world)[1:] == [("Merge gate", "head-of-s1", ""), ("Merge gate", "head-of-s1", why)]
    await run.act(Action.REJECT)
    assert (await run.outcome()).phase is Phase.DECLINED
    assert not world.of(MergePullRequest)


async def test_ci_that_begins_meanwhile_is_awaited_and_the_decision_is_taken_anew(start: StartTicket) -> None:
    world = then(RUNNING_CI)
    run = await start(world, **LEAVE)
    await run.until(lambda _: len(log(world)) == 3)
    assert not world.of(MergePullRequest)
    world.looks = [seen()]
    await nudge(run)
    assert (await run.outcome()).phase is Phase.DONE
    assert [withdrawn for _, _, withdrawn in log(world)] == ["", "", "CI is running", ""]
    assert len({entry.key for entry in world.of(AuditEntry)}) == 4, "each line is written"


async def test_a_last_look_that_fails_lets_nothing_be_merged(start: StartTicket) -> None:
    world = low(grace=1)
    run = await at_the_merge_gate(start, world)
    world.delays["append_audit"] = 0.5
    await run.until(lambda _: len(log(world)) == 2)
    world.failures["look_at_pull_request"] = [stop(Failure.BAD_CREDENTIALS, "The token may not see checks.")]
    await run.until(lambda _: len(log(world)) == 3)
    assert log(world)[-1][2] == "the pull request cannot be looked at"
    assert not world.of(MergePullRequest)
    await nudge(run)
    assert (await run.outcome()).phase is Phase.DONE


async def test_a_merge_that_takes_long_goes_back_to_people(start: StartTicket) -> None:
    world = low(failures={"merge_pull_request": [AWAY]})
    run = await start(world, **LEAVE)
    await run.until(lambda _: "A person decides at Merge gate: it could not be merged in 5 minutes." in world.comments)
    assert log(world)[-1] == ("Merge gate", "head-of-s1", "it was not merged: GitHub is away.")
    await run.act(Action.APPROVE, by="Ada")
    outcome = await run.outcome()
    assert (outcome.phase, outcome.decisions[-1].name) == (Phase.DONE, "Ada")
    assert await _merges(run) == [timedelta(minutes=5), timedelta()], "a person's is tried on"


async def _merges(run: Run) -> list[timedelta]:
    """How long each merge is tried at most, as Temporal has it; nothing: without an end."""
    events = (await run.handle.fetch_history()).events
    kind = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    asked = [event.activity_task_scheduled_event_attributes for event in events if event.event_type == kind]
    merges = [one for one in asked if one.activity_type.name == "merge_pull_request"]
    return [one.schedule_to_close_timeout.ToTimedelta() for one in merges]


async def test_a_merge_whose_answer_was_lost_is_a_merge(start: StartTicket) -> None:
    merged = seen(state=PullState.MERGED, merged_sha="merged", by=PAWL)
    world = low(looks=[seen(), seen(), seen(), merged], failures={"merge_pull_request": [AWAY]})
    outcome = await (await start(world, **LEAVE)).outcome()
    assert (outcome.phase, outcome.summary) == (Phase.DONE, "Pawl merged the pull request.")
    assert [withdrawn for _, _, withdrawn in log(world)] == ["", ""]


@pytest.mark.parametrize("objected", [True, False])
async def test_after_a_refused_merge_is_mended_everything_is_asked_again(start: StartTicket, objected: bool) -> None:
    world = low(failures={"merge_pull_request": [REFUSED]})
    run = await start(world, **LEAVE)
    await run.until(Phase.BLOCKED)
    world.looks = [seen(others_wrote=objected)]
    await run.act(Action.RESUME)
    if objected:
        await run.until(lambda _: "Merge gate: somebody has written on the pull request." in world.comments)
        await run.act(Action.REJECT)
    assert (await run.outcome()).phase is (Phase.DECLINED if objected else Phase.DONE)
    anew = [] if objected else [""]
    assert [withdrawn for _, _, withdrawn in log(world)[1:]] == ["", f"it was not merged: {REFUSED.message}", *anew]
    assert len(world.of(MergePullRequest)) == 1 + len(anew)
