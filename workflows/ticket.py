"""Ticket: from the board to a merged pull request, one workflow until merged or given up."""

import asyncio

from temporalio import workflow

from workflows import names
from workflows.aftercare import TicketAftercare
from workflows.desk import Ended
from workflows.domain.budget import Bill
from workflows.domain.change import PullRequest
from workflows.domain.decision import Action, Decision
from workflows.domain.events import phase_of
from workflows.domain.evidence import evidence
from workflows.domain.order import TicketOrder, TicketOutcome
from workflows.domain.plan import Plan, PlanDraft
from workflows.domain.session import Brief, Role, SessionOutcome, WorkDone
from workflows.domain.ticket import Phase
from workflows.domain.ticket import Ticket as Card
from workflows.domain.unattended import passed, plan_waits, waits
from workflows.domain.words import counted, preparing_words, pull_request_body, sandbox_words, summary
from workflows.ports.context import Context, GatherContext
from workflows.ports.forge import (
    ClosePullRequest,
    Forge,
    OpenPullRequest,
    OpenRepository,
)
from workflows.ports.model import Model, ReadBill
from workflows.ports.tracker import ClaimTicket, Tracker
from workflows.ports.workspace import DestroyWorkspace, PrepareWorkspace, Workspace
from workflows.steps import Unmended
from workflows.trouble import to_its_end
from workflows.work import Ground


