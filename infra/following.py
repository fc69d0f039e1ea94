"""Staying with a ticket: its status again and again, what is new in its story, which step stands in its way."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from temporalio.client import Client

from infra.client import ANSWER, ticket_line, ticket_status
from infra.exits import OutOfReach, PawlError
from infra.temporal import translated
from workflows.domain.model import Record
from workflows.domain.order import TicketStatus

_MOST_WORDS = 500
_PATIENCE_SECONDS = 5.0


async def statuses(
    client: Client, workflow_id: str, every_seconds: float, away: Callable[[OutOfReach], None] = lambda _: None
) -> AsyncGenerator[TicketStatus]:
    """The ticket's status, again and again, until it has ended by itself or was ended in Temporal. `away` hears each
    time that nobody answers; the ticket only waits then."""
    while True:
        try:
            ended = (await ticket_line(client, workflow_id)).ended is not None
            status = await ticket_status(client, workflow_id)
        except OutOfReach as error:
            away(error)
        else:
            yield status
            if ended:
                return
        await asyncio.sleep(every_seconds)


def news(story: Sequence[str], told: str) -> Sequence[str]:
    """What the story says after the sentence that was told last; the story itself forgets its oldest sentences."""
    known = len(story) - story[::-1].index(told) if told in story else 0
    return story[known:]


class Trouble(Record):
    """A step that failed and is tried again."""

    step: str
    attempt: int
    """The one that is waited for now."""
    failure: str
    """In the words of the last attempt."""

    @property
    def sentence(self) -> str:
        return f"{self.step} is being tried again (attempt {self.attempt}). The last time: {self.failure}"


async def troubles(client: Client, workflow_id: str) -> tuple[Trouble, ...]:
    """What the ticket or a session of it is trying again now."""
    with translated(workflow_id):
        about = (await client.get_workflow_handle(workflow_id).describe(rpc_timeout=ANSWER)).raw_description
    found = [
        Trouble(step=step.activity_type.name, attempt=step.attempt, failure=step.last_failure.message[:_MOST_WORDS])
        for step in about.pending_activities
        if step.attempt > 1 and step.last_failure.message
    ]
    for child in about.pending_children:
        found += await troubles(client, child.workflow_id)
    return tuple(found)


async def tell_troubles(client: Client, workflow_id: str, tell: Callable[[Trouble], None]) -> None:
    """Tell which step fails and is tried again, each failure of a step once, so that nobody waits without knowing what
    for. Runs until it is cancelled."""
    told: set[tuple[str, str]] = set()
    while True:
        await asyncio.sleep(_PATIENCE_SECONDS)
        with suppress(PawlError):
            for trouble in await troubles(client, workflow_id):
                if (trouble.step, trouble.failure) not in told:
                    tell(trouble)
                    told.add((trouble.step, trouble.failure))
