"""A ticket's workflow that writes down what it hears, and how tests get at it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from infra.ingress.deliver import CARD_MOVED, PULL_REQUEST_MOVED, SAID
from workflows import names
from workflows.domain.intake import CardMove, Words
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Phase

ENDS = "end"
WAITS = "waits for a person"
"""An order's label."""
SHOWS = "show"


@workflow.defn(name="Ticket")
class Recorder:
    """Its pull request is the order's base branch, where it has one."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._ended = False

    @workflow.run
    async def run(self, order: TicketOrder) -> list[str]:
        if order.base_branch:
            update = names.PULL_REQUEST.value_set(order.base_branch)
            workflow.upsert_search_attributes([update])  # pyright: ignore[reportUnknownMemberType]
        if order.label == WAITS:
            workflow.upsert_search_attributes(  # pyright: ignore[reportUnknownMemberType]
                [names.NEEDS_PERSON.value_set(True), names.PHASE.value_set(Phase.PLAN_GATE.value)]
            )
        await workflow.wait_condition(lambda: self._ended)
        return self._heard

    @workflow.signal(name=CARD_MOVED)
    def card_moved(self, move: CardMove) -> None:
        self._heard.append(f"moved {move.id} to {move.status} by {move.by}")

    @workflow.signal(name=SAID)
    def said(self, words: Words) -> None:
        self._heard.append(f"{words.by.key} said {words.id}: {words.text}{' STOP' if words.stop else ''}")

    @workflow.signal(name=PULL_REQUEST_MOVED)
    def pull_request_moved(self) -> None:
        self._heard.append("pull request moved")

    @workflow.signal(name=SHOWS)
    def show(self, phase: str) -> None:
        workflow.upsert_search_attributes([names.PHASE.value_set(phase)])  # pyright: ignore[reportUnknownMemberType]

    @workflow.signal(name=ENDS)
    def end(self) -> None:
        self._ended = True

    @workflow.query
    def heard(self) -> list[str]:
        return self._heard


@asynccontextmanager
async def recording(client: Client) -> AsyncGenerator[None]:
    """A worker that serves recorders."""
    worker = Worker(client, task_queue=names.WORK, workflows=[Recorder], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker:
        yield


async def heard(client: Client, workflow_id: str) -> list[str]:
    """What a running recorder has heard. Needs the worker."""
    return await client.get_workflow_handle(workflow_id).query(Recorder.heard)


async def ended(client: Client, workflow_id: str) -> list[str]:
    """End the recorder; all that it has heard. Needs the worker."""
    handle = client.get_workflow_handle(workflow_id, result_type=list[str])
    await handle.signal(ENDS)
    return await handle.result()


async def runs(client: Client, workflow_id: str, wanted: int) -> int:
    """How many runs the id ever had, once at least so many are listed: the list lags behind."""
    found = 0
    for _ in range(100):
        found = (await client.count_workflows(f"WorkflowId = '{workflow_id}'")).count
        if found >= wanted:
            break
        await asyncio.sleep(0.05)
    return found
