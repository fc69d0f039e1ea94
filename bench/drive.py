"""The person in front of the tickets: puts them on the board, approves at the gates, waits for the end."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import WorkflowHandle

from bench.machine import Machine
from infra import board, client
from infra.cards import card_path
from workflows import names
from workflows.domain.decision import Action, Decision
from workflows.domain.order import TicketOrder, TicketOutcome
from workflows.domain.ticket import Phase

_LOOK_SECONDS = 0.01
_PATIENCE_SECONDS = 300.0
_LOST = (Phase.BLOCKED, Phase.QUESTION, *(phase for phase in Phase if phase.is_final))
"""Where the synthetic ticket never is while it is waited for."""
_STATUS = re.compile(r"^status: (.+)$", re.MULTILINE)


@dataclass
class Driven:
    """A ticket under way or done."""

    identifier: str
    account: str
    handle: WorkflowHandle[Any, Any]
    outcome: TicketOutcome | None = None
    ended: float = 0.0
    """In seconds since the epoch."""


@dataclass
class Driver:
    """Looks at the cards on disk, as a person looks at the board, so that looking costs the worker nothing."""

    machine: Machine
    model: str
    under_way: dict[str, Driven] = field(default_factory=dict[str, Driven])
    _count: int = 0

    async def ticket(self) -> Driven:
        """One ticket from the board to its merged pull request."""
        driven = await self.parked()
        await self.approve(driven)
        await self._reaches(driven, Phase.MERGE_GATE)
        await self.approve(driven)
        driven.outcome = await driven.handle.result()
        driven.ended = time.time()
        del self.under_way[driven.identifier]
        return driven

    async def parked(self) -> Driven:
        """One ticket from the board to the plan gate."""
        self._count += 1
        settings, name = self.machine.settings, f"B{self.model[-4:]}-{self._count}"
        card = await asyncio.to_thread(board.create_ticket, settings.board_folder, name, "Mend the hinge", "It squeaks")
        order = TicketOrder(
            ref=card.ref,
            identifier=card.identifier,
            title=card.title,
            repository=str(self.machine.repository),
            base_branch=self.machine.base_branch(name),
            model=self.model,
            version=card.version,
        )
        started = await client.start_ticket(self.machine.client, order)
        handle = self.machine.client.get_workflow_handle(started.workflow_id, result_type=TicketOutcome)
        driven = Driven(name, names.ticket_account(card.ref, started.run_id), handle)
        self.under_way[name] = driven
        await self._reaches(driven, Phase.PLAN_GATE)
        return driven

    async def approve(self, driven: Driven) -> None:
        await client.act(self.machine.client, driven.handle.id, Action.APPROVE, Decision(by="bench"))

    async def many(self, count: int, at_once: int) -> list[Driven]:
        """So many tickets to their ends, `at_once` of them under way."""
        left = iter(range(count))
        return await crowd(self.ticket, at_once, lambda: next(left, None) is not None)

    async def _reaches(self, driven: Driven, phase: Phase) -> None:
        """Raises TimeoutError, naming where the ticket is instead."""
        card = card_path(self.machine.settings.board_folder, driven.identifier)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (status := _status(card.read_text())) != phase:
            if time.monotonic() > deadline or status in _LOST:
                raise TimeoutError(f"{driven.identifier} is at {status}, not at {phase}:\n{card.read_text()[-600:]}")
            await asyncio.sleep(_LOOK_SECONDS)


async def crowd(work: Callable[[], Any], at_once: int, more: Callable[[], bool]) -> list[Driven]:
    """Do the work again and again, `at_once` at the same time, while there is more of it."""
    done: list[Driven] = []

    async def one() -> None:
        while more():
            done.append(await work())

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one())
    return done


def _status(card: str) -> str:
    found = _STATUS.search(card)
    return found[1].strip("'\"") if found else ""
