"""The merge gate of a ticket that may pass it by itself: people see that it will, and have time to object."""

from datetime import timedelta

from temporalio.workflow import ActivityConfig

from workflows.domain.change import PullRequest
from workflows.domain.decision import Action, Decision
from workflows.domain.gates import in_words, spelled
from workflows.domain.order import TicketOrder
from workflows.domain.plan import Plan
from workflows.domain.pull import PullSeen, PullState
from workflows.domain.review import Review
from workflows.domain.ticket import Phase
from workflows.domain.unattended import VIA, Work, merge_waits, not_yet, passed, until_it_may, will_merge
from workflows.mending import TicketMending
from workflows.ports.forge import Forge
from workflows.steps import Unmended
from workflows.trouble import is_final

MERGES_WITHIN = timedelta(minutes=5)


class TicketUnattendedMerge(TicketMending):
    """Asked after every look at the pull request."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._to_merge: tuple[Plan, PullRequest, Review] | None = None
        """What stands at the merge gate."""

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
                await self._say(said, f"attended-{self._next_comment()}", waits=True)
            return None
        if self._remaining(self._on.policy.triage.grace) or self._not_yet(seen) or not self._to_merge:
            return None
        pull_request = self._to_merge[1]

        async def look_again() -> str:
            now = await self._look_anew(pull_request)
            return self._why_a_person_merges(now) or self._not_yet(now)

        leave = self._leave_of(self._on.policy)
        base = self._on.repository.base_sha
        return await self._decided_itself(leave, self._head, base, pull_request.url, look_again)

    def _not_yet(self, seen: PullSeen) -> str:
        if not self._sees:
            return "the pull request cannot be looked at"
        return not_yet(seen, self._care, self._age(), has_forge_ci=self._has_forge_ci)

    def _merge_step(self, decision: Decision) -> ActivityConfig:
        """What nobody watches is not tried for long: the world in which it was decided goes on."""
        step = Forge.step("Merge the pull request")
        if decision.via == VIA:
            step["schedule_to_close_timeout"] = MERGES_WITHIN
        return step

    async def _given_back(
        self, error: Unmended, pull_request: PullRequest, moved: PullSeen | None
    ) -> tuple[PullSeen, bool]:
        """A merge by itself that has failed is withdrawn: all is asked again before it is tried once more. How it
        stands, and whether the forge has refused it because something moved."""
        now = moved or await self._look_anew(pull_request)
        if now.state is PullState.MERGED:  # only the answer was lost
            return now, False
        await self._withdrawn(f"it was not merged: {error}")
        if moved:
            return moved, True
        if is_final(error.__cause__):
            await self._blocked(str(error))
            return await self._look_anew(pull_request), False
        self.tell(f"Not merged: {error}")
        self._interest = self._interest or f"it could not be merged in {spelled(in_words(MERGES_WITHIN))}"
        return now, False

    async def _say_who_merged(self, decision: Decision, subject: str) -> None:
        if decision.via == VIA:
            said = passed(Action.APPROVE, Phase.MERGE_GATE, subject, self._order.unattended)
            await self._say(said, f"unattended-{self._next_comment()}")

    @property
    def _has_forge_ci(self) -> bool:
        """Pull requests in files are the local forge's, on which no CI runs."""
        return not (self._to_merge and self._to_merge[1].url.startswith("file:"))
