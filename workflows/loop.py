"""Loop: what a schedule starts, whatever the work is: one round at a time, and people hear once of what fails."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError, is_cancelled_exception

from workflows import names
from workflows.domain.fingerprint import fingerprint
from workflows.domain.loop import LoopOrder, LoopOutcome, Round, is_news
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
    def __init__(self, order: LoopOrder) -> None:
        self._order = order
        self._at = workflow.info().typed_search_attributes.get(names.SCHEDULED) or workflow.now()
        self._last = workflow.get_last_completion_result(LoopOutcome)

    @workflow.run
    async def run(self, order: LoopOrder) -> LoopOutcome:
        done = await self._round()
        if done is None:
            return self._left_alone()
        says = f"{done.warning} {done.says}".strip()
        self._show(says)
        if done.gone:
            await self._pause(done.gone)
        if done.warning:
            await self._tell(done.warning)
        return LoopOutcome(at=self._at, says=says, trouble=done.trouble, told=await self._heard_of(done.trouble))

    async def _round(self) -> Round | None:
        """The work itself; None where it is under way already."""
        order, info = self._order, workflow.info()
        given = {**order.order, "at": self._at.isoformat(), "run": info.first_execution_run_id}
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
            if not is_cancelled_exception(error):
                await self._tell(f"It ended with an error, and its schedule pauses itself: {message_of(error)}")
            raise

    def _left_alone(self) -> LoopOutcome:
        """Somebody started a second round beside the first: what the last one knew is carried on."""
        last = self._last
        says = f"A round of {self._order.name} is under way: it is left to do its work, and nothing else was begun."
        self._show(says)
        return LoopOutcome(
            at=self._at, says=says, trouble=last.trouble if last else "", told=last.told if last else False
        )

    async def _pause(self, why: str) -> None:
        pause = PauseSchedule(schedule=self._order.name, why=why)
        await workflow.execute_activity_method(
            Schedules.pause_schedule, pause, **Schedules.step(f"Pause the schedule {self._order.name}")
        )

    async def _heard_of(self, trouble: str) -> bool:
        """Whether people have been told of the trouble, now or before."""
        return await self._tell(trouble) if is_news(trouble, self._last) else bool(trouble)

    async def _tell(self, what: str) -> bool:
        """One alarm. That it could not be posted fails nothing: the next round tells what still holds."""
        order = self._order
        note = Note(
            key=f"{order.name}-{fingerprint(what)}-{workflow.info().first_execution_run_id}",
            identifier=order.name,
            phase=Phase.BLOCKED,
            title=order.title,
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
        workflow.set_current_details(f"**{self._order.title or self._order.name}**\n\n{what}")
