"""Sync: a look at one tracker for what no webhook has told, started by a schedule or by `pawl sync`."""

from datetime import datetime, timedelta

from pydantic import Field
from temporalio import workflow

from workflows.domain.model import Record
from workflows.ports.intake import Intake, Reconcile, Reconciled

MOST_LOOKS = 20
"""In one run; what is left then is seen by the next one."""


class SyncOrder(Record):
    tracker: str
    days: float | None = Field(default=None, gt=0, le=90)
    """How far back to look, where a person asks for it; None: to where the last run of the schedule ended."""


@workflow.defn(name="Sync")
class Sync:
    """Goes on where the last run of its schedule ended, so that nothing falls between two looks."""

    @workflow.run
    async def run(self, order: SyncOrder) -> Reconciled:
        last = workflow.get_last_completion_result(Reconciled)
        since = workflow.now() - timedelta(days=order.days) if order.days else last.until if last else None
        total = await self._look(order, since, nudge=order.days is not None)
        for _ in range(MOST_LOOKS - 1):
            if total.complete:
                break
            total = total.plus(await self._look(order, total.until))
        return total

    async def _look(self, order: SyncOrder, since: datetime | None, *, nudge: bool = False) -> Reconciled:
        step = Intake.step(f"Look at {order.tracker} for what no webhook has told")
        request = Reconcile(tracker=order.tracker, since=since, nudge=nudge)
        return await workflow.execute_activity_method(Intake.reconcile, request, **step)
