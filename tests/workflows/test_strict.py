"""Flows under the reloading workflow sandbox, which refuses clocks and randomness in every module of ours."""

import pytest

from tests.workflows.conftest import StartTicket
from tests.workflows.world import World
from workflows.domain.decision import Action
from workflows.domain.ticket import Phase

pytestmark = pytest.mark.server


async def test_a_whole_ticket_runs_with_every_module_reloaded(start: StartTicket) -> None:
    run = await start(World(), strict=True)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.APPROVE)
    assert (await run.outcome()).phase is Phase.DONE
