"""Mending: what the ticket does by itself about a pull request that is open. Each attempt is counted, and what it
cannot do is left to the person at the merge gate."""

from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

from workflows import names
from workflows.desk import Ended
from workflows.domain.aftercare import Care, Next, fresh_failures, next_step, told_to_fixer, waiting_threads
from workflows.domain.change import Change, CheckReport, PullRequest, Repository
from workflows.domain.decision import short
from workflows.domain.order import TicketOrder
from workflows.domain.plan import Plan
from workflows.domain.pull import CiState, PullSeen, PullState, Thread
from workflows.domain.review import Review
from workflows.domain.session import WorkDone
from workflows.domain.shown import indented
from workflows.domain.standing import jobs_named
from workflows.domain.ticket import Phase
from workflows.domain.words import counted
from workflows.ports.context import Context, GatherContext
from workflows.ports.forge import AnswerThread, Forge, LookAtPullRequest, OpenRepository, ReadJobLogs, RerunJobs
from workflows.ports.workspace import CarryOver, DestroyWorkspace, RunChecks, Workspace
from workflows.reviews import TicketReviews
from workflows.work import Ground

_CONFLICTS = (
    "The base branch has moved, and the change was merged with it: these files hold conflict markers (<<<<<<<, =======,"
    " >>>>>>>; above the line is the base, below it the change): {files}. Resolve every one so that both intentions "
    "hold, and leave no marker. <diff> is the change as it was on the old base."
)
_BROKEN_BY_BASE = "The base branch has moved, and on top of it the change fails: {summary}."
_RED = (
    "CI is red on the pull request: {jobs}. <failure> holds the logs. Mend what the change broke. If the failure has "
    "nothing to do with the change, leave the files as they are and say so when you submit."
)


