"""The merge gate of a ticket that may pass it by itself: people see that it will, and have time to object."""

from datetime import timedelta

from workflows.domain.change import PullRequest
from workflows.domain.decision import Action, Decision
from workflows.domain.order import TicketOrder
from workflows.domain.plan import Plan
from workflows.domain.pull import PullSeen
from workflows.domain.review import Review
from workflows.domain.ticket import Phase
from workflows.domain.unattended import VIA, Work, merge_waits, not_yet, passed, until_it_may, will_merge
from workflows.mending import TicketMending


class TicketUnattendedMerge(TicketMending):
    """Asked after every look at the pull request."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._to_merge: tuple[Plan, PullRequest, Review] | None = None
        """What stands at the merge gate."""
        self._sees = False
        """Whether the last look at the pull request came about: on what nobody has seen nothing is merged."""

    def _merge_announced(self, plan: Plan, pull_request: PullRequest, review: Review, seen: PullSeen) -> str:
        """What is said at the gate that opens; empty where there was no leave."""
        self._to_merge = (plan, pull_request, review)
        if not self._order.unattended:
            return ""
        why = self._why_a_person_merges(seen)
        if why:
            return self._person_decides(Phase.MERGE_GATE, seen.head_sha or self._head, why)
        return will_merge(self._on.policy.triage.grace, self._order.unattended)

    def _why_a_person_merges(self, seen: PullSeen) -> str:
        if self._to_merge is None:
            return "nothing is to be merged"
        plan, _, review = self._to_merge
        work = Work(
            plan=plan.draft,
            risks=self._risks,
            change=self._change,
            review=review,
            reviewed=self._reviewed == self._head,
            notes=self._notes,
        )
        return merge_waits(self._leave_of(self._on.policy), work, seen, self._care, self._age())

    def _until_it_merges(self, seen: PullSeen, usual: timedelta) -> timedelta:
        """When to look again: no later than the moment at which it may merge by itself."""
        if not (self._order.unattended and self._sees) or self._why_a_person_merges(seen):
            return usual
        remaining = self._remaining(self._on.policy.triage.grace)
        wait = until_it_may(seen, self._care, self._age(), remaining, has_forge_ci=self._has_forge_ci)
        return min(usual, wait) if wait else usual

    async def _merges_itself(self, seen: PullSeen) -> Decision | None:
        """The decision on a pull request as it stands now; None as long as it waits, for time, for CI or for people."""
        if not (self._order.unattended and self._sees) or self._verdict or self._status.paused:
            return None
        if why := self._why_a_person_merges(seen):
            if said := self._person_decides(Phase.MERGE_GATE, self._head, why):
                self.tell(said.replace("*", ""))
                await self._say(said, f"attended-{self._next_comment()}")
            return None
        if self._remaining(self._on.policy.triage.grace):
            return None
        if not_yet(seen, self._care, self._age(), has_forge_ci=self._has_forge_ci):
            return None
        url = self._to_merge[1].url if self._to_merge else ""
        leave = self._leave_of(self._on.policy)
        return await self._decided_itself(leave, self._head, self._on.repository.base_sha, url)

    async def _say_who_merged(self, decision: Decision, subject: str) -> None:
        if decision.via == VIA:
            said = passed(Action.APPROVE, Phase.MERGE_GATE, subject, self._order.unattended)
            await self._say(said, f"unattended-{self._next_comment()}")

    @property
    def _has_forge_ci(self) -> bool:
        """Pull requests in files are the local forge's, on which no CI runs."""
        return not (self._to_merge and self._to_merge[1].url.startswith("file:"))
