"""The Temporal Schedules of this installation: a look at every tracker, as often as the table says, and the loops that
people ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from infra.connections import Connections, Slack
from infra.exits import Misused
from infra.temporal import translated
from workflows import names
from workflows.domain.loop import LoopOrder
from workflows.domain.loop_input import readable
from workflows.sync import SyncOrder

JITTER, CATCH_UP = timedelta(minutes=10), timedelta(hours=6)
"""Of a loop for which nobody asks otherwise."""
_CALL = timedelta(seconds=10)


@dataclass(frozen=True)
class LoopPlan:
    """A scheduled loop as a person asks for it. What is None stays as it is in Temporal, or is as usual where the
    schedule is new."""

    name: str
    flow: str
    """What the loop starts, with `order`."""
    order: dict[str, Any]
    summary: str
    """What it does, as the Temporal UI shows it."""
    repository: str = ""
    cron: str | None = None
    timezone: str | None = None
    jitter: timedelta | None = None
    catch_up: timedelta | None = None
    note: str | None = None


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
        raise _refused(name, error, "Correct `digest` and `timezone` in connections.toml.") from error


async def _delete(client: Client, schedule: str) -> None:
    try:
        await client.get_schedule_handle(schedule).delete(rpc_timeout=_CALL)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # another worker that starts now has done it
            raise


def _refused(name: str, error: RPCError, how: str) -> Exception:
    """The server's no to a calendar in our words; any other error as it is."""
    if error.status is not RPCStatusCode.INVALID_ARGUMENT:
        return error
    return Misused(f"The calendar of the schedule {name} cannot be used: {error.message.rstrip('.')}.", how)


async def repositories_of_loops(client: Client) -> list[tuple[str, str]]:
    """Repository and base branch of every loop that works on one."""
    found = list[tuple[str, str]]()
    with translated("the schedules"):
        listed = [one.id async for one in await client.list_schedules(rpc_timeout=_CALL)]
        for name in listed:
            order = await standing_order(client, name) or {}
            if isinstance(repository := order.get("repository"), str) and repository:
                found.append((repository, str(order.get("base_branch") or "")))
    return found


async def standing_order(client: Client, name: str) -> Mapping[str, Any] | None:
    """What the loop of this name hands to its flow now; None where there is no such schedule. What somebody wrote there
    that cannot be read is left out."""
    try:
        about = await client.get_schedule_handle(name).describe(rpc_timeout=_CALL)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    action = about.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow) or not action.args:
        return {}
    try:
        told = (await client.data_converter.decode(cast("Any", action.args)))[0]
    except Exception:  # whatever a converter raises for what a person typed into the Temporal UI
        return {}
    order = cast("dict[str, Any]", told).get("order") if isinstance(told, dict) else None
    return readable(_flow_of(name), cast("dict[str, Any]", order)) if isinstance(order, dict) else {}


def _flow_of(name: str) -> str:
    """By the schedule's name: what stands in its input may be misspelled."""
    return "Sweep" if name == names.SWEEP else "Triage"


async def put_loop(client: Client, loop: LoopPlan) -> bool:
    """Have the schedule be as asked for; whether it is new. What people changed in the Temporal UI stays where nothing
    else is asked for. Raises Misused for a new one without a calendar, and for a calendar the server does not take."""
    how = "Correct --cron, --timezone, --jitter or --catch-up."
    with translated(f"the schedule {loop.name}"):
        try:
            return await _made(client, loop) or not await _renewed(client, loop)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and loop.cron is None:
                raise timeless(loop.name) from error
            raise _refused(loop.name, error, how) from error


def timeless(name: str) -> Misused:
    said = f"There is no schedule {name} yet, and a new one needs its times."
    return Misused(said, 'Give --cron, for example --cron "0 3 * * 1-5".')


async def _made(client: Client, loop: LoopPlan) -> bool:
    if loop.cron is None:
        return False
    schedule = Schedule(
        action=_action(loop),
        spec=ScheduleSpec(
            cron_expressions=[loop.cron],
            time_zone_name=loop.timezone or "UTC",
            jitter=JITTER if loop.jitter is None else loop.jitter,
        ),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP,
            catchup_window=loop.catch_up or CATCH_UP,
            pause_on_failure=True,
        ),
        state=ScheduleState(note=f"{loop.summary}." if loop.note is None else loop.note),
    )
    memo = {"repository": loop.repository} if loop.repository else None
    try:
        await client.create_schedule(loop.name, schedule, memo=memo, rpc_timeout=_CALL)
    except ScheduleAlreadyRunningError:
        return False
    return True


async def _renewed(client: Client, loop: LoopPlan) -> bool:
    def renewed(now: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = now.description.schedule
        schedule.action = _action(loop)
        spec, policy, state = schedule.spec, schedule.policy, schedule.state
        if loop.cron is not None:
            spec.calendars, spec.intervals, spec.cron_expressions = [], [], [loop.cron]
        spec.time_zone_name = loop.timezone or spec.time_zone_name
        spec.jitter = spec.jitter if loop.jitter is None else loop.jitter
        policy.catchup_window = loop.catch_up or policy.catchup_window
        state.note = state.note if loop.note is None else loop.note
        return ScheduleUpdate(schedule)

    await client.get_schedule_handle(loop.name).update(renewed, rpc_timeout=_CALL)
    return True


def _action(loop: LoopPlan) -> ScheduleActionStartWorkflow:
    about = [SearchAttributePair(names.REPO, loop.repository)] if loop.repository else []
    return ScheduleActionStartWorkflow(
        "Loop",
        LoopOrder(name=loop.name, title=loop.summary, flow=loop.flow, order=loop.order),
        id=loop.name,
        task_queue=names.WORK,
        task_timeout=names.DECISION,
        typed_search_attributes=TypedSearchAttributes(about),
        static_summary=loop.summary[:200],
    )
