"""Flows under the reloading workflow sandbox, which refuses clocks and randomness in every module of ours."""

from uuid import uuid4

import pytest
from temporalio.client import Client

from tests.workflows.conftest import StartTicket, a_worker
from tests.workflows.nights import Nights, finding, finds, policy
from tests.workflows.world import World
from workflows.domain.decision import Action
from workflows.domain.loop import LoopOrder
from workflows.domain.ticket import Phase
from workflows.loop import Loop

pytestmark = pytest.mark.server


async def test_a_whole_ticket_runs_with_every_module_reloaded(start: StartTicket) -> None:
    run = await start(World(), strict=True)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.APPROVE)
    assert (await run.outcome()).phase is Phase.DONE


async def test_a_night_runs_with_every_module_reloaded(client: Client) -> None:
    world, queue = World(policy=policy(level=2)), f"test-{uuid4().hex}"
    finds(world, finding())
    night = Nights(client, queue)
    order = LoopOrder(name=night.name, flow="Triage", order=night.order().model_dump(mode="json"))
    async with a_worker(client, world, queue, strict=True):
        said = await client.execute_workflow(Loop.run, order, id=f"{night.name}-now", task_queue=queue)
    assert said.says.startswith("1 new finding. Written: F-1.")
