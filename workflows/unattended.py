"""How a ticket passes a gate without a person: by the rules of its policy, written down first, stopped by anybody."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.domain.decision import GATES, Action, Decision
from workflows.domain.events import meaning_of_words
from workflows.domain.intake import Words
from workflows.domain.order import TicketOrder
from workflows.domain.people import Person
from workflows.domain.policy import Policy
from workflows.domain.ticket import Phase
from workflows.domain.ticket import Ticket as Card
from workflows.domain.unattended import BY, VIA, AuditEntry, Leave, interest_of, waits
from workflows.domain.words import named
from workflows.domain.written import text_digest
from workflows.ports.audit import Audit
from workflows.steps import TicketSteps, keyed
from workflows.trouble import message_of


class TicketUnattended(TicketSteps):
    """The leave of a ticket that triage has started on level 4. Every other ticket has none, and comes by none of
    this: no history of one needs a `patched`."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._interest = ""
        """Why people are to decide from now on; empty: nothing."""
        self._status = self._status.model_copy(update={"unattended": order.unattended})
        self._written_down: AuditEntry | None = None
        """The last decision of its own."""
        self._refused_leave_at: set[str] = set()
        """Where it was said that a person decides after all."""

    def act(self, action: Action, decision: Decision) -> str:
        answer = super().act(action, decision)
        if decision.via != VIA:
            interest = interest_of(action, decision.by)
            self._interest = interest or self._interest
            if interest and self._order.unattended:
                self._nudges += 1  # so that it is said soon who decides now
        return answer

    def refused(self, action: Action, decision: Decision | str, person: Person | None = None) -> str | None:
        """Nobody can speak as the policy, whatever their place is called."""
        if isinstance(decision, Decision) and decision.via == VIA:
            return f"Only the ticket itself decides by {VIA}."
        return super().refused(action, decision, person)

    def _obey_words(self, words: Words) -> str:
        """A member who says anything at a gate but that it is right, or asks how it stands, wants to be asked, whether
        it was understood and taken or not."""
        meaning = meaning_of_words(self._status.phase, words.text)
        asks = meaning is None or (not isinstance(meaning, str) and meaning[0] is Action.APPROVE)
        if self._order.unattended and self._status.phase in GATES and not asks and not self._interest:
            self._interest = f"{named(words.by.shown)} has said something here"
            self._nudges += 1
        return super()._obey_words(words)

    def _mind_text(self, card: Card) -> None:
        """Agents obey what a card says: where nobody watches, that is what triage has written and nothing else."""
        is_as_filed = text_digest(card.title, card.body) == self._order.text and not card.attachments
        if self._order.text and not is_as_filed:
            self._interest = self._interest or "its card has another text than triage has written, or files"

    def _leave_of(self, policy: Policy) -> Leave:
        return Leave(
            why=self._order.unattended,
            kind=self._order.kind,
            policy=policy,
            interest=self._interest,
            decisions=self._status.decisions,
        )

    def _disturbed(self) -> str:
        """How people have come before it, in words; empty: nobody has decided, paused or ended it."""
        acted = self._verdict or self._status.paused or self._ending
        return self._interest or ("a person was faster" if acted else "")

    async def _decided_itself(
        self,
        leave: Leave,
        subject: str,
        base: str,
        pull_request: str = "",
        look_again: Callable[[], Awaitable[str]] | None = None,
    ) -> Decision | None:
        """Approve what waits here, as a person would. None where it cannot be written down, or where something came
        between: `look_again` says what, in words, once it is written. Then it goes on waiting."""
        phase, now = self._status.phase, workflow.now()
        key = keyed(self._account, f"unattended-{phase.name.lower()}", f"{subject} {now.isoformat()}")
        entry = AuditEntry(
            key=key,
            at=now,
            ticket=self._order.ref.key,
            identifier=self._order.identifier,
            run=workflow.info().first_execution_run_id,
            repository=self._order.repository,
            base=base,
            action=Action.APPROVE,
            phase=phase,
            subject=subject,
            why=leave.why,
            pull_request=pull_request,
        )
        if self._disturbed() or not await self._audited(entry):
            return None
        self._written_down = entry
        if why := self._disturbed() or (await look_again() if look_again else "") or self._disturbed():
            await self._withdrawn(why)
            return None
        decision = Decision(by=BY, via=VIA, of=subject, note=leave.why, id=key[-64:])
        self.act(Action.APPROVE, decision)
        return decision

    async def _withdrawn(self, why: str) -> None:
        """Write down that its last decision is not carried out after all."""
        if entry := self._written_down:
            await self._audited(entry.model_copy(update={"key": f"{entry.key}/withdrawn", "withdrawn": why[:300]}))

    async def _audited(self, entry: AuditEntry) -> bool:
        """Whether it stands in the log. What does not stand there is not done."""
        step = Audit.step(f"Write down: {entry.action} at {entry.phase}, unattended")
        try:
            await workflow.execute_activity_method(Audit.append_audit, entry, **step)
        except ActivityError as error:
            self._go_on()
            if is_cancelled_exception(error):
                raise
            self._interest = self._interest or "the audit log cannot be written"
            self.tell(f"The audit log cannot be written, so a person decides: {message_of(error)}")
            return False
        self._go_on()
        return True

    def _person_decides(self, phase: Phase, subject: str, why: str) -> str:
        """What is said of it, once for each thing that waits; empty where it was said, or there was no leave at all."""
        said = f"{phase} {subject} {why}"
        if not self._order.unattended or said in self._refused_leave_at:
            return ""
        self._refused_leave_at.add(said)
        return waits(phase, why)

    def _remaining(self, grace: int) -> timedelta:
        """Of the time in which anybody can object, from the opening of the gate on."""
        return max(timedelta(), self._entered_at + timedelta(seconds=grace) - workflow.now())
