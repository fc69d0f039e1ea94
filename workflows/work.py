"""The work on a ticket's files: sessions that submit, strikes until the checks pass, and the branch that keeps it."""

from dataclasses import dataclass
from typing import Any

from workflows import names
from workflows.crew import TicketCrew
from workflows.desk import Ended
from workflows.domain.change import Change, CheckReport, Repository
from workflows.domain.decision import Action, Decision
from workflows.domain.environment import Environment
from workflows.domain.order import TicketOrder
from workflows.domain.plan import Risk
from workflows.domain.policy import Policy
from workflows.domain.session import Brief, Role, SessionEnd, SessionOutcome, WorkDone, WorkspaceOrder
from workflows.domain.stops import Strike, no_progress
from workflows.domain.ticket import Phase, Ticket
from workflows.domain.words import counted, push_gate_text, size_of, strike_comment, trailers
from workflows.ports.forge import Forge, PublishChange
from workflows.ports.workspace import RunChecks, Workspace


@dataclass(frozen=True)
class Ground:
    """What is known once the ticket is claimed and everything is prepared."""

    ticket: Ticket
    repository: Repository
    policy: Policy
    environment: Environment
    brief: Brief
    branch: str
    proposed_flake: str
    """To be shown to people; empty: none."""


class TicketWork(TicketCrew):
    """What changes files, and what keeps the changes."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._ground: Ground | None = None
        self._published: str | None = None
        self._head = ""
        self._change: Change | None = None
        """What was pushed last."""
        self._allowed = ""
        """The digest of what a person has allowed to be pushed."""
        self._strikes = 0
        self._plan_approval: Decision | None = None
        self._risks: tuple[Risk, ...] = ()
        """As builder and fixers saw it, of each piece of work that passed the checks."""

    @property
    def _on(self) -> Ground:
        if self._ground is None:
            raise RuntimeError("the ticket is not prepared yet")
        return self._ground

    def _files(self) -> WorkspaceOrder:
        """The ticket's checkout with the files as the last session left them."""
        return WorkspaceOrder(
            key=names.workspace_key(self._account),
            ticket=self._order.identifier,
            repository=self._on.repository,
            state=self._state,
            sandbox=self._on.policy.sandbox,
            environment=self._on.environment,
        )

    def _told(self, **more: Any) -> Brief:
        """The ticket's brief, with what this session is told on top."""
        return self._on.brief.model_copy(update=more)

    async def _submitted(self, role: Role, brief: Brief, last: SessionOutcome | None) -> SessionOutcome:
        """A session's work until it submits. Stopped by a rule, it ends the ticket with that rule's words."""
        outcome = await self._work(role, brief, self._files(), last)
        if outcome.end is not SessionEnd.SUBMITTED:
            raise Ended(Phase.GAVE_UP, f"The {role} was stopped: {outcome.stop}. {outcome.detail}".strip())
        return outcome

    async def _work_until_pushed(self, role: Role, brief: Brief) -> WorkDone:
        """The strike loop: an attempt, the checks in a fresh checkout, a look at what would leave; the raw failure
        back to the same agent. What a person asks to change at the push gate goes back as well, and is no strike."""
        last: SessionOutcome | None = None
        strikes: tuple[Strike, ...] = ()
        while len(strikes) < self._budget.strikes:
            last = await self._submitted(role, brief, last)
            work = last.submitted(WorkDone)
            report = await self._checked(role, brief)
            if report.ok:
                self.tell(f"The checks pass: {report.summary}")
                self._risks = (*self._risks, work.risk)
                said = await self._pushed()
                if said is None:
                    return work
                if isinstance(said, str):
                    await self._arrive(Phase.BUILDING)
                    brief = brief.model_copy(update={"failure": "", "remarks": (said,)})
                    continue
                report = said
            strikes = (*strikes, Strike(state=self._state or "", fingerprint=report.fingerprint))
            await self._struck(strikes, report)
            brief = brief.model_copy(
                update={"failure": report.log, "remarks": (f"Your last attempt failed: {report.summary}.",)}
            )
        raise Ended(Phase.GAVE_UP, f"The checks still fail after {counted(len(strikes), 'strike')}.")

    async def _struck(self, strikes: tuple[Strike, ...], report: CheckReport) -> None:
        """Count the failed attempt and say it on the ticket. Ends the ticket when another one is pointless."""
        self._strikes += 1
        said = f"Strike {len(strikes)} of {self._budget.strikes}: {report.summary}"
        self.tell(said)
        await self._say(strike_comment(said, report.excerpt), key=f"strike-{self._strikes}")
        if reason := no_progress(strikes):
            raise Ended(Phase.GAVE_UP, f"No progress: {reason} ({report.summary}).")

    async def _checked(self, role: Role, brief: Brief) -> CheckReport:
        if self._state is None:
            return CheckReport(ok=False, summary="nothing was changed: the files equal the base commit", log="")
        checks = RunChecks(
            key=names.checks_key(self._account, role, self._parts[role]),
            workspace=self._files(),
            checks=brief.checks,
        )
        step = Workspace.step(f"Run the checks on the work of {role} {self._parts[role]}")
        return await self._step(Workspace.run_checks, checks, step)

    async def _pushed(self) -> CheckReport | str | None:
        """Push the files as they passed the checks, with a person's leave where that is needed. What is returned is
        why they were not: for the agent, as a failed check, or in a person's words."""
        if self._state == self._published:
            return None
        while True:
            step = Forge.step(f"Push {self._on.branch}")
            change = await self._step(Forge.publish_change, self._publication(), step, self._note_published)
            if change.pushed or change.refused:
                return change.refused
            words = await self._refused_leave(change)
            if words is not None:
                return words

    async def _refused_leave(self, change: Change) -> str | None:
        """Ask a person for what nobody else may allow. None when it is allowed, else what they want changed."""
        text = push_gate_text(change)
        self._show(change=text)
        action, decision = await self._gate(Phase.PUSH_GATE, text, change.head_sha)
        if action is Action.REJECT:
            raise Ended(Phase.DECLINED, f"The change was rejected before it was pushed. {decision.note}".strip())
        if action is Action.REQUEST_CHANGES:
            return decision.note
        self._allowed = change.asks_digest
        return None

    def _note_published(self, change: Change) -> None:
        if change.pushed:
            self._change, self._head, self._published = change, change.head_sha, self._state
            self.tell(f"Pushed to {change.branch}: {size_of(change)}")

    async def _keep_the_work(self) -> None:
        """What an agent made and nobody has published yet is pushed to the branch, so that no end loses it. What may
        not leave stays on this machine, and the story says where."""
        if self._state is None or self._state == self._published:
            return
        keeping = self._publication("Unfinished: ")
        change = await self._attempt(Forge.publish_change, keeping, Forge.step("Keep the unfinished work"))
        if change and change.pushed:
            self._head = change.head_sha
        elif change:
            why = change.refused.summary if change.refused else "nobody allowed it"
            self.tell(f"The unfinished work was not pushed: {why}. It is kept in the journal as {self._state}")

    def _publication(self, prefix: str = "") -> PublishChange:
        return PublishChange(
            repository=self._on.repository,
            branch=self._on.branch,
            state=self._state or "",
            message=f"{prefix}{self._on.ticket.title[:200]}\n\n{self._trailers()}",
            previous_head=self._head,
            limits=self._on.policy.change,
            protected=self._on.policy.protected,
            secrets=self._on.policy.secrets,
            allowed=self._allowed,
        )

    def _trailers(self) -> str:
        approval = self._plan_approval or Decision()
        return trailers(self._order.identifier, approval.by, approval.email)
