"""How long the world may keep a ticket waiting before another worker tries."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.interceptor import StepInterceptor
from workflows.ports import SILENCE, Port
from workflows.ports.agent import Agent
from workflows.ports.context import Context
from workflows.ports.forge import Forge
from workflows.ports.model import Model
from workflows.ports.notify import Notify
from workflows.ports.tracker import Tracker
from workflows.ports.workspace import Workspace


@pytest.mark.parametrize("port", [Agent, Context, Forge, Model, Notify, Tracker, Workspace])
def test_a_killed_workers_step_is_missed_within_two_seconds(port: type[Port]) -> None:
    assert port.step("Do it").get("heartbeat_timeout") == SILENCE < timedelta(seconds=2)


@activity.defn
async def long_step() -> int:
    await asyncio.sleep(2.5 * SILENCE.total_seconds())
    return activity.info().attempt


@workflow.defn
class Waits:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(
            long_step, start_to_close_timeout=timedelta(minutes=1), heartbeat_timeout=SILENCE
        )


@asynccontextmanager
async def working(client: Client, queue: str) -> AsyncGenerator[None]:
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Waits],
        activities=[long_step],
        interceptors=[StepInterceptor()],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=timedelta(seconds=1),
    ):
        yield


@pytest.mark.server
async def test_a_step_longer_than_that_is_still_taken_once(client: Client) -> None:
    queue = uuid4().hex
    async with working(client, queue):
        assert await client.execute_workflow(Waits.run, id=queue, task_queue=queue) == 1
