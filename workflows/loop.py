"""Loop: what a schedule starts, whatever the work is: one round at a time, and people hear once of what fails."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

from workflows import names
from workflows.domain.fingerprint import fingerprint
from workflows.domain.loop import LoopOrder, LoopOutcome, Round, is_news
from workflows.domain.loop_input import read_input
from workflows.domain.ticket import Phase
from workflows.ports.notify import Note, Notify
from workflows.ports.schedules import PauseSchedule, Schedules
from workflows.trouble import message_of

LONGEST = timedelta(days=1)
"""How long a round may take. One that hangs is ended and told, or every later one would be left out without a word."""


@workflow.defn(name="Loop")
class Loop:
    """Does the work for one scheduled moment, unless it is under way for another one."""

    @workflow.init
    def __init__(self, given: Any = None) -> None:
        info = workflow.info()
        self._name = info.typed_search_attributes.get(names.SCHEDULED_BY) or info.workflow_id
        self._title = ""
        self._at = info.typed_search_attributes.get(names.SCHEDULED) or workflow.now()
        self._last = workflow.get_last_completion_result(LoopOutcome)

    @workflow.run
    async def run(self, given: Any = None) -> LoopOutcome:
        """`given` is a LoopOrder. It is taken as it comes, for what Temporal cannot decode would be tried again and
        again without a word."""
        done = await self._round(await self._read(given))
        if done is None:
            return self._left_alone()
        self._show(done.says)
        if done.gone:
            await self._pause(done.gone)
        if done.warning:
            await self._tell(done.warning)
        return LoopOutcome(at=self._at, says=done.says, trouble=done.trouble, told=await self._heard_of(done.trouble))

    async def _read(self, given: Any) -> LoopOrder:
        """What it is to do. Where that cannot be read, no later round could read it either."""
        order = read_input(given)
        if isinstance(order, str):
            make = f"pawl schedule {'sweep' if self._name == names.SWEEP else 'triage'}"
            why = (
                f"Its input cannot be used. {order} Correct it in the Temporal UI (Schedules, {self._name}, Edit) or "
                f"run `{make}` again, then `pawl schedule resume {self._name}`."
            )
            await self._tell_the_end(why)
            raise ApplicationError(why, non_retryable=True)
        self._name, self._title = order.name, order.title
        return order

    async def _round(self, order: LoopOrder) -> Round | None:
        """The work itself; None where it is under way already."""
        given = {**order.order, "at": self._at.isoformat(), "run": workflow.info().first_execution_run_id}
        self._show(f"At work for {self._at:%Y-%m-%d %H:%M} UTC: the workflow `{order.name}`.")
        try:
            return await workflow.execute_child_workflow(
                order.flow,
                given,
                id=order.name,
                result_type=Round,
                task_timeout=names.DECISION,
                execution_timeout=LONGEST,
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                static_summary=f"{order.title or order.name}, {self._at:%Y-%m-%d %H:%M} UTC"[:200],
            )
        except WorkflowAlreadyStartedError:
            return None
        except ChildWorkflowError as error:
            if workflow.cancellation_reason() is not None:
                raise
            why = self._end_of(error)
            await self._tell_the_end(why)
            raise ApplicationError(why, non_retryable=True) from error

    def _end_of(self, error: ChildWorkflowError) -> str:
        if not isinstance(error.cause, TerminatedError | CancelledError):
            return message_of(error)
        did = "terminated" if isinstance(error.cause, TerminatedError) else "cancelled"
        return (
            f"Somebody {did} its workflow {self._name} in Temporal. The next round takes up what it left, after "
            f"`pawl schedule resume {self._name}`."
        )

    async def _tell_the_end(self, why: str) -> None:
        says = f"It ended with an error, and its schedule pauses itself: {why}"
        self._show(says)
        await self._tell(says)

    def _left_alone(self) -> LoopOutcome:
        """Somebody started a second round beside the first: what the last one knew is carried on."""
        last = self._last
        says = f"A round of {self._name} is under way: it is left to do its work, and nothing else was begun."
        self._show(says)
        return LoopOutcome(
            at=self._at, says=says, trouble=last.trouble if last else "", told=last.told if last else False
        )

    async def _pause(self, why: str) -> None:
        pause = PauseSchedule(schedule=self._name, why=why)
        await workflow.execute_activity_method(
            Schedules.pause_schedule, pause, **Schedules.step(f"Pause the schedule {self._name}")
        )

    async def _heard_of(self, trouble: str) -> bool:
        """Whether people have been told of the trouble, now or before."""
        return await self._tell(trouble) if is_news(trouble, self._last) else bool(trouble)

    async def _tell(self, what: str) -> bool:
        """One alarm. That it could not be posted fails nothing: the next round tells what still holds."""
        note = Note(
            key=f"{self._name}-{fingerprint(what)}-{workflow.info().first_execution_run_id}",
            identifier=self._name,
            phase=Phase.BLOCKED,
            title=self._title,
            text=what,
            alarm=True,
        )
        try:
            await workflow.execute_activity_method(Notify.post_note, note, **Notify.step("Tell who keeps Pawl running"))
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("Nobody could be told of %s: %s", what, message_of(error))
            return False
        return True

    def _show(self, what: str) -> None:
        workflow.set_current_details(f"**{self._title or self._name}**\n\n{what}")
