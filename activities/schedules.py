"""Temporal Schedules by Temporal's own client."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import again
from workflows.ports.schedules import PauseSchedule, Schedules

_CALL = timedelta(seconds=10)


@dataclass
class TemporalSchedules(Schedules):
    """Those of the namespace that the worker itself is in."""

    client: Client

    @activity.defn
    async def pause_schedule(self, request: PauseSchedule) -> None:
        handle = self.client.get_schedule_handle(request.schedule)
        try:
            about = await handle.describe(rpc_timeout=_CALL)
            if not about.schedule.state.paused:  # whoever paused it has said why
                await handle.pause(note=request.why, rpc_timeout=_CALL)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise again(f"Temporal does not pause the schedule {request.schedule}: {error.message}.") from error
