"""The Temporal Schedules of this installation: a look at every tracker, as often as the table says."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from infra.connections import Connections
from infra.temporal import translated
from workflows import names
from workflows.sync import SyncOrder

_CALL = timedelta(seconds=10)


async def ensure_looks(client: Client, table: Connections, trackers: Sequence[str]) -> None:
    """Have every tracker looked at, and no other: the workers of one installation share one table. What a person paused
    stays paused."""
    for name in trackers:
        with translated(f"the schedule {names.sync_id(name)}"):
            await _ensure(client, name, timedelta(seconds=table.poll_seconds))
    with translated("the schedules"):
        async for there in await client.list_schedules():
            if there.id.startswith(names.SYNC) and there.id not in {names.sync_id(name) for name in trackers}:
                await _delete(client, there.id)


async def _ensure(client: Client, tracker: str, every: timedelta) -> None:
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            "Sync",
            SyncOrder(tracker=tracker),
            id=names.sync_id(tracker),
            task_queue=names.WORK,
            static_summary=f"Look at {tracker} for what no webhook has told",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    try:
        await client.create_schedule(names.sync_id(tracker), wanted, trigger_immediately=True, rpc_timeout=_CALL)
    except ScheduleAlreadyRunningError:

        def renewed(now: ScheduleUpdateInput) -> ScheduleUpdate:
            wanted.state = now.description.schedule.state
            return ScheduleUpdate(wanted)

        await client.get_schedule_handle(names.sync_id(tracker)).update(renewed, rpc_timeout=_CALL)


async def _delete(client: Client, schedule: str) -> None:
    try:
        await client.get_schedule_handle(schedule).delete(rpc_timeout=_CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # another worker that starts now has done it
            raise
