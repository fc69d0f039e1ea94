"""How a ticket takes its steps: with patience, and with people where a step cannot go on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ActivityConfig

from workflows import names
from workflows.desk import Ended
from workflows.domain.failures import Failure
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Phase
from workflows.gates import TicketGates
from workflows.telling import keyed as keyed
from workflows.trouble import message_of, to_its_end, type_of

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class Unmended(Exception):
    """A step failed in a way that no retry could mend; the message is for people."""


class TicketSteps(TicketGates):
    """What the boxes of the flow are made of."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order, names.ticket_account(order.ref, workflow.info().first_execution_run_id))
        self._blocks = 0

    async def _step(
        self,
        method: Callable[[Any, Request], Coroutine[Any, Any, Reply]],
        request: Request,
        config: ActivityConfig,
        keep: Callable[[Reply], None] | None = None,
    ) -> Reply:
        """Take one step. What no retry could mend waits in Blocked until a person resumes it; nothing is lost."""
        while True:
            try:
                return await self._taken(method, request, config, keep)
            except Unmended as error:
                await self._blocked(str(error))

    async def _taken(
        self,
        method: Callable[[Any, Request], Coroutine[Any, Any, Reply]],
        request: Request,
        config: ActivityConfig,
        keep: Callable[[Reply], None] | None = None,
    ) -> Reply:
        """The step itself. Raises Unmended.

        A step with `keep` is not cut short when people end the ticket meanwhile: `keep` gets its reply, so that what
        was done outside is known and can be undone.
        """
        await workflow.wait_condition(lambda: not self._status.paused)
        try:
            taking = workflow.execute_activity_method(method, request, **config)
            if keep:
                reply = await to_its_end(asyncio.ensure_future(taking))
                keep(reply)
            else:
                reply = await taking
        except ActivityError as error:
            self._go_on()
            if is_cancelled_exception(error):
                raise
            if type_of(error) == Failure.CLAIM_LOST:
                raise Ended(Phase.CANCELLED, message_of(error)) from error
            raise Unmended(message_of(error)) from error
        self._go_on()
        return reply

    async def _blocked(self, cause: str) -> None:
        """Wait until a person has mended the cause and says resume; then be where we were."""
        before, decided, resumed = self._status, self._verdict, self._resumed
        self._blocks += 1
        self._enter(Phase.BLOCKED, reason=cause)
        self.tell(f"Blocked: {cause}")
        name = self._order.identifier
        text = (
            f"**Blocked.** {cause}\n\nMend it, then `pawl resume {name}`. Where the order itself is wrong (repository, "
            f"branch, model, tape): `pawl abort {name}`, and start it again."
        )
        await self._report(Phase.BLOCKED, text, key=f"blocked-{self._blocks}")
        await self._until_people(lambda: self._resumed > resumed)
        self._enter(before.phase, before.subject)
        self._verdict = decided
        await self._move(before.phase.value)
