"""How a ticket takes its steps: with patience, on the board, and with people where a step cannot go on."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ActivityConfig

from workflows import names
from workflows.desk import Ended, TicketDesk
from workflows.domain.decision import Action, Decision
from workflows.domain.failures import Failure
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Phase
from workflows.domain.words import gate_hint
from workflows.ports.notify import Note, Notify
from workflows.ports.tracker import MoveTicket, PostComment, Remark, Tracker
from workflows.trouble import message_of, to_its_end, type_of

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class Unmended(Exception):
    """A step failed in a way that no retry could mend; the message is for people."""


class TicketSteps(TicketDesk):
    """What the boxes of the flow are made of."""

    def __init__(self, order: TicketOrder) -> None:
        account = names.ticket_account(order.ref, workflow.info().first_execution_run_id)
        super().__init__(order.identifier, order.title, account, order.repository)
        self._order = order
        self._account = account
        self._comments = 0
        self._blocks = 0

    # Steps

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

    async def _attempt(
        self,
        method: Callable[[Any, Request], Coroutine[Any, Any, Reply]],
        request: Request,
        config: ActivityConfig,
    ) -> Reply | None:
        """Take a step the ticket can live without: when it fails, the story says so and the ticket goes on."""
        try:
            reply = await workflow.execute_activity_method(method, request, **config)
            self._go_on()
            return reply
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._go_on()
            self.tell(f"Left undone: {message_of(error)}")
            return None

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
        await workflow.wait_condition(lambda: self._resumed > resumed)
        self._enter(before.phase, before.subject)
        self._verdict = decided
        await self._move(before.phase.value)

    # The board and the people before it

    async def _arrive(self, phase: Phase, text: str = "", *, subject: str = "", reason: str = "") -> None:
        """Enter a phase and write it where people look. What the text says is said on the ticket, once."""
        self._enter(phase, subject, reason)
        await self._report(phase, text, key=f"{phase.name.lower()}-{self._next_comment()}")

    async def _gate(self, phase: Phase, text: str, subject: str) -> tuple[Action, Decision]:
        """Stop before a person: show what waits and its hash, and take exactly one decision on it."""
        hint = gate_hint(self._order.identifier, subject)
        await self._arrive(phase, f"{text}\n\n{hint}", subject=subject)
        return await self._verdict_of_a_person()

    async def _report(self, phase: Phase, text: str, key: str) -> None:
        shown = self._move(phase.value, self._remark(text, key) if text else None)
        if not (phase.waits_for_a_person or phase.is_final):
            await shown
            return
        note = Note(
            key=keyed(self._account, key, f"{self._status.subject} {text}"),
            identifier=self._order.identifier,
            phase=phase,
            text=self._status.waiting_for or str(phase),
        )
        told = self._attempt(Notify.post_note, note, Notify.step(f"Tell people: {phase}"))
        for result in await asyncio.gather(shown, told, return_exceptions=True):  # neither runs on when the other fails
            if isinstance(result, BaseException):
                raise result

    async def _move(self, to: str, remark: Remark | None = None) -> None:
        self._shown_phase = to
        move = MoveTicket(ref=self._order.ref, to=to, remark=remark)
        await self._attempt(Tracker.move_ticket, move, Tracker.step(f"{self._order.identifier} → {to}"))

    async def _say(self, text: str, key: str) -> None:
        comment = PostComment(ref=self._order.ref, remark=self._remark(text, key))
        await self._attempt(Tracker.post_comment, comment, Tracker.step(f"Comment on {self._order.identifier}"))

    def _remark(self, text: str, key: str) -> Remark:
        label = f"_{self._order.label}_\n\n" if self._order.label else ""
        return Remark(key=keyed(self._account, key, text), text=label + text)

    def _next_comment(self) -> int:
        self._comments += 1
        return self._comments


def keyed(account: str, name: str, text: str) -> str:
    """The key under which something is said once. A Reset counts anew, so the name alone could stand for two texts."""
    return f"{account}/{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
