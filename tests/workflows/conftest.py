"""Running one ticket in a world of its own."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.interceptor import StepInterceptor
from infra.runner import workflow_runner
from tests.workflows.nights import Nights, StartNights
from tests.workflows.world import World
from workflows import names
from workflows.domain.decision import Action, Decision
from workflows.domain.order import TicketOrder, TicketOutcome, TicketStatus
from workflows.domain.ticket import Phase, TicketRef
from workflows.loop import Loop
from workflows.session import Session
from workflows.ticket import Ticket
from workflows.triage import Triage


@dataclass
class Run:
    """A started ticket, as people handle it."""

    handle: WorkflowHandle[Any, TicketOutcome]

    async def status(self) -> TicketStatus:
        return await self.handle.query("status", result_type=TicketStatus)

    async def until(self, holds: Phase | Callable[[TicketStatus], bool]) -> TicketStatus:
        """Wait until the ticket is in a phase, or until something holds of its status."""
        async with asyncio.timeout(60):
            while True:
                status = await self.status()
                if holds(status) if callable(holds) else status.phase is holds:
                    return status
                await asyncio.sleep(0.02)

    async def act(self, action: Action, **decision: Any) -> str:
        """The update: what is refused raises WorkflowUpdateFailedError with the words as its cause."""
        return await self.handle.execute_update(  # pyright: ignore[reportUnknownMemberType]  # generic in the SDK
            action.value, Decision(**decision), result_type=str
        )

    async def outcome(self) -> TicketOutcome:
        async with asyncio.timeout(60):
            return await self.handle.result()


StartTicket = Callable[..., Awaitable[Run]]
_END_SECONDS = 30


@asynccontextmanager
async def a_worker(
    client: Client, world: World, queue: str, strict: bool = False, more: Sequence[type] = ()
) -> AsyncGenerator[None]:
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Ticket, Session, Loop, Triage, *more],
        activities=world.adapters(),
        interceptors=[StepInterceptor()],
        max_heartbeat_throttle_interval=timedelta(seconds=1),
        workflow_runner=workflow_runner(strict=strict),
    )
    await worker.__aenter__()
    try:
        yield
    finally:
        await _left(worker, sys.exc_info()[0])


async def _left(worker: Worker, why: type[BaseException] | None) -> None:
    """Wait for the worker's end, but not for ever: about once in some thousand times the SDK's does not end although
    all its steps have. Pawl's own processes are killed then; here it is told, with what every task waits for."""
    leaving = asyncio.create_task(worker.__aexit__(why))
    ended, _ = await asyncio.wait({leaving}, timeout=_END_SECONDS)
    if ended:
        return await leaving
    print(f"A worker has not ended within {_END_SECONDS} s. The tasks of its loop:", file=sys.__stderr__)
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.__stderr__)
    leaving.cancel()
    return None


@pytest.fixture
async def start(client: Client) -> AsyncIterator[StartTicket]:
    """`run = await start(world, **order)`: a ticket in that world, on a queue and with an id of its own."""
    async with AsyncExitStack() as stack:

        async def started(world: World, *, strict: bool = False, **order: Any) -> Run:
            queue = f"test-{uuid4().hex}"
            await stack.enter_async_context(a_worker(client, world, queue, strict))
            ref = TicketRef(tracker="board", id=f"T-{uuid4().hex[:12]}")
            wanted = TicketOrder.model_validate(
                {"ref": ref, "identifier": ref.id, "repository": "/srv/hinge", "model": "tape:x", **order}
            )
            handle = await client.start_workflow(Ticket.run, wanted, id=names.ticket_workflow_id(ref), task_queue=queue)
            return Run(handle)

        yield started


@pytest.fixture
async def nights(client: Client) -> AsyncIterator[StartNights]:
    """`run = await nights(world)`, `await run.next()`: nights of triage in that world, on a queue of their own."""
    async with AsyncExitStack() as stack:

        async def begun(world: World) -> Nights:
            queue = f"test-{uuid4().hex}"
            await stack.enter_async_context(a_worker(client, world, queue))
            return Nights(client, queue)

        yield begun


async def reset_to_the_start(client: Client, run: Run) -> None:
    """Reset the ticket in Temporal to its first workflow task; the handle follows to the new run."""
    first = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    events = (await run.handle.fetch_history()).events
    execution = WorkflowExecution(workflow_id=run.handle.id)
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=execution,
            reason="test",
            workflow_task_finish_event_id=next(event.event_id for event in events if event.event_type == first),
            request_id=f"reset-{run.handle.id}",
        )
    )
    run.handle = client.get_workflow_handle(run.handle.id)


async def approved(run: Run) -> None:
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE, by="Ada")
