"""The review loop: fresh eyes on the pull request's diff, fixes for what must be fixed, again."""

from workflows.domain.change import PullRequest
from workflows.domain.order import TicketOrder
from workflows.domain.plan import Plan
from workflows.domain.review import Review
from workflows.domain.session import Role, WorkDone
from workflows.domain.ticket import Phase
from workflows.domain.words import counted
from workflows.ports.forge import Forge, PostReview, ReadDiff, ShowCheck
from workflows.steps import keyed
from workflows.work import TicketWork


class TicketReviews(TicketWork):
    """What judges a change, and what mends it."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._cares = False
        """Whether the ticket looks after its pull request; those that had one before Pawl could do not."""
        self._reviewed = ""
        """The commit that a reviewer has seen last."""

    async def _review_and_fix(self, plan: Plan, pull_request: PullRequest) -> Review:
        """Fresh eyes on the diff, fixes for what must be fixed, again, at most as often as the budget says. What is
        still open then goes to the person at the merge gate."""
        review = Review(summary="The budget has no review round.")
        for round_ in range(1, self._budget.review_rounds + 1):
            review = await self._review(plan, pull_request)
            if not review.blockers or round_ == self._budget.review_rounds:
                break
            await self._fix(plan, review=review)
        return review

    async def _review(self, plan: Plan, pull_request: PullRequest) -> Review:
        if self._status.phase is not Phase.REVIEWING:
            await self._arrive(Phase.REVIEWING)
        head = self._head
        outcome = await self._submitted(Role.REVIEWER, self._told(plan=plan, diff=await self._diff()), None)
        self._reviewed = head
        review, number = outcome.submitted(Review), self._parts[Role.REVIEWER]
        posting = PostReview(
            repository=self._on.repository,
            number=pull_request.number,
            key=keyed(self._account, f"review-{number}", review.model_dump_json()),
            summary=review.summary,
            findings=review.findings,
        )
        await self._step(Forge.post_review, posting, Forge.step(f"Post review {number} to the pull request"))
        if self._cares:
            await self._show_check(review)
        self.tell(f"Review {number}: {len(review.blockers)} to fix, {counted(len(review.findings), 'finding')} in all")
        return review

    async def _diff(self) -> str:
        reading = ReadDiff(repository=self._on.repository, head_sha=self._head)
        return await self._step(Forge.read_diff, reading, Forge.step("Read the diff"))

    async def _show_check(self, review: Review) -> None:
        to_fix = len(review.blockers)
        check = ShowCheck(
            repository=self._on.repository,
            head_sha=self._head,
            key=f"{self._account}/review",
            title=f"{counted(to_fix, 'finding')} to fix" if to_fix else "Nothing to fix",
            summary=review.summary,
            findings=review.findings,
            ok=not to_fix,
        )
        await self._attempt(Forge.show_check, check, Forge.step("Show the review as a check"))

    async def _fix(self, plan: Plan, **told: object) -> WorkDone:
        """`told`: what of the brief says what is to be fixed."""
        await self._arrive(Phase.BUILDING)
        return await self._work_until_pushed(Role.FIXER, self._told(plan=plan, **told))
