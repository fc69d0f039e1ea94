"""What a night finds: a triager reads what was gathered, and what it submits is held against what is known and shown
to be true before anybody hears of it."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, is_cancelled_exception

from workflows import names
from workflows.domain.budget import Spend
from workflows.domain.change import Check
from workflows.domain.session import Brief, Limits, Role, SessionEnd, SessionOrder, SessionOutcome
from workflows.domain.ticket import Ticket, TicketRef
from workflows.domain.triage import Entry, Standing, TriageFinding, TriageOrder, TriageReport, Tried
from workflows.domain.triage_dedupe import SortedOut, sort_out
from workflows.domain.triage_look import since
from workflows.domain.triage_proof import (
    MOST_TRIED,
    is_unshown,
    must_name,
    shown,
    shown_again,
    to_try_again,
    verdict,
)
from workflows.domain.triage_words import stopped
from workflows.ports.context import Context, GatherEvidence
from workflows.ports.model import Model, OpenAccount, ReadBill
from workflows.ports.workspace import PrepareWorkspace, TryCommand, Workspace
from workflows.session import start_session
from workflows.triage_gathering import Look, NightGathering
from workflows.triage_steps import Failed
from workflows.trouble import message_of

LIMITS = Limits(turns=25, minutes=20, same_failure=3)
"""The triager's hard stops, beside the night's money."""
_TEXT = 2_000
"""Characters of an open ticket that the triager is shown."""
_REMEMBERED = 200
"""Known findings that it is told, the newest first."""
TRYING = timedelta(hours=4)
"""How long a night begins to run one finding's command after the other; a single one takes up to three hours more."""
KEPT_EVERY = 5
"""After so many findings were tried, what they have shown is kept: a night that is ended loses no more than these."""

Judge = Callable[[Entry, Tried], Entry]


