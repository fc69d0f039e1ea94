"""Money, tokens and turns: where a ceiling is reached the ticket waits for people or ends with its reason."""

from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.workflows.conftest import StartTicket, approved
from tests.workflows.world import World, done, policy, works
from workflows.domain.budget import Spend
from workflows.domain.decision import Action
from workflows.domain.session import Role, StopReason, TurnEnd, TurnReport
from workflows.domain.ticket import Phase
from workflows.ports.forge import PublishChange
from workflows.ports.model import OpenAccount, TopUpAccount

pytestmark = pytest.mark.server


async def test_an_empty_purse_waits_and_top_up_goes_on_with_the_same_turn(start: StartTicket) -> None:
    world = World()
    out = TurnReport(end=TurnEnd.MONEY_OUT, summary="not sent", detail="The next call may cost $0.40; $0.10 is left.")
    world.turns[Role.BUILDER] = [works(), out, done("s1")]
    run = await start(world)
    await approved(run)
    waiting = await run.until(Phase.BUDGET_GATE)
    assert "$0.10 is left" in waiting.waiting_for
    for useless in ({}, {"tokens": 5_000}):
        with pytest.raises(WorkflowUpdateFailedError):
            await run.act(Action.TOP_UP, **useless)
    await run.act(Action.TOP_UP, usd=Decimal(3))
    await run.until(Phase.MERGE_GATE)
    [opened] = world.of(OpenAccount)
    assert opened.usd is not None
    assert [top_up.usd_ceiling for top_up in world.of(TopUpAccount)] == [opened.usd + 3]
    assert [turn.seq for turn in world.turns_of(Role.BUILDER)] == [1, 2, 2]


async def test_used_up_tokens_are_topped_up_in_tokens(start: StartTicket) -> None:
    world = World(policy=policy(tokens=1_000))
    out = TurnReport(end=TurnEnd.MONEY_OUT, summary="not sent", detail="The tokens are used up.")
    world.turns[Role.BUILDER] = [out, done("s1")]
    run = await start(world)
    await approved(run)
    await run.until(Phase.BUDGET_GATE)
    assert "5,000 tokens" in await run.act(Action.TOP_UP, tokens=5_000)
    await run.until(Phase.MERGE_GATE)
    assert [top_up.tokens_ceiling for top_up in world.of(TopUpAccount)] == [6_000]


async def test_a_session_that_used_up_its_tokens_waits_for_more_of_them(start: StartTicket) -> None:
    world = World(policy=policy(tokens_per_session=100, usd=None))
    world.turns[Role.BUILDER] = [works(state="s1", spend=Spend(turns=1, input_tokens=100)), done("s2")]
    run = await start(world)
    await approved(run)
    waiting = await run.until(Phase.BUDGET_GATE)
    assert "The tokens are used up" in waiting.waiting_for
    with pytest.raises(WorkflowUpdateFailedError):
        await run.act(Action.TOP_UP, usd=Decimal(5))
    await run.act(Action.TOP_UP, tokens=5_000)
    await run.until(Phase.MERGE_GATE)
    opened = [turn.order.limits.tokens for turn in world.turns_of(Role.BUILDER) if turn.order]
    assert opened == [100, 5_100]


async def test_a_stopped_session_ends_the_ticket_with_its_reason(start: StartTicket) -> None:
    world = World(policy=policy(turns_per_session=2))
    world.turns[Role.BUILDER] = [works(state="s1"), works(state="s2"), works()]
    run = await start(world)
    await approved(run)
    outcome = await run.outcome()
    assert outcome.phase is Phase.GAVE_UP
    assert StopReason.TURNS in outcome.summary
    assert world.of(PublishChange)[-1].state == "s2"


async def test_questions_do_not_give_a_session_more_turns(start: StartTicket) -> None:
    world = World(policy=policy(turns_per_session=2))
    asks = TurnReport(end=TurnEnd.ASKED, summary="ask_human", question="Left or right?")
    world.turns[Role.BUILDER] = [asks, asks, done("s1")]
    run = await start(world)
    await approved(run)
    for _ in range(2):
        asked = await run.until(Phase.QUESTION)
        with pytest.raises(WorkflowUpdateFailedError):
            await run.act(Action.ANSWER, note="Left.", of="fffffff")
        await run.act(Action.ANSWER, note="Left.", of=asked.subject)
        await run.until(lambda now, before=asked.subject: now.subject != before)
    assert StopReason.TURNS in (await run.outcome()).summary
    assert len(world.turns_of(Role.BUILDER)) == 2