class TicketMending(TicketReviews):
    """CI, conversations, conflicts and a base that moved: one attempt at a time."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._care = Care()
        self._pushed_at: datetime | None = None
        self._notes: tuple[str, ...] = ()
        """What the last attempt could not do, for the merge gate."""
        self._bringing_over = False
        self._looked_at: int = 0
        """How many nudges the last look answers."""
        self._sees = False
        """Whether the last look at the pull request came about: on what nobody has seen nothing is merged."""

    def _note_published(self, change: Change) -> None:
        super()._note_published(change)
        if change.pushed:
            self._care, self._pushed_at = self._care.pushed(change.head_sha), workflow.now()

    # Looking

    async def _look(self, last: PullSeen) -> PullSeen:
        """The pull request as it stands; as it stood, where nobody can tell now."""
        await workflow.wait_condition(lambda: not self._status.paused)
        self._looked_at = self._nudges
        looking = LookAtPullRequest(repository=self._on.repository, number=last.number)
        seen = await self._attempt(Forge.look_at_pull_request, looking, Forge.step("Look at the pull request"))
        self._sees = seen is not None
        if seen and seen.ci is not CiState.NONE:
            self._care = self._care.model_copy(update={"has_ci": True})
        return seen or last

    async def _look_anew(self, pull_request: PullRequest) -> PullSeen:
        """The same where no look before counts."""
        return await self._look(PullSeen(number=pull_request.number, state=PullState.OPEN, head_sha=self._head))

    def _age(self) -> timedelta:
        """Since our newest commit was pushed."""
        return workflow.now() - (self._pushed_at or datetime.fromtimestamp(0, tz=workflow.now().tzinfo))

    def _next_step(self, seen: PullSeen, age: timedelta, refused: bool) -> Next:
        return next_step(seen, self._care, self._budget, age, refused)

    async def _cared_for(
        self, step: Next, seen: PullSeen, plan: Plan, pull_request: PullRequest, review: Review
    ) -> Review:
        """Do what the look asks for; the review that holds afterwards."""
        if step is Next.RERUN:
            await self._rerun(seen)
            return review
        if step is Next.MEND_CI:
            return await self._attempted(self._mend_ci(seen, plan), plan, pull_request, review)
        if step is Next.ANSWER:
            return await self._attempted(self._answer(seen, plan), plan, pull_request, review)
        counter = "conflict_strikes" if step is Next.RESOLVE else "base_strikes"
        return await self._attempted(self._bring_over(counter, plan), plan, pull_request, review)

    async def _changed(self, plan: Plan, pull_request: PullRequest, review: Review, note: str) -> Review:
        """What a person asks for at the merge gate; it is no strike."""
        asked = Review(summary="A person asks for the changes in the remarks.")
        work = self._fix(plan, review=asked, remarks=(note,))
        return await self._attempted(work, plan, pull_request, review)

    async def _attempted(
        self, work: Coroutine[Any, Any, WorkDone | None], plan: Plan, pull_request: PullRequest, review: Review
    ) -> Review:
        """Make one attempt, and have what it pushed reviewed. One that is stopped by a rule leaves the branch as it is
        and ends nothing."""
        ground, head = self._on, self._head
        self._notes = ()
        try:
            done = await work
            if done and self._head != head:
                return await self._review_and_fix(plan, pull_request)
            if done:
                self._notes = (f"The fixer has left the files as they are:\n\n{indented(done.summary)}",)
        except Ended as end:
            if end.phase is not Phase.GAVE_UP:
                raise
            self._go_on()
            is_unreviewed = self._head != head
            await self._back_to_the_branch(self._on if is_unreviewed else ground)
            self._notes = (f"**Not mended.** {end.reason}",)
            if is_unreviewed:
                return Review(summary="The last commit was not reviewed to the end.")
        return review

    async def _back_to_the_branch(self, ground: Ground) -> None:
        """Forget what an attempt left in the files: the next one begins with what is on the branch."""
        self._ground, self._state, self._bringing_over = ground, self._published, False
        destroy = DestroyWorkspace(key=names.workspace_key(self._account))
        await self._step(Workspace.destroy_workspace, destroy, Workspace.step("Put the files back"))

    async def _keep_the_work(self) -> None:
        if self._bringing_over:
            self.tell("The branch stays as it was: bringing the change over to its base was not finished")
            return
        await super()._keep_the_work()

    # CI

    async def _rerun(self, seen: PullSeen) -> None:
        failed = fresh_failures(seen, self._care)
        self._care = self._care.counted("reruns").settled(failed)
        self.tell(f"CI is red: {jobs_named(failed)}. Once more on the same commit, it may be flaky")
        rerun = RerunJobs(repository=self._on.repository, head_sha=self._head, jobs=failed)
        await self._step(Forge.rerun_jobs, rerun, Forge.step("Run the failed jobs again"))

    async def _mend_ci(self, seen: PullSeen, plan: Plan) -> WorkDone:
        failed = fresh_failures(seen, self._care)
        self._care = self._care.counted("ci_strikes").settled(failed)
        await self._strike_said("CI is red", jobs_named(failed), self._care.ci_strikes, self._budget.ci_strikes)
        reading = ReadJobLogs(repository=self._on.repository, jobs=failed[:5])
        log = await self._step(Forge.read_job_logs, reading, Forge.step("Read the logs of the failed jobs"))
        remark = _RED.format(jobs=", ".join(job.name for job in failed))
        return await self._fix(plan, failure=log, remarks=(remark,))

    async def _strike_said(self, what: str, more: str, number: int, most: int) -> None:
        said = f"{what}: {more}. Attempt {number} of {most}"
        self.tell(said)
        await self._say(f"{said}.", key=f"attempt-{self._next_comment()}")

    # Conversations

    async def _answer(self, seen: PullSeen, plan: Plan) -> WorkDone:
        threads, head = told_to_fixer(waiting_threads(seen, self._care)), self._head
        taken = tuple(thread.comments[-1].id for thread in threads)
        settled = (*self._care.settled_comments, *taken)
        self._care = self._care.counted("review_strikes").model_copy(update={"settled_comments": settled})
        number, most = self._care.review_strikes, self._budget.review_strikes
        self.tell(f"People wait for an answer in {counted(len(threads), 'conversation')}: round {number} of {most}")
        try:
            work = await self._fix(plan, threads=threads)
        except Ended as end:
            if end.phase is Phase.GAVE_UP:
                for thread in threads:
                    await self._reply(seen, thread, f"Not done: {end.reason} It is left to people now.", resolve=False)
            raise
        answers = {answer.number: answer for answer in work.answers}
        for place, thread in enumerate(threads, start=1):
            answer = answers.get(place)
            fixed = bool(answer and answer.fixed) and self._head != head
            text = answer.text if answer else work.summary
            await self._reply(seen, thread, f"{text}\n\nIn {short(self._head)}." if fixed else text, resolve=fixed)
        return work

    async def _reply(self, seen: PullSeen, thread: Thread, text: str, *, resolve: bool) -> None:
        answer = AnswerThread(
            repository=self._on.repository,
            number=seen.number,
            thread=thread.id,
            key=f"{self._account}/answer-{thread.comments[-1].id}",
            text=text,
            resolve=resolve,
        )
        await self._attempt(Forge.answer_thread, answer, Forge.step("Answer on the pull request"))

    # The base

    async def _bring_over(self, counter: str, plan: Plan) -> WorkDone | None:
        """Put the change on top of the newest base: by git where that is enough, else by a fixer. The result is the
        fixer's, None where there was nothing for it to do."""
        self._care = self._care.counted(counter)
        number, most = getattr(self._care, counter), getattr(self._budget, counter)
        what = "It conflicts with its base" if counter == "conflict_strikes" else "Its base has moved"
        await self._strike_said(what, "the change is brought over", number, most)
        base = self._on.repository.base_branch
        opening = OpenRepository(url=self._order.repository, base_branch=base)
        onto = await self._step(Forge.open_repository, opening, Forge.step(f"Open the newest {base}"))
        if onto.base_sha == self._on.repository.base_sha:
            self.tell(f"{base} is where it was: there is nothing to bring over")
            return None
        before = await self._diff()
        carry = CarryOver(workspace=self._files(), onto=onto)
        carried = await self._step(Workspace.carry_over, carry, Workspace.step(f"Bring the change over to {base}"))
        if carried.state is None:
            raise Ended(Phase.GAVE_UP, f"{base} holds the whole change already: there is nothing left to merge.")
        await self._stand_on(onto)
        self._state, self._bringing_over = carried.state, True
        if carried.conflicts:
            remark = _CONFLICTS.format(files=", ".join(carried.conflicts))
            done = await self._fix(plan, diff=before, remarks=(remark,))
        else:
            done = await self._checked_on_its_base(plan, number)
        self._bringing_over = False
        return done

    async def _stand_on(self, onto: Repository) -> None:
        """From here on everything is measured from the newer base. The policy stays the one the ticket began with;
        what is installed is what the newer base asks for."""
        gather = GatherContext(ticket=self._on.ticket, repository=onto)
        context = await self._step(Context.gather_context, gather, Context.step("Read what the newer base installs"))
        self._ground = replace(self._on, repository=onto, environment=context.environment)

    async def _checked_on_its_base(self, plan: Plan, number: int) -> WorkDone | None:
        await self._arrive(Phase.BUILDING)
        key = f"{names.workspace_key(self._account)}.{short(self._on.repository.base_sha)}.{number}"
        checks = RunChecks(key=key, workspace=self._files(), checks=self._on.brief.checks)
        report = await self._step(Workspace.run_checks, checks, Workspace.step("Run the checks on the newer base"))
        said = await self._pushed() if report.ok else report
        if said is None:
            return None
        if isinstance(said, CheckReport):
            remark = _BROKEN_BY_BASE.format(summary=said.summary)
            return await self._fix(plan, failure=said.log, remarks=(remark,))
        return await self._fix(plan, remarks=(said,))
