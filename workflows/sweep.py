"""Sweep: work that has gone stale. Gates that wait are reminded, branches and sandboxes that nobody needs removed, and
cards and tickets that disagree put right."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception
from temporalio.workflow import ActivityConfig

from workflows import names
from workflows.domain.change import Repository
from workflows.domain.failures import Failure
from workflows.domain.sweep import (
    MOST_PUT_RIGHT,
    MOST_REMINDED,
    REMEMBERED,
    Parked,
    Place,
    SweepOrder,
    SweepOutcome,
    says,
)
from workflows.domain.ticket import Ticket, TicketRef
from workflows.ports.context import Context, GatherContext
from workflows.ports.forge import Forge, OpenRepository, SweepBranches
from workflows.ports.intake import CompareCards, Compared, Intake, ListParked, ListPlaces
from workflows.ports.workspace import Workspace
from workflows.trouble import message_of, type_of

Reply = TypeVar("Reply")
_MOST_KEPT = 50


@workflow.defn(name="Sweep")
class Sweep:
    """One sweep. Each box is one private method, and one that fails keeps no other from being done."""

    @workflow.init
    def __init__(self, order: SweepOrder) -> None:
        self._order = order
        self._at = order.at or workflow.now()
        self._troubles: list[str] = []
        self._outcome = SweepOutcome(says="", at=self._at)

    @workflow.run
    async def run(self, order: SweepOrder) -> SweepOutcome:
        for box in (self._remind, self._remove_branches, self._remove_sandboxes, self._compare_cards):
            try:
                await box()
            except ActivityError as error:
                self._failed(error)
        done = self._outcome.model_copy(update={"trouble": "\n".join(self._troubles)})
        silent = not (done.reminded or done.branches or done.sandboxes or done.cards or done.told or done.trouble)
        done = done.model_copy(update={"silent": silent, "says": says(done)})
        self._show(done.says)
        return done

    # Parked gates

    async def _remind(self) -> None:
        if not self._order.remind_after:
            return
        listing = ListParked(before=self._at - timedelta(seconds=self._order.remind_after), most=MOST_REMINDED)
        step = Intake.step("List the gates that have waited for long")
        for parked in await self._step(Intake.list_parked, listing, step):
            if await self._reminded(parked):
                self._note(reminded=(*self._outcome.reminded, parked.identifier))

    async def _reminded(self, parked: Parked) -> bool:
        """The ticket says it itself, once for this sweep; one that has ended meanwhile needs nothing."""
        ticket = workflow.get_external_workflow_handle(names.ticket_workflow_id(parked.ref))
        try:
            await ticket.signal("remind", f"sweep {self._at.isoformat()}")
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            return False
        return True

    # Dead branches

    async def _remove_branches(self) -> None:
        listing = ListPlaces(since=self._at - REMEMBERED)
        step = Intake.step("List the repositories that Pawl works in")
        for place in await self._step(Intake.list_places, listing, step):
            try:
                await self._swept(place)
            except ActivityError as error:
                self._failed(error, f"The branches of {place.repository} were not looked at")

    async def _swept(self, place: Place) -> None:
        """A repository that is gone, or in which no ticket could run, has nothing to be removed."""
        if place.silent:
            listed = ", ".join(place.silent[:5])
            self._troubles.append(f"No branch of {place.repository} was removed, for {listed} did not answer.")
            return
        try:
            repository, prefix = await self._opened(place)
        except ActivityError as error:
            if type_of(error) in (Failure.REPOSITORY_NOT_FOUND, Failure.NO_CHECKS):
                workflow.logger.info("Left out: %s", message_of(error))
                return
            raise
        sweep = SweepBranches(
            repository=repository,
            prefix=prefix,
            in_use=place.in_use,
            closed_before=self._at - timedelta(seconds=self._order.keep_closed),
        )
        step = Forge.step(f"Remove dead branches of {place.repository}")
        swept = await self._step(Forge.sweep_branches, sweep, step)
        kept = (*self._outcome.kept, *swept.kept)[:_MOST_KEPT]
        self._note(branches=(*self._outcome.branches, *swept.removed), kept=kept)

    async def _opened(self, place: Place) -> tuple[Repository, str]:
        """The repository, and what its WORKFLOW.md has the names of Pawl's branches begin with."""
        opening = OpenRepository(url=place.repository, base_branch=place.base_branch)
        repository = await self._step(Forge.open_repository, opening, Forge.step(f"Open {place.repository}"))
        nobodys = Ticket(
            ref=TicketRef(tracker="sweep", id=self._order.name), identifier=self._order.name, title="Sweep", status=""
        )
        gather = GatherContext(ticket=nobodys, repository=repository)
        context = await self._step(Context.gather_context, gather, Context.step("Read the policy"))
        return repository, context.policy.branch_prefix

    # Orphan sandboxes

    async def _remove_sandboxes(self) -> None:
        self._show("Looking for sandboxes that no ticket needs.")
        step = Workspace.step("Remove sandboxes that no ticket needs")
        self._note(sandboxes=await workflow.execute_activity_method(Workspace.sweep_sandboxes, **step))

    # Cards and tickets

    async def _compare_cards(self) -> None:
        comparing = CompareCards(since=self._at - REMEMBERED, most=MOST_PUT_RIGHT)
        step = Intake.step("Compare cards and tickets")
        compared: Compared = await self._step(Intake.compare_cards, comparing, step)
        self._troubles += compared.troubles
        for found in compared.found:
            step = Intake.step(
                f"{found.identifier} → {found.to}" if found.to else f"Tell {found.identifier}: {found.why}"
            )
            try:
                done = await self._step(Intake.put_right, found, step)
            except ActivityError as error:
                self._failed(error, f"{found.identifier} was not put right")
                continue
            if done and found.to:
                self._note(cards=(*self._outcome.cards, found.identifier))
            elif done:
                self._note(told=(*self._outcome.told, found.identifier))

    # What it says

    async def _step(
        self,
        method: Callable[[Any, Any], Coroutine[Any, Any, Reply]],
        request: object,
        config: ActivityConfig,
    ) -> Reply:
        self._show(config.get("summary") or "")
        return await workflow.execute_activity_method(method, request, **config)

    def _failed(self, error: ActivityError, what: str = "") -> None:
        """What could not be done, for the next sweep does it; the other boxes go on."""
        if is_cancelled_exception(error):
            raise error
        self._troubles.append(f"{what}: {message_of(error)}" if what else message_of(error))

    def _note(self, **done: Any) -> None:
        self._outcome = self._outcome.model_copy(update=done)

    def _show(self, what: str) -> None:
        workflow.set_current_details(f"**Sweep of stale work**, {self._at:%Y-%m-%d %H:%M} UTC.\n\n{what}")
