"""How a ticket waits for people: it stops before them, and while nobody decides it reminds, asks others, and ends."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

from workflows.desk import Ended
from workflows.domain.decision import Action, Decision
from workflows.domain.gates import Due, GateRules, agenda
from workflows.domain.order import TicketOrder
from workflows.domain.replies import expired, overdue
from workflows.domain.ticket import Phase
from workflows.domain.words import gate_hint
from workflows.telling import TicketVoice


class TicketGates(TicketVoice):
    """Phases, gates and their clock."""

    def __init__(self, order: TicketOrder, account: str) -> None:
        super().__init__(order, account)
        self._comments = 0
        self._waits = 0

    async def _arrive(
        self, phase: Phase, text: str = "", *, subject: str = "", reason: str = "", body: str = ""
    ) -> None:
        """Enter a phase and write it where people look. What the text says is said on the ticket, once."""
        self._enter(phase, subject, reason)
        await self._report(phase, text, key=f"{phase.name.lower()}-{self._next_comment()}", body=body)

    async def _gate(self, phase: Phase, text: str, subject: str) -> tuple[Action, Decision]:
        """Stop before a person: show what waits and its hash, and take exactly one decision on it."""
        hint = gate_hint(self._order.identifier, subject, self._order.ref.tracker != "board")
        await self._arrive(phase, f"{text.strip()}\n\n{hint}", subject=subject, body=text)
        return await self._verdict_of_a_person()

    async def _verdict_of_a_person(self) -> tuple[Action, Decision]:
        """Wait until somebody decides at the gate that is open."""
        await self._until_people(lambda: self._verdict is not None)
        assert self._verdict is not None  # noqa: S101  # for the type checker: the condition above
        return self._verdict

    async def _until_people(self, have_acted: Callable[[], bool]) -> None:
        """Wait until people have acted; meanwhile do what the gate's rules have due. One timer at a time, and none
        while the ticket is paused: its clock stands still then."""
        if not workflow.patched("gates-with-time"):
            return await workflow.wait_condition(have_acted)
        self._waits += 1
        name, rules = f"{self._status.phase.name.lower()}-{self._waits}", self._gates.at(self._status.phase)
        waited = timedelta()
        for seconds, due in agenda(rules):
            waited = await self._unpaused(have_acted, waited, timedelta(seconds=seconds))
            if have_acted():
                return None
            await self._fall_due(due, seconds, rules, name)
        return await workflow.wait_condition(have_acted)

    async def _unpaused(self, have_acted: Callable[[], bool], waited: timedelta, enough: timedelta) -> timedelta:
        """Wait until people have acted, or have let the ticket wait for `enough`; return how long it has waited."""
        while waited < enough:
            await workflow.wait_condition(lambda: have_acted() or not self._status.paused)
            if have_acted():
                return waited
            began = workflow.now()
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: have_acted() or self._status.paused,
                    timeout=enough - waited,
                    timeout_summary=f"Nobody has decided at {self._status.phase}",
                )
                waited += workflow.now() - began
                continue
            return enough
        return waited

    async def _fall_due(self, due: Due, seconds: int, rules: GateRules, name: str) -> None:
        if due is Due.EXPIRE:
            reason = expired(seconds, self._status)
            self.tell(f"Expired: {reason}")
            self._ending = self._ending or Ended(Phase.DECLINED, reason, puts_back=True)
            return
        text = overdue(due, seconds, self._status, rules)
        self._show(reminded=workflow.now())
        self.tell(text.replace("*", ""))
        key = f"{due}-{name}"
        await self._say(text, key, waits=True)
        await self._notify(key, text, text.replace("*", ""), "", alarm=due is Due.ESCALATE)

    def _next_comment(self) -> int:
        self._comments += 1
        return self._comments
