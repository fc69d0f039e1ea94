"""Stopping a ticket in awkward moments: nothing goes on, nothing is lost, nothing is left half undone."""

import pytest
from temporalio.client import Client

from tests.workflows.conftest import Run, StartTicket, reset_to_the_start
from tests.workflows.world import PLAN, World, done, submits, works
from workflows import names
from workflows.domain.decision import Action
from workflows.domain.session import Role, TakeTurn
from workflows.domain.ticket import Phase
from workflows.ports.forge import ClosePullRequest, MergePullRequest, OpenPullRequest, PublishChange
from workflows.ports.tracker import ClaimTicket
from workflows.ports.workspace import DestroyWorkspace

pytestmark = pytest.mark.server


async def at_work(run: Run, world: World, role: Role = Role.PLANNER, turns: int = 1) -> None:
    await run.until(lambda _: len(world.turns_of(role)) >= turns)


async def test_an_abort_stops_an_agent_whose_turn_ends_well_all_the_same(start: StartTicket) -> None:
    """Short turns end before they hear of a cancellation, and the SDK then takes it for dealt with."""
    world = World(delays={"take_turn": 0.3})
    world.turns[Role.PLANNER] = [*[works()] * 12, submits(PLAN)]
    run = await start(world)
    await at_work(run, world, turns=2)
    await run.act(Action.ABORT)
    bought = len(world.of(TakeTurn))
    assert (await run.outcome()).phase is Phase.CANCELLED
    assert len(world.of(TakeTurn)) <= bought + 1


@pytest.mark.parametrize("ending", [Action.ABORT, Action.TAKE_OVER])
async def test_what_a_running_session_has_made_is_kept(start: StartTicket, ending: Action) -> None:
    world = World()
    world.turns[Role.BUILDER] = [works(state="s7"), done("s8")]
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    world.delays = {"take_turn": 1.5}
    await run.act(Action.APPROVE)
    await at_work(run, world, Role.BUILDER, turns=2)
    await run.act(ending)
    assert (await run.outcome()).branch
    assert world.of(PublishChange)[-1].state == "s7"


async def test_a_cancellation_from_temporal_does_not_cut_an_abort_short(start: StartTicket) -> None:
    world = World(delays={"take_turn": 2})
    run = await start(world)
    await at_work(run, world)
    await run.act(Action.ABORT)
    await run.handle.cancel()
    assert (await run.outcome()).phase is Phase.CANCELLED
    assert world.moves[-2:] == ["Cancelled", "Todo"]


async def test_a_cancellation_from_temporal_does_not_cut_the_last_steps_short(start: StartTicket) -> None:
    world = World(delays={"destroy_workspace": 1})
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.ABORT)
    await run.until(lambda _: bool(world.of(DestroyWorkspace)))
    await run.handle.cancel()
    assert (await run.outcome()).phase is Phase.CANCELLED
    assert world.moves[-2:] == ["Cancelled", "Todo"]


async def test_a_session_cancelled_in_the_ui_is_said_and_goes_on(start: StartTicket, client: Client) -> None:
    world = World(delays={"take_turn": 1})
    run = await start(world)
    await at_work(run, world)
    session = (await run.status()).sessions[0].session
    await client.get_workflow_handle(names.session_workflow_id(session)).cancel()
    blocked = await run.until(Phase.BLOCKED)
    assert session in blocked.waiting_for
    world.turns[Role.PLANNER] = [submits(PLAN)]
    await run.act(Action.RESUME)
    await run.until(Phase.PLAN_GATE)


async def test_a_ticket_reset_under_a_running_session_ends_that_one_and_goes_on(
    start: StartTicket, client: Client
) -> None:
    world = World(delays={"take_turn": 1})
    world.turns[Role.PLANNER] = [works(), works(), works(), submits(PLAN)]
    run = await start(world)
    await at_work(run, world, turns=2)
    await reset_to_the_start(client, run)
    await run.until(Phase.PLAN_GATE)


async def test_an_abort_that_meets_the_opening_of_the_pull_request_closes_it(start: StartTicket) -> None:
    world = World(delays={"open_pull_request": 0.4})
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(lambda _: bool(world.of(OpenPullRequest)))
    await run.act(Action.ABORT)
    outcome = await run.outcome()
    assert outcome.phase is Phase.CANCELLED
    assert outcome.pull_request is not None
    assert [closed.number for closed in world.of(ClosePullRequest)] == [outcome.pull_request.number]


async def test_an_abort_that_meets_the_claim_frees_the_card(start: StartTicket) -> None:
    world = World(delays={"claim_ticket": 0.4})
    run = await start(world)
    await run.until(lambda _: bool(world.of(ClaimTicket)))
    await run.act(Action.ABORT)
    assert (await run.outcome()).phase is Phase.CANCELLED
    assert world.moves == [Phase.CANCELLED, "Todo"]


async def test_an_abort_that_comes_after_the_merge_does_not_deny_it(start: StartTicket) -> None:
    world = World(delays={"merge_pull_request": 0.4})
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.APPROVE)
    await run.until(lambda _: bool(world.of(MergePullRequest)))
    await run.act(Action.ABORT)
    assert (await run.outcome()).phase is Phase.DONE
    assert not world.of(ClosePullRequest)


async def test_a_plan_that_was_rejected_is_not_called_approved(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.REJECT, note="Not now.")
    outcome = await run.outcome()
    assert (outcome.phase, outcome.plan_hash) == (Phase.DECLINED, "")
    assert "approved by" not in world.comments


@pytest.mark.parametrize("column", ["Gave up", "Cancelled", "Todo"])
async def test_a_card_that_was_dragged_to_an_end_stays_there(start: StartTicket, column: str) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.handle.signal("card-moved", column)
    assert (await run.outcome()).phase is Phase.CANCELLED
    assert world.moves[-1] == column
