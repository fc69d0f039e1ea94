"""What happens while nobody decides: reminded, others asked, escalated, expired; and nothing once somebody did."""

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from activities.errors import stop
from tests.workflows.conftest import StartTicket, reset_to_the_start
from tests.workflows.world import World, done, policy
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.gates import Gates, GateTerms
from workflows.domain.policy import Policy
from workflows.domain.session import Role, TurnEnd, TurnReport
from workflows.domain.ticket import Phase
from workflows.ports.forge import ClosePullRequest
from workflows.ports.notify import Note
from workflows.ports.tracker import PostComment

pytestmark = pytest.mark.server

SOON = GateTerms(remind_after=1, second=("github:bob",), second_after=2, escalate_after=3)


def with_gates(**terms: GateTerms) -> Policy:
    return policy().model_copy(update={"gates": Gates.model_validate(terms)})


def heads(world: World, asked: list[Any]) -> list[str]:
    """How the comments or notes on waiting begin, in order."""
    texts = [item.text if isinstance(item, Note) else item.remark.text for item in asked]
    starts = ("Reminder", "Asked as well", "Escalated")
    return [start for text in texts for start in starts if text.lstrip("*").startswith(start)]


async def test_a_gate_reminds_asks_others_and_escalates_once_each(start: StartTicket) -> None:
    world = World(policy=with_gates(plan=SOON))
    run = await start(world)
    gate = await run.until(Phase.PLAN_GATE)
    await run.until(lambda _: len(heads(world, world.of(Note))) == 3)
    await asyncio.sleep(1.5)
    assert (
        heads(world, world.of(Note))
        == heads(world, world.of(PostComment))
        == [
            "Reminder",
            "Asked as well",
            "Escalated",
        ]
    )
    waiting = [(said.at, said.subject) for said in world.of(PostComment)]
    assert waiting == [(Phase.PLAN_GATE, gate.subject)] * 3, "it still waits for an answer"
    notes = [note for note in world.of(Note) if "waited for" in note.text]
    assert [note.alarm for note in notes] == [False, False, True]
    assert all(note.subject == gate.subject for note in notes)
    assert "github:bob" in notes[1].text
    assert "has waited for 2 seconds. Waiting for your approval of the plan. What waits has the hash" in notes[1].text
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)


async def test_nothing_is_said_once_somebody_decided_and_every_gate_has_its_own_clock(start: StartTicket) -> None:
    world = World(policy=with_gates(plan=GateTerms(remind_after=2), merge=GateTerms(remind_after=1)))
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    await run.until(lambda _: bool(heads(world, world.of(Note))))
    await asyncio.sleep(1.5)
    reminders = [note.phase for note in world.of(Note) if "Reminder" in note.text]
    assert reminders == [Phase.MERGE_GATE]
    history = await run.handle.fetch_history()
    started = sum(event.HasField("timer_started_event_attributes") for event in history.events)
    ended = sum(event.HasField("timer_canceled_event_attributes") for event in history.events)
    fired = sum(event.HasField("timer_fired_event_attributes") for event in history.events)
    assert started == ended + fired + 2, "one timer at a time: the merge gate's next, beside that of the next look"


async def test_a_ticket_nobody_decides_about_expires_with_its_work_kept(start: StartTicket) -> None:
    world = World(policy=with_gates(merge=GateTerms(remind_after=0, expire_after=1)))
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    outcome = await run.outcome()
    assert outcome.phase is Phase.DECLINED
    assert outcome.summary.startswith("Nobody decided in 1 second at Merge gate. The work so far is kept")
    assert outcome.branch
    assert world.moves[-2:] == ["Declined", "Todo"]
    assert world.of(ClosePullRequest)
    assert any(note.phase is Phase.DECLINED for note in world.of(Note))


async def test_the_clock_of_a_paused_ticket_stands_still(start: StartTicket) -> None:
    world = World(policy=with_gates(default=GateTerms(remind_after=1, expire_after=2)))
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.PAUSE)
    await asyncio.sleep(3)
    assert (await run.status()).phase is Phase.PLAN_GATE
    assert not heads(world, world.of(Note))
    await run.act(Action.RESUME)
    assert (await run.outcome()).phase is Phase.DECLINED


async def test_question_budget_and_blocked_remind_as_well(start: StartTicket) -> None:
    bad = stop(Failure.BAD_POLICY, "WORKFLOW.md line 3: no.")
    question = TurnReport(end=TurnEnd.ASKED, summary="ask_human", question="Left or right?")
    out = TurnReport(end=TurnEnd.MONEY_OUT, summary="not sent", detail="$0.10 is left.")
    world = World(policy=with_gates(default=GateTerms(remind_after=1, escalate_after=0)), failures={"read_diff": [bad]})
    world.turns[Role.BUILDER] = [question, out, done("s1")]
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    ways: list[tuple[Phase, Action, dict[str, Any]]] = [
        (Phase.QUESTION, Action.ANSWER, {"note": "Left."}),
        (Phase.BUDGET_GATE, Action.TOP_UP, {"usd": 3}),
        (Phase.BLOCKED, Action.RESUME, {}),
    ]
    for number, (phase, action, said) in enumerate(ways, start=1):
        await run.until(lambda _, n=number: len(heads(world, world.of(Note))) == n)
        assert (await run.status()).phase is phase
        await run.act(action, **said)
    await run.until(Phase.MERGE_GATE)
    reminded = [note.phase for note in world.of(Note) if "Reminder" in note.text]
    assert reminded == [Phase.QUESTION, Phase.BUDGET_GATE, Phase.BLOCKED]


async def test_an_expiry_that_meets_an_end_changes_nothing(start: StartTicket) -> None:
    world = World(policy=with_gates(plan=GateTerms(remind_after=0, escalate_after=0, expire_after=1)))
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.TAKE_OVER)
    assert (await run.outcome()).phase is Phase.TAKEN_OVER


async def test_a_reset_says_nothing_twice(start: StartTicket, client: Client) -> None:
    world = World(policy=with_gates(plan=GateTerms(remind_after=1)))
    world.turns[Role.PLANNER] *= 2
    run = await start(world)
    await run.until(lambda _: len(heads(world, world.of(Note))) == 1)
    await reset_to_the_start(client, run)
    await run.until(lambda _: len(heads(world, world.of(Note))) == 2)
    keys = [note.key for note in world.of(Note) if "Reminder" in note.text]
    assert len(keys) == 2
    assert len(set(keys)) == 1, "the same key is said once"
