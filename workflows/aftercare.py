"""Aftercare: the pull request is looked after until it is merged or closed, by people's decision and nobody else's."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from workflows.desk import Ended
from workflows.domain.aftercare import Next, Whose, is_crowded, merge_holds, until_next_look, whose
from workflows.domain.change import PullRequest
from workflows.domain.decision import Action, Decision, short
from workflows.domain.failures import Failure
from workflows.domain.order import TicketOrder
from workflows.domain.plan import Plan
from workflows.domain.pull import CiState, PullSeen, PullState
from workflows.domain.review import Review
from workflows.domain.standing import named, standing_line, standing_notes
from workflows.domain.ticket import Phase
from workflows.domain.unattended import VIA
from workflows.domain.words import merge_gate_text, waiting_for
from workflows.ports.forge import Forge, MarkReady, MergePullRequest
from workflows.steps import Unmended
from workflows.trouble import type_of
from workflows.unattended_merge import TicketUnattendedMerge

BURST = timedelta(seconds=2)
"""One push or one run of CI is many events: they are waited for, and looked at together."""


class TicketAftercare(TicketUnattendedMerge):
    """The merge gate, and everything that can happen to a pull request while it waits there."""

    def __init__(self, order: TicketOrder) -> None:
        super().__init__(order)
        self._merged_words = "The pull request is merged."

    async def _merge_when_approved(self, plan: Plan, pull_request: PullRequest, review: Review) -> None:
        if not self._cares:
            return await self._merge_as_it_is(plan, pull_request, review)
        await self._mark_ready(pull_request)
        seen, refused = await self._look_anew(pull_request), False
        while True:
            step = self._next(seen, refused)
            if step in (Next.MERGED, Next.CLOSED):
                raise self._ended_elsewhere(pull_request, seen)
            if step is Next.WAIT:
                said = await self._at_the_gate(plan, pull_request, review, seen)
                if isinstance(said, PullSeen):
                    seen, refused = said, False
                    continue
                action, decision, seen = said
                if action is Action.APPROVE:
                    subject = self._subject(seen)
                    stands = await self._merge(pull_request, subject, decision)
                    if stands is None:
                        return await self._say_who_merged(decision, subject)
                    seen, refused = stands
                    continue
                review = await self._sent_back(action, decision, seen, plan, pull_request, review)
            else:
                review = await self._cared_for(step, seen, plan, pull_request, review)
            seen, refused = await self._look(seen), False

    async def _mark_ready(self, pull_request: PullRequest) -> None:
        if self._on.policy.pull_request.draft:
            ready = MarkReady(repository=self._on.repository, number=pull_request.number)
            await self._step(Forge.mark_ready, ready, Forge.step("Mark the pull request as ready"))

    async def _sent_back(
        self, action: Action, decision: Decision, seen: PullSeen, plan: Plan, pull_request: PullRequest, review: Review
    ) -> Review:
        if action is Action.REJECT:
            raise _rejected(decision)
        if self._is_theirs(seen):
            self._notes = (f"Nothing was changed: the branch is at `{short(seen.head_sha)}`, which is not Pawl's.",)
            return review
        return await self._changed(plan, pull_request, review, decision.note)

    # What a look says

    def _next(self, seen: PullSeen, refused: bool = False) -> Next:
        return self._next_step(seen, self._age(), refused)

    def _is_theirs(self, seen: PullSeen) -> bool:
        return whose(seen, self._care, self._age()) is Whose.THEIRS

    def _subject(self, seen: PullSeen) -> str:
        """The commit that a decision is about."""
        return seen.head_sha if self._is_theirs(seen) else self._head

    def _holds(self, seen: PullSeen) -> str:
        return merge_holds(seen, self._care, self._on.policy.merge.require_ci, self._age())

    # The merge gate

    async def _at_the_gate(
        self, plan: Plan, pull_request: PullRequest, review: Review, seen: PullSeen
    ) -> tuple[Action, Decision, PullSeen] | PullSeen:
        """Wait for a decision that can be carried out now, and look at the pull request meanwhile. A look that asks
        for something else first closes the gate, and is what is returned."""
        notes = standing_notes(seen, self._care, self._budget, self._age())
        change = None if self._is_theirs(seen) else self._change
        announced = self._merge_announced(plan, pull_request, review, seen)
        parts = (merge_gate_text(pull_request, review, change), *self._notes, *notes, announced)
        text = "\n\n".join(part for part in parts if part)
        gate = asyncio.create_task(self._gate(Phase.MERGE_GATE, text, self._subject(seen)))
        gate.add_done_callback(_let_go)
        try:
            said = await self._watched(gate, seen)
        finally:
            gate.cancel()
        await asyncio.gather(gate, return_exceptions=True)
        return said

    async def _watched(
        self, gate: "asyncio.Task[tuple[Action, Decision]]", seen: PullSeen
    ) -> tuple[Action, Decision, PullSeen] | PullSeen:
        subject, quiet = self._subject(seen), 0
        approval: Decision | None = None
        await workflow.wait_condition(lambda: gate.done() or self._status.subject == subject)
        while True:
            held = self._holds(seen)
            self._show_standing(seen, held if approval else "")
            awaited = bool(held) or seen.ci is CiState.RUNNING
            verdict = await self._verdict_or_news(gate, seen, bool(approval), quiet, awaited)
            if verdict and verdict[0] is not Action.APPROVE:
                return (*verdict, seen)
            now = await self._look(seen)
            if self._subject(now) != subject or self._next(now) is not Next.WAIT:
                if approval or verdict:
                    self.tell(f"The approval of {short(subject)} is not carried out: the pull request has moved")
                return now
            quiet, seen = 0 if now != seen else quiet + 1, now
            held = self._holds(now)
            if (approval or verdict) and not held:
                return Action.APPROVE, verdict[1] if verdict else approval or Decision(), now
            if verdict:
                approval = await self._kept_for_later(verdict[1], held)
            elif not approval and (decision := await self._merges_itself(now)):
                return Action.APPROVE, decision, now

    async def _verdict_or_news(
        self,
        gate: "asyncio.Task[tuple[Action, Decision]]",
        seen: PullSeen,
        approved: bool,
        quiet: int,
        awaited: bool,
    ) -> tuple[Action, Decision] | None:
        """What a person decides, or None when it is time to look."""

        def decided() -> bool:
            return self._verdict is not None if approved else gate.done()

        info = workflow.info()
        crowded = is_crowded(info.get_current_history_length(), info.get_current_history_size())
        pause = self._until_it_merges(seen, until_next_look(quiet, awaited, crowded))
        await self._waited(lambda: decided() or (self._nudges != self._looked_at and not crowded), pause)
        if not decided():
            await self._waited(decided, BURST)
        if not decided():
            return None
        return self._verdict if approved else await gate

    async def _waited(self, condition: Callable[[], bool], most: timedelta) -> None:
        with suppress(TimeoutError):
            await workflow.wait_condition(condition, timeout=most)
        self._go_on()

    async def _kept_for_later(self, decision: Decision, held: str) -> Decision:
        """An approval that cannot be carried out yet. The gate stays open for whoever thinks better of it."""
        self._verdict = None
        said = f"Approved by {decision.by or 'somebody who gave no name'}. The merge waits: {held}."
        self.tell(said)
        await self._say(
            f"{said} It comes by itself, or `pawl reject` and `pawl request-changes` end the waiting.",
            key=f"approved-{self._next_comment()}",
        )
        return decision

    def _show_standing(self, seen: PullSeen, held: str) -> None:
        line = standing_line(seen, self._care, self._age())
        words = f"approved, and the merge waits: {held}" if held else line
        shown = waiting_for(Phase.MERGE_GATE, words)
        if self._status.phase is Phase.MERGE_GATE and shown != self._status.waiting_for:
            self.tell(f"The pull request: {line or 'nothing speaks against it'}")
            self._show(waiting_for=shown)

    # Its end

    def _ended_elsewhere(self, pull_request: PullRequest, seen: PullSeen) -> Ended:
        """A merge is what everybody wanted, whoever made it; closing it is a person's no."""
        if seen.state is PullState.MERGED:
            self._merged_words = f"{named(seen.by)} merged the pull request."
            self._show_pull_request(
                pull_request.model_copy(update={"head_sha": seen.head_sha, "merged_sha": seen.merged_sha})
            )
            return Ended(Phase.DONE, self._merged_words)
        return Ended(Phase.DECLINED, f"{named(seen.by)} closed the pull request without merging it.")

    async def _merge(self, pull_request: PullRequest, head: str, decision: Decision) -> tuple[PullSeen, bool] | None:
        """Merge what was approved. Where that must be decided again: how it stands now, and whether the forge has
        refused it because something moved."""
        while True:
            merge = MergePullRequest(repository=self._on.repository, number=pull_request.number, head_sha=head)
            try:
                await self._taken(Forge.merge_pull_request, merge, self._merge_step(decision), self._show_pull_request)
                return None
            except Unmended as error:
                seen = await self._moved(error, pull_request, head)
                if decision.via == VIA:
                    return await self._given_back(error, pull_request, seen)
                if seen:
                    return seen, True
                await self._blocked(str(error))

    async def _moved(self, error: Unmended, pull_request: PullRequest, head: str) -> PullSeen | None:
        """How it stands after a merge was refused, where something else can be done about it than to ask a person."""
        cause = error.__cause__
        if not isinstance(cause, FailureError) or type_of(cause) != Failure.BRANCH_MOVED:
            return None
        seen = await self._look(PullSeen(number=pull_request.number, state=PullState.OPEN, head_sha=head))
        is_other = self._subject(seen) != head or self._next(seen, refused=True) is not Next.WAIT
        return seen if is_other else None

    async def _merge_as_it_is(self, plan: Plan, pull_request: PullRequest, review: Review) -> None:
        """The merge gate of tickets from before the pull request was looked after."""
        while True:
            text = merge_gate_text(pull_request, review, self._change)
            action, decision = await self._gate(Phase.MERGE_GATE, text, self._head)
            if action is Action.REJECT:
                raise _rejected(decision)
            if action is Action.APPROVE:
                merge = MergePullRequest(
                    repository=self._on.repository, number=pull_request.number, head_sha=self._head
                )
                step = Forge.step("Merge the pull request")
                await self._step(Forge.merge_pull_request, merge, step, self._show_pull_request)
                return
            asked = Review(summary="A person asks for the changes in the remarks.")
            await self._fix(plan, review=asked, remarks=(decision.note,))
            review = await self._review_and_fix(plan, pull_request)

    def _show_pull_request(self, pull_request: PullRequest) -> None:
        self._show(pull_request=pull_request)


def _let_go(gate: "asyncio.Task[tuple[Action, Decision]]") -> None:
    """A gate that was closed early ends in whatever it was doing: nobody waits for how."""
    if not gate.cancelled():
        gate.exception()


def _rejected(decision: Decision) -> Ended:
    return Ended(Phase.DECLINED, f"The pull request was rejected. {decision.note}".strip())
