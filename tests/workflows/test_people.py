"""What people say to a ticket, from the Temporal UI (signals) and from everywhere else (updates)."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from tests.workflows.conftest import Run, StartTicket
from tests.workflows.world import CLEAN, PLAN, World, done, submits, works
from workflows import names
from workflows.domain.decision import Action
from workflows.domain.session import CloseSession, Role, TakeTurn
from workflows.domain.ticket import Phase
from workflows.ports.model import TopUpAccount

pytestmark = pytest.mark.server


async def signal(run: Run, name: str, *payload: Any) -> None:
    await run.handle.signal(name, *payload)


@pytest.mark.parametrize("payload", [(), (None,), ("go on",), ({},), ({"note": "go on", "by": "Ada"},)])
async def test_approve_works_from_the_ui_with_any_payload_it_can_send(
    start: StartTicket, payload: tuple[Any, ...]
) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    await signal(run, "approve", *payload)
    await run.until(Phase.MERGE_GATE)


@pytest.mark.parametrize("action", list(Action))
async def test_every_action_is_a_signal_that_an_empty_box_cannot_break(start: StartTicket, action: Action) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    await signal(run, action.value)
    status = await run.status()
    assert any(action.value in line for line in status.story), "taken or refused, the story says so"


async def test_an_approval_that_comes_while_the_board_is_being_told_counts(start: StartTicket) -> None:
    world = World(delays={"move_ticket": 0.3})
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await signal(run, "approve")
    await run.until(Phase.MERGE_GATE)


async def test_an_action_out_of_place_is_refused_in_words(start: StartTicket) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.act(Action.ANSWER, note="Left.")
    assert "Nothing to answer now" in str(refused.value.cause)
    await signal(run, "answer", "Left.")
    assert any("was not accepted" in line for line in (await run.status()).story)


async def test_steering_reaches_the_running_session_once_at_its_next_turn(start: StartTicket) -> None:
    world = World()
    going = asyncio.Event()

    def slow(turn: TakeTurn) -> Any:
        going.set()
        return works()

    world.turns[Role.BUILDER] = [slow, works(), works(), done("s1")]
    world.delays = {"take_turn": 0.4}
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(lambda _: bool(world.turns_of(Role.BUILDER)))
    said = await run.act(Action.STEER, note="Use pathlib.", id="s-1")
    assert "next turn" in said
    assert "counts once" in await run.act(Action.STEER, note="Use pathlib.", id="s-1")
    await run.until(Phase.MERGE_GATE)
    heard = [turn.seq for turn in world.of(TakeTurn) for words in turn.steering if "pathlib" in words]
    assert len(heard) == 1
    assert heard[0] > 1
    assert any(f"turn {heard[0]}: Use pathlib." in line for line in (await run.status()).story)


async def test_steering_before_a_session_is_not_lost(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    assert "no agent works while the plan waits" in await run.act(Action.STEER, note="Mind the paint.")
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    first = world.turns_of(Role.BUILDER)[0]
    assert first.steering == ("Mind the paint.",)


async def test_pause_stops_before_the_next_turn_and_resume_goes_on(start: StartTicket) -> None:
    world = World(delays={"take_turn": 0.2})
    world.turns[Role.BUILDER] = [works(), works(), works(), done("s1")]
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(lambda _: bool(world.turns_of(Role.BUILDER)))
    await run.act(Action.PAUSE)
    await asyncio.sleep(0.8)
    before = len(world.of(TakeTurn))
    await asyncio.sleep(0.8)
    assert len(world.of(TakeTurn)) == before, "no turn starts while the ticket is paused"
    with pytest.raises(WorkflowUpdateFailedError):
        await run.act(Action.PAUSE)
    await run.act(Action.RESUME)
    await run.until(Phase.MERGE_GATE)


async def test_a_moved_card_is_obeyed_and_our_own_echo_is_not(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await signal(run, "card-moved", "Plan gate")
    await signal(run, "card-moved", "Somewhere")
    assert (await run.status()).phase is Phase.PLAN_GATE
    await signal(run, "card-moved", "Building")
    await run.until(Phase.MERGE_GATE)
    await signal(run, "card-moved", "Todo")
    assert (await run.outcome()).phase is Phase.CANCELLED


async def test_abort_reaches_a_running_session(start: StartTicket) -> None:
    world = World(delays={"take_turn": 60})
    run = await start(world)
    await run.until(lambda _: bool(world.of(TakeTurn)))
    await run.act(Action.ABORT, by="Ada")
    outcome = await run.outcome()
    assert outcome.phase is Phase.CANCELLED
    assert world.of(CloseSession), "the run is revoked"


async def test_the_page_in_the_ui_says_what_waits_and_what_to_send(start: StartTicket) -> None:
    run = await start(World())
    gate = await run.until(Phase.PLAN_GATE)
    page: WorkflowMetadata = await run.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert gate.subject in page.current_details
    assert "`approve`" in page.current_details
    described = {signal.name: signal.description for signal in page.definition.signal_definitions}
    assert all(described[action.value] for action in Action)


@pytest.mark.parametrize("steps", range(4, 26, 3))
async def test_an_abort_in_any_moment_ends_the_ticket(start: StartTicket, steps: int) -> None:
    """A cancellation can meet a step in the moment of its completion and be lost in it; the ticket must still end."""
    world = World(delays={"post_comment": 0.02, "move_ticket": 0.02})
    run = await start(world)
    while len(world.asked) < steps:
        status = await run.status()
        if status.phase in (Phase.PLAN_GATE, Phase.MERGE_GATE) and status.subject:
            await signal(run, "approve")
        await asyncio.sleep(0.005)
    try:
        await signal(run, "abort")
    except RPCError as error:  # it may have ended by then
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    assert (await run.outcome()).phase in (Phase.CANCELLED, Phase.DONE)


async def test_a_gate_takes_one_decision(start: StartTicket) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    first, second = await asyncio.gather(run.act(Action.APPROVE), run.act(Action.REJECT), return_exceptions=True)
    assert [type(said) for said in (first, second)].count(WorkflowUpdateFailedError) == 1
    assert (await run.until(lambda status: status.phase in (Phase.MERGE_GATE, Phase.DECLINED))).phase


async def test_a_decision_while_the_approved_one_is_carried_out_is_refused(start: StartTicket) -> None:
    world = World(delays={"merge_pull_request": 1.5})
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.APPROVE)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.act(Action.REJECT)
    assert "approve was taken already" in str(refused.value.cause)
    await run.until(Phase.DONE)


async def test_a_long_request_for_changes_reaches_the_fixer(start: StartTicket) -> None:
    world = World()
    world.turns[Role.FIXER] = [done("s2")]
    world.turns[Role.REVIEWER].append(submits(CLEAN, "s2"))
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.REQUEST_CHANGES, note="Sand it. " * 500)
    await run.until(lambda _: bool(world.turns_of(Role.FIXER)))
    fixer = world.turns_of(Role.FIXER)[0].order
    assert fixer is not None
    assert fixer.brief.remarks == ("Sand it. " * 500,)


async def test_a_note_beyond_all_measure_is_refused_and_breaks_nothing(start: StartTicket) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    await signal(run, "steer", "x" * 20_000)
    await run.act(Action.APPROVE)
    status = await run.until(Phase.MERGE_GATE)
    assert any("10,000 characters" in line for line in status.story)


async def test_steering_that_comes_in_the_last_turn_is_heard_by_the_next_session(start: StartTicket) -> None:
    world = World(delays={"take_turn": 0.8})
    run = await start(world)
    await run.until(lambda _: bool(world.of(TakeTurn)))
    await run.act(Action.STEER, note="Mind the paint.")
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    assert world.turns_of(Role.BUILDER)[0].steering == ("Mind the paint.",)


@pytest.mark.parametrize("payload", [5, [1], {"usd": "abc"}, {"note": 3}, True])
async def test_a_signal_that_cannot_be_understood_is_told_in_the_story(start: StartTicket, payload: object) -> None:
    run = await start(World())
    await run.until(Phase.PLAN_GATE)
    await signal(run, "approve", payload)
    told = await run.until(lambda status: any("Not understood" in line for line in status.story))
    assert told.phase is Phase.PLAN_GATE


async def test_a_pause_is_heard_while_a_top_up_is_being_put_in_force(start: StartTicket) -> None:
    world = World(delays={"take_turn": 0.1, "top_up_account": 4})
    world.turns[Role.BUILDER] = [works() for _ in range(200)]
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(lambda _: bool(world.turns_of(Role.BUILDER)))
    await run.act(Action.TOP_UP, usd=Decimal(1))
    await run.until(lambda _: bool(world.of(TopUpAccount)))
    await run.act(Action.PAUSE)
    await asyncio.sleep(1)  # the turn that was under way ends
    taken = len(world.turns_of(Role.BUILDER))
    await asyncio.sleep(1)
    assert len(world.turns_of(Role.BUILDER)) == taken
    await run.act(Action.ABORT)
    await run.outcome()


async def test_what_a_terminated_session_was_told_is_named_to_be_said_again(start: StartTicket, client: Client) -> None:
    world = World(delays={"take_turn": 0.5})
    world.turns[Role.PLANNER] = [*(works() for _ in range(5)), submits(PLAN)]
    run = await start(world)
    await run.until(lambda _: bool(world.turns_of(Role.PLANNER)))
    await run.act(Action.STEER, note="Never touch legacy/")
    session = names.session_workflow_id((await run.status()).sessions[0].session)
    await client.get_workflow_handle(session).terminate()
    blocked = await run.until(Phase.BLOCKED)
    assert "has to be said again" in blocked.waiting_for
    assert "- Never touch legacy/" in blocked.waiting_for
    await run.act(Action.RESUME)
    await run.until(Phase.PLAN_GATE)