@workflow.defn(name="Ticket")
class Ticket(TicketAftercare):
    """One ticket on its way. `_way` is the picture in the README; each box is one private method."""

    @workflow.init
    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._card_before = ""
        self._claimed = False
        self._account_is_open = False
        self._approved: Plan | None = None
        self._approved_by = ""

    @workflow.run
    async def run(self, order: TicketOrder) -> TicketOutcome:
        self._attend()
        way = asyncio.ensure_future(self._way())
        try:
            await workflow.wait_condition(lambda: way.done() or self._ending is not None)
        except asyncio.CancelledError:
            self._ending = self._ending or Ended(Phase.CANCELLED, "Cancelled from Temporal.")
        if not way.done():
            way.cancel()
        (stopped,) = await to_its_end(asyncio.gather(way, return_exceptions=True))
        end = self._merged() or self._ending or stopped
        if not isinstance(end, Ended):
            raise end
        return await to_its_end(asyncio.ensure_future(self._hand_back(end)))

    async def _way(self) -> Ended:
        try:
            card = await self._claim()
            await self._prepare(card)
            plan = await self._agree_on_a_plan()
            work = await self._build(plan)
            pull_request = await self._open_pull_request(plan, work)
            review = await self._review_and_fix(plan, pull_request)
            await self._merge_when_approved(plan, pull_request, review)
        except Ended as end:
            return end
        return Ended(Phase.DONE, self._merged_words)

    # Claim, prepare

    async def _claim(self) -> Card:
        claim = ClaimTicket(ref=self._order.ref, account=self._account, version=self._order.version)
        step = Tracker.step(f"Claim {self._order.identifier}")
        card = await self._step(Tracker.claim_ticket, claim, step, self._hold)
        self._show(title=card.title)
        self._mind_text(card)
        self._card_url = card.url
        await self._arrive(Phase.PLANNING, f"Pawl has taken {card.identifier}.")
        await self._link(self._order.ui, "The run in Temporal")
        return card

    def _hold(self, card: Card) -> None:
        """The card is ours. After a Reset it may stand in a column that we put it in: it came from Todo then."""
        phase = phase_of(card.status)
        is_ours = phase is not None and not phase.is_final
        self._claimed, self._card_before = True, Phase.TODO if is_ours else card.status

    async def _prepare(self, card: Card) -> None:
        """Repository, policy, money and sandbox: whatever can be wrong is found before anything is paid. What is mended
        by a commit to the base branch is seen after a resume, which begins with the newest one."""
        while True:
            try:
                return await self._prepared(card)
            except Unmended as error:
                await self._blocked(str(error))

    async def _prepared(self, card: Card) -> None:
        order = self._order
        opening = OpenRepository(url=order.repository, base_branch=order.base_branch)
        repository = await self._taken(Forge.open_repository, opening, Forge.step(f"Open {order.repository}"))
        gather = GatherContext(ticket=card, repository=repository)
        context = await self._taken(Context.gather_context, gather, Context.step("Read policy and guide"))
        policy = context.policy
        brief = Brief(
            ticket=order.ref,
            identifier=order.identifier,
            title=card.title,
            ticket_text=context.ticket_text,
            guide=context.guide,
            checks=policy.checks,
            # sessions in flight keep the brief, and with it the prompt, that they began with
            attachments=card.attachments if card.attachments and workflow.patched("attachments") else (),
        )
        branch = names.branch(policy.branch_prefix, order.identifier, self._account)
        if branch.startswith(f"{repository.base_branch}/"):
            raise Unmended(
                f"WORKFLOW.md, key pawl.branch_prefix: git cannot have a branch {branch} beside the base branch "
                f"{repository.base_branch}. Choose another prefix, commit it to the base branch, then resume."
            )
        self._ground = Ground(card, repository, policy, context.environment, brief, branch, context.proposed_flake)
        self._show(branch=branch)
        self._take_budget(policy)
        await self._taken(Model.open_account, self._account_order(policy), Model.step("Check models and budget"))
        self._account_is_open = True
        if words := preparing_words(context.environment):
            self.tell(words)
        ready = PrepareWorkspace(workspace=self._files())
        step = Workspace.step("Prepare the sandbox")
        if there := await self._taken(
            Workspace.prepare_workspace, ready, step
        ):  # a ticket in flight may have no answer
            self._tier = there.tier
            self.tell(sandbox_words(there.tier, there.environment, there.seconds, there.prepared_seconds, there.notes))

    # Plan

    async def _agree_on_a_plan(self) -> Plan:
        """Draft, show, wait; what a person asks to change goes into a new revision with a new hash."""
        remarks: tuple[str, ...] = ()
        last: SessionOutcome | None = None
        for revision in range(1, self._budget.plan_revisions + 1):
            last = await self._submitted(Role.PLANNER, self._told(remarks=remarks), last)
            plan = Plan(revision=revision, draft=last.submitted(PlanDraft))
            self._show(plan=plan.markdown())
            action, decision = await self._decided_on(plan)
            if action is Action.APPROVE:
                self._approved, self._approved_by, self._plan_approval = plan, decision.by, decision
                await self._file_spikes(plan.draft.spikes)
                return plan
            if action is Action.REJECT:
                raise Ended(Phase.DECLINED, f"The plan was rejected. {decision.note}".strip())
            remarks = (*remarks, decision.note)
            await self._arrive(Phase.PLANNING)
        raise Ended(Phase.GAVE_UP, f"No plan was agreed on in {counted(self._budget.plan_revisions, 'revision')}.")

    async def _decided_on(self, plan: Plan) -> tuple[Action, Decision]:
        """By a person; by the ticket itself, where its repository lets it and nothing speaks against it."""
        text, leave = plan.markdown(), self._leave_of(self._on.policy)
        if leave.why:
            why = plan_waits(leave, plan.draft) or "a person was faster"
            if not plan_waits(leave, plan.draft):
                self._enter(Phase.PLAN_GATE, plan.hash)
                decision = await self._decided_itself(leave, plan.hash, self._on.repository.base_sha)
                if decision:
                    said = passed(Action.APPROVE, Phase.PLAN_GATE, plan.hash, leave.why)
                    await self._say(f"{text}\n\n{said}", f"unattended-{self._next_comment()}")
                    return Action.APPROVE, decision
                if self._verdict:
                    return self._verdict
            text = f"{text}\n\n{waits(Phase.PLAN_GATE, why)}"
        return await self._gate(Phase.PLAN_GATE, text, plan.hash)

    # Build, open the pull request

    async def _build(self, plan: Plan) -> WorkDone:
        await self._arrive(Phase.BUILDING)
        return await self._work_until_pushed(Role.BUILDER, self._told(plan=plan))

    async def _open_pull_request(self, plan: Plan, work: WorkDone) -> PullRequest:
        self._cares = workflow.patched("after-the-pull-request")
        policy = self._on.policy.pull_request
        order, checks = self._order, self._on.brief.checks
        made = evidence(order.identifier, self._status.sessions, self._model_of, checks, order.ui)
        opening = OpenPullRequest(
            repository=self._on.repository,
            branch=self._on.branch,
            head_sha=self._head,
            title=f"{self._order.identifier}: {self._on.ticket.title}"[:200],
            body=pull_request_body(
                self._on.ticket,
                plan,
                work,
                self._approved_by,
                self._order.label,
                self._on.proposed_flake,
                self._status.decisions,
                made,
            ),
            labels=policy.labels,
            draft=policy.draft and self._cares,
        )
        step = Forge.step("Open the pull request")
        pull_request = await self._step(Forge.open_pull_request, opening, step, self._show_pull_request)
        await self._arrive(Phase.REVIEWING, f"Pull request {pull_request.number}: {pull_request.url}")
        await self._link(pull_request.url, f"Pull request {pull_request.number}")
        return pull_request

    # The end

    def _merged(self) -> Ended | None:
        """A merge that was under way when people ended the ticket may have come about: then that is the truth."""
        pull_request = self._status.pull_request
        return Ended(Phase.DONE, self._merged_words) if pull_request and pull_request.merged_sha else None

    async def _hand_back(self, end: Ended) -> TicketOutcome:
        """Whatever the end: nothing runs on, the work is kept, people know, and the books are closed."""
        self._leaving = True
        await self._keep_the_work()
        pull_request = self._status.pull_request
        if pull_request and end.phase in (Phase.DECLINED, Phase.CANCELLED):
            close = ClosePullRequest(repository=self._on.repository, number=pull_request.number, reason=end.reason)
            await self._attempt(Forge.close_pull_request, close, Forge.step("Close the pull request"))
        destroy = DestroyWorkspace(key=names.workspace_key(self._account))
        await self._attempt(Workspace.destroy_workspace, destroy, Workspace.step("Destroy the sandbox"))
        outcome = TicketOutcome(
            identifier=self._order.identifier,
            phase=end.phase,
            summary=end.reason,
            plan_hash=self._approved.hash if self._approved else "",
            approved_by=self._approved_by,
            branch=self._status.branch if self._head else "",
            pull_request=pull_request,
            strikes=self._strikes,
            strikes_after=self._care.strikes,
            bill=await self._bill(),
            decisions=self._status.decisions,
        )
        self._show(spend=outcome.bill.spend)
        await self._leave(end, summary(outcome))
        await self._attended_to_the_end()
        return outcome

    async def _bill(self) -> Bill:
        """The gateway's account, which is the truth; what the sessions counted where that cannot be had."""
        counted = Bill(spend=self._status.spend)
        if not self._account_is_open:
            return counted
        reading = ReadBill(account=self._account)
        return await self._attempt(Model.read_bill, reading, Model.step("Read the bill")) or counted

    async def _leave(self, end: Ended, text: str) -> None:
        """The last word. A ticket that was never ours is left untouched; an aborted one gets its card back."""
        if not self._claimed:
            self._enter(end.phase)
            self.tell(text)
            return
        await self._arrive(end.phase, text)
        if end.puts_back:
            await self._move(self._dragged_to or self._card_before)