class NightFinding(NightGathering):
    """The second half of a night: what costs money."""

    def __init__(self, order: TriageOrder) -> None:
        super().__init__(order)
        self._trouble = ""
        self._asked = self._workspace_made = False
        self._spend: Spend | None = Spend()
        """What the triager has cost; None: nobody can tell."""
        self._sorted = SortedOut()
        self._fresh: tuple[str, ...] = ()
        """New findings that are to be told, by id, in the triager's order."""
        self._unshown = set[str]()
        """Those that nobody had the time to show: they are the first of the next night."""

    # The triager

    async def _ask(self, look: Look) -> tuple[TriageFinding, ...]:
        """What a session on a cheap model makes of it. Where none comes about, the night goes on with what it has, and
        the next one looks at the same again."""
        if not self._is_news(look):
            return ()
        try:
            return (await self._submitted(look)).findings
        except Failed as error:
            self._trouble = str(error)
            return ()

    @property
    def _spent(self) -> Decimal:
        """Of the night's money. All of it, as long as nobody can tell what the triager has cost."""
        return self._spend.usd if self._spend else self._policy.usd_per_night or Decimal(0)

    async def _submitted(self, look: Look) -> TriageReport:
        model = self._policy.model or self._order.model
        account = OpenAccount(account=self._account, models=(model,), usd=self._policy.usd_per_night, tokens=None)
        await self._step(Model.open_account, account, Model.step("Check the model and the night's budget"))
        self._spend = None
        try:
            outcome = await self._session(await self._prepared(look, model))
        finally:
            await self._read_bill()
        if outcome.end is not SessionEnd.SUBMITTED:
            raise Failed(_why(outcome))
        return outcome.submitted(TriageReport)

    async def _read_bill(self) -> None:
        """Also of a session that failed. Where it cannot be read, what was found is told all the same."""
        try:
            reading = ReadBill(account=self._account)
            bill = await self._step(Model.read_bill, reading, Model.step("Read what the triager has cost"))
        except Failed as error:
            self._warnings.append(f"What the triager has cost could not be read: {error}")
        else:
            self._spend = bill.spend

    async def _prepared(self, look: Look, model: str) -> SessionOrder:
        evidence = await self._step(Context.gather_evidence, self._evidence(look), Context.step("Write the evidence"))
        self._workspace_made = True
        files = self._files("triager")
        preparing = PrepareWorkspace(workspace=files)
        ready = await self._step(Workspace.prepare_workspace, preparing, Workspace.step("Prepare the sandbox"))
        return SessionOrder(
            session=names.session_key(self._account, Role.TRIAGER, 1),
            account=self._account,
            role=Role.TRIAGER,
            model=model,
            brief=Brief(
                ticket=TicketRef(tracker="triage", id=self._order.name),
                identifier=self._order.name,
                title=self._title,
                ticket_text=evidence,
                guide=self._context.guide,
                checks=self._commands,
            ),
            workspace=files,
            limits=LIMITS,
            tier=ready.tier,
        )

    def _evidence(self, look: Look) -> GatherEvidence:
        newest = sorted(self._state.findings, key=lambda entry: entry.last_seen, reverse=True)
        return GatherEvidence(
            repository=self._repository,
            since=since(self._state, self._at),
            until=self._at,
            recent=look.recent,
            reports=look.failing,
            open_tickets=tuple(_shortened(ticket) for ticket in look.tickets),
            known=tuple(entry.model_copy(update={"detail": "", "tried": ()}) for entry in newest[:_REMEMBERED]),
            left_out=look.left_out,
        )

    async def _session(self, order: SessionOrder) -> SessionOutcome:
        self._show(f"A triager reads it: `{order.session}`.")
        self._asked = True
        try:
            outcome = await (await start_session(order))
        except ChildWorkflowError as error:
            if is_cancelled_exception(error):
                raise
            raise Failed(f"The session {order.session} did not end by itself: {message_of(error)}") from error
        if outcome.end is SessionEnd.CANCELLED and workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError  # the session has ended well all the same
        return outcome

    # Known, or shown to be true

    async def _verify(self, findings: tuple[TriageFinding, ...], look: Look) -> None:
        """Sort out what is known. Run the commands of the rest, and those of open findings where the base has moved:
        what does not fail any more is fixed."""
        base, known = self._repository.base_sha, self._state.findings
        self._sorted = sort_out(findings, self._state, look.tickets, base, self._at, complete=look.complete)
        self._learn(*self._sorted.again, *self._sorted.elsewhere, *self._sorted.fresh)
        self._fresh = tuple(entry.id for entry in self._sorted.fresh)
        new = [entry for entry in (*filter(is_unshown, known), *self._sorted.fresh) if entry.command]
        self._unshown = {entry.id for entry in new}
        again = [one for one in to_try_again(known, base) if one.id not in self._unshown.union(self._fresh)]
        await self._try((*((entry, shown) for entry in new[:MOST_TRIED]), *((entry, shown_again) for entry in again)))

    async def _try(self, due: Iterable[tuple[Entry, Judge]]) -> None:
        """As many as there is time for; each in fresh checkouts of the base."""
        until = workflow.now() + TRYING
        for number, (entry, judge) in enumerate(due, start=1):
            if workflow.now() >= until:
                return
            before = self._as_it_is(entry.id)
            if before and before.standing is entry.standing:  # else a person has said meanwhile how it stands
                self._learn(judge(before, await self._tried(before)))
            self._unshown.discard(entry.id)
            if number % KEPT_EVERY == 0:
                await self._remember()

    async def _tried(self, entry: Entry) -> Tried:
        base = self._repository.base_sha
        name = f"try-{entry.id}"
        trying = TryCommand(
            key=f"{self._account}.{name}",
            workspace=self._files(name),
            command=Check(name=entry.id, run=entry.command, timeout_seconds=self._context.policy.sandbox.seconds),
            times=self._policy.tries,
            names=must_name(entry),
        )
        step = Workspace.step(f"Try to see it fail, {self._policy.tries} times: {entry.subject}")
        runs = await self._step(Workspace.try_command, trying, step)
        said = runs.excerpt if not runs.broken else f"{runs.broken}\n{runs.excerpt}"
        counted = 0 if runs.broken else runs.runs
        return Tried(
            at=self._at,
            base=base,
            runs=counted,
            failed=runs.failed,
            verdict=verdict(counted, runs.failed),
            excerpt=said[-2_000:],
        )

    async def _remember(self) -> None:
        """In the state file before anybody hears of it: a night that ends here begins the next one with it. What is
        fixed is kept when people can read it. And what people have written there since is read, whatever was found."""
        known = [entry for entry in self._learned.values() if entry.standing is not Standing.FIXED]
        await self._keep("Write down what was found", known, always=True)


def _shortened(ticket: Ticket) -> Ticket:
    return ticket.model_copy(update={"body": ticket.body[:_TEXT]})


def _why(outcome: SessionOutcome) -> str:
    """How a session ended that submitted nothing."""
    return stopped(outcome.end, outcome.stop or "", outcome.question or outcome.detail)
