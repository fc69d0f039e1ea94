"""Loops for tests: the real flow around work that says what the test wants, and the command line beside it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.notify.console import ConsoleNotify
from activities.schedules import TemporalSchedules
from tests.infra.command_line import Answer, pawl
from workflows import names
from workflows.domain.loop import Round
from workflows.loop import Loop


@dataclass
class Work:
    """What the rounds were asked to do, and what they answer."""

    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    answer: Round | None = field(default_factory=lambda: Round(says="Nothing was found."))
    """None: it fails, as by a mistake in the code."""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Rounds end once it is set."""

    @activity.defn(name="do-the-work")
    async def do(self, order: dict[str, Any]) -> Round:
        self.asked.append(order)
        await self.go.wait()
        if self.answer is None:
            raise ApplicationError("A mistake was made.", non_retryable=True)
        return self.answer

    @property
    def moments(self) -> list[str]:
        return [order["at"] for order in self.asked]


@workflow.defn(name="Triage")
class TriageDouble:
    """A triage that finds what the test says."""

    @workflow.run
    async def run(self, order: dict[str, Any]) -> Round:
        return await workflow.execute_activity(
            "do-the-work", order, result_type=Round, start_to_close_timeout=timedelta(minutes=1)
        )


@asynccontextmanager
async def working(client: Client, folder: Path) -> AsyncGenerator[Work]:
    """A worker for loops whose work is the test's, and which begins and ends at once until `go` is cleared."""
    work = Work()
    work.go.set()
    ports = [*TemporalSchedules(client).activities(), *ConsoleNotify(folder / "notes.log").activities()]
    async with Worker(
        client,
        task_queue=names.WORK,
        workflows=[Loop, TriageDouble],
        activities=[work.do, *ports],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        try:
            yield work
        finally:
            work.go.set()


@dataclass
class Typed:
    """`pawl schedule` as typed at one home, beside the test's own worker."""

    home: Path
    address: str

    async def __call__(self, *arguments: str, **env: str) -> Answer:
        told = {"TEMPORAL_ADDRESS": self.address, "PAWL_MODEL": "a:m", **env}
        return await asyncio.to_thread(lambda: pawl(self.home, "schedule", *arguments, cwd=None, **told))
