"""The Temporal Schedules of this installation: a look at every tracker, as often as the table says."""

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

from infra.connections import Connections, Slack
from infra.exits import Misused
from infra.temporal import translated
from workflows import names
from workflows.sync import SyncOrder

_CALL = timedelta(seconds=10)


async def ensure_schedules(client: Client, table: Connections) -> None:
    """Have every tracker looked at and what waits told, and nothing else of the kind: the workers of one installation
    share one table. What a person paused stays paused. Raises Misused for a calendar that cannot be read."""
    wanted = {names.sync_id(name): _look(name, timedelta(seconds=table.poll_seconds)) for name in table.looked_at}
    if table.digest and any(table.of(Slack)):
        wanted[names.DIGEST] = _digest(table.digest, table.timezone)
    for name, schedule in wanted.items():
        with translated(f"the schedule {name}"):
            await _ensure(client, name, schedule)
    with translated("the schedules"):
        looks = [one.id async for one in await client.list_schedules() if one.id.startswith(names.SYNC)]
        for left in {*looks, names.DIGEST} - wanted.keys():
            await _delete(client, left)


def _look(tracker: str, every: timedelta) -> Schedule:
    return Schedule(
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


def _digest(cron: str, timezone: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            "Digest", id=names.DIGEST, task_queue=names.WORK, static_summary="Tell what waits for people"
        ),
        spec=ScheduleSpec(cron_expressions=[cron], time_zone_name=timezone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(hours=1)),
    )


async def _ensure(client: Client, name: str, wanted: Schedule) -> None:
    is_look = name.startswith(names.SYNC)
    try:
        await client.create_schedule(name, wanted, trigger_immediately=is_look, rpc_timeout=_CALL)
    except ScheduleAlreadyRunningError:

        def renewed(now: ScheduleUpdateInput) -> ScheduleUpdate:
            wanted.state = now.description.schedule.state
            return ScheduleUpdate(wanted)

        await client.get_schedule_handle(name).update(renewed, rpc_timeout=_CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        said = f"The calendar of the schedule {name} cannot be used: {error.message}."
        raise Misused(said, "Correct `digest` and `timezone` in connections.toml.") from error


async def _delete(client: Client, schedule: str) -> None:
    try:
        await client.get_schedule_handle(schedule).delete(rpc_timeout=_CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # another worker that starts now has done it
            raise
