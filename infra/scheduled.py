"""Schedules as they are in Temporal now: what runs when, what came of it, and what people do to them."""

import asyncio
import difflib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import (
    Client,
    ScheduleActionExecution,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    WorkflowFailureError,
)
from temporalio.exceptions import ActivityError, ChildWorkflowError, FailureError
from temporalio.service import RPCError

from infra.client import CALL
from infra.cron import spelled_spec
from infra.exits import NotFound, OutOfReach
from infra.repositories import key_of
from infra.temporal import translated
from workflows import names
from workflows.domain.model import Record

_SHOWN = 5
_MOMENT_SECONDS, _PATIENCE_SECONDS = 0.2, 15.0
_WENT_WRONG = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED,
)


class Run(Record):
    """One run of a schedule."""

    workflow_id: str
    scheduled: datetime
    """When it was due, jitter included."""
    status: str
    """Running, Completed, Failed, ..."""
    said: str = ""
    """Its outcome in a sentence; empty while it runs."""
    trouble: str = ""
    """What it could not do, although it came to its end; empty: nothing."""


class ScheduleLine(Record):
    """A schedule as the list shows it."""

    name: str
    starts: str
    """The workflow's type."""
    repository: str = ""
    cron: str
    """Several separated by semicolons, as the Temporal UI can make them."""
    timezone: str
    jitter_seconds: int
    next: tuple[datetime, ...]
    paused: bool
    note: str
    last: Run | None = None
    running: tuple[str, ...] = ()
    """The workflow ids of what runs now."""
    failed: int = 0
    """Of the last ten runs."""
    missed: int = 0
    """Moments at which no server ran, nor soon enough after."""
    skipped: int = 0
    """Moments at which the run before had not ended."""


async def schedule_names(client: Client) -> list[str]:
    """Every schedule's name, in order. One that was made a moment ago may be missing."""
    with translated("the schedules"):
        return sorted([one.id async for one in await client.list_schedules(rpc_timeout=CALL)])


async def list_schedules(client: Client) -> list[ScheduleLine]:
    found = await asyncio.gather(*(_line_if_there(client, name) for name in await schedule_names(client)))
    return [line for line in found if line]


async def _line_if_there(client: Client, name: str) -> ScheduleLine | None:
    try:
        return await schedule_line(client, name)
    except NotFound:  # deleted meanwhile; the list learns of it late
        return None


async def schedule_line(client: Client, name: str) -> ScheduleLine:
    """Raises NotFound."""
    about = await described(client, name)
    schedule, info = about.schedule, about.info
    last = _newest(about)
    return ScheduleLine(
        name=name,
        starts=schedule.action.workflow if isinstance(schedule.action, ScheduleActionStartWorkflow) else "",
        repository=str((await about.memo()).get("repository", "")),
        cron=spelled_spec(schedule.spec),
        timezone=schedule.spec.time_zone_name or "UTC",
        jitter_seconds=int((schedule.spec.jitter or timedelta()).total_seconds()),
        next=() if schedule.state.paused else tuple(info.next_action_times[:_SHOWN]),
        paused=schedule.state.paused,
        note=schedule.state.note or "",
        last=await _run(client, *last) if last else None,
        running=tuple(_started(one).workflow_id for one in info.running_actions),
        failed=sum(one.start_workflow_status in _WENT_WRONG for one in about.raw_description.info.recent_actions),
        missed=info.num_actions_missed_catchup_window,
        skipped=info.num_actions_skipped_overlap,
    )


async def described(client: Client, name: str) -> ScheduleDescription:
    with translated(f"the schedule {name}"):
        return await client.get_schedule_handle(name).describe(rpc_timeout=CALL)


def _started(action: ScheduleActionExecution) -> ScheduleActionExecutionStartWorkflow:
    return cast("ScheduleActionExecutionStartWorkflow", action)  # schedules start nothing else


def _newest(about: ScheduleDescription) -> tuple[ScheduleActionExecutionStartWorkflow, datetime] | None:
    actions = about.info.recent_actions
    return (_started(actions[-1].action), actions[-1].scheduled_at) if actions else None


async def _run(client: Client, started: ScheduleActionExecutionStartWorkflow, scheduled: datetime) -> Run:
    handle = client.get_workflow_handle(started.workflow_id, first_execution_run_id=started.first_execution_run_id)
    try:
        about = await handle.describe(rpc_timeout=CALL)
    except RPCError:  # its history is gone, after the time histories are kept
        return Run(workflow_id=started.workflow_id, scheduled=scheduled, status="Forgotten")
    ended = await outcome(client, about.id, about.run_id) if about.close_time else Ended("Running")
    return Run(workflow_id=started.workflow_id, scheduled=scheduled, **ended._asdict())


class Ended(NamedTuple):
    """How a run ended. `said` is what it says itself, or why it failed."""

    status: str
    said: str = ""
    trouble: str = ""

    @property
    def went_well(self) -> bool:
        return self.status == "Completed" and not self.trouble


async def outcome(client: Client, workflow_id: str, run_id: str | None = None) -> Ended:
    """Waits for a run that has not ended. A loop says how it went; of others only a failure has words."""
    try:
        result = await client.get_workflow_handle(workflow_id, run_id=run_id).result()
    except WorkflowFailureError as error:
        return Ended("Failed", _cause(error.cause))
    if not isinstance(result, dict):
        return Ended("Completed")
    told = cast("dict[str, object]", result)
    return Ended("Completed", str(told.get("says") or ""), str(told.get("trouble") or ""))


def _cause(error: BaseException) -> str:
    inner = error.__cause__ if isinstance(error, ActivityError | ChildWorkflowError) else None
    if isinstance(inner, FailureError):
        return _cause(inner)
    return error.message if isinstance(error, FailureError) else str(error)


async def find_schedule(client: Client, name: str) -> str:
    """The schedule a person means: its name, or the repository that it triages. Raises NotFound with those that are
    written alike."""
    there = await schedule_names(client)
    for wanted in (name, names.triage_id(name), names.triage_id(key_of(name))):
        if wanted in there or await _exists(client, wanted):
            return wanted
    begins = [one for one in there if one.startswith(names.triage_id(f"{name}-"))]
    if len(begins) == 1:
        return begins[0]
    said = f"No schedule is called {name!r}."
    if not there:
        raise NotFound(said, "There is none yet: `pawl schedule triage --help` says how one is made.")
    close = begins or _alike(name, there)
    raise NotFound(said, f"Did you mean {' or '.join(close)}?" if close else f"There is: {', '.join(there)}.")


def _alike(name: str, there: list[str]) -> list[str]:
    """By the whole name, or by the repository's in it."""
    called = {re.sub(r"-[0-9a-f]{8}$", "", one.removeprefix(names.TRIAGE)): one for one in there}
    called |= {one: one for one in there}
    close = difflib.get_close_matches(name, called, n=3, cutoff=0.6)
    return list(dict.fromkeys(called[one] for one in close))


async def _exists(client: Client, name: str) -> bool:
    """Asked for by its name: the list learns of a new one late."""
    try:
        await described(client, name)
    except NotFound:
        return False
    return True


async def pause(client: Client, name: str, note: str) -> None:
    with translated(f"the schedule {name}"):
        await client.get_schedule_handle(name).pause(note=note, rpc_timeout=CALL)


async def resume(client: Client, name: str, note: str) -> None:
    with translated(f"the schedule {name}"):
        await client.get_schedule_handle(name).unpause(note=note, rpc_timeout=CALL)


async def delete(client: Client, name: str) -> None:
    with translated(f"the schedule {name}"):
        await client.get_schedule_handle(name).delete(rpc_timeout=CALL)


async def trigger(client: Client, name: str) -> tuple[str, bool]:
    """Start a run now; its workflow id, and whether it is new: one that has not ended is not doubled. Raises
    OutOfReach when the server has not started it in time."""
    before = await described(client, name)
    if before.info.running_actions:
        return _started(before.info.running_actions[-1]).workflow_id, False
    known = {_started(one.action).first_execution_run_id for one in before.info.recent_actions}
    with translated(f"the schedule {name}"):
        await client.get_schedule_handle(name).trigger(rpc_timeout=CALL)
    for _ in range(int(_PATIENCE_SECONDS / _MOMENT_SECONDS)):
        newest = _newest(await described(client, name))
        if newest and newest[0].first_execution_run_id not in known:
            return newest[0].workflow_id, True
        await asyncio.sleep(_MOMENT_SECONDS)
    raise OutOfReach(f"The server has not started {name} yet.", "`pawl schedule list` shows whether it does.")


async def moments_between(client: Client, name: str, start: datetime, end: datetime) -> Sequence[datetime]:
    """When the schedule would have run, jitter included: after `start`, up to `end`."""
    asked = ListScheduleMatchingTimesRequest(
        namespace=client.namespace, schedule_id=name, start_time=_stamp(start), end_time=_stamp(end)
    )
    with translated(f"the schedule {name}"):
        found = await client.workflow_service.list_schedule_matching_times(asked, timeout=CALL)
    return [one.ToDatetime(start.tzinfo) for one in found.start_time]


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


async def backfill(client: Client, name: str, start: datetime, end: datetime) -> None:
    """Run every moment after `start` up to `end`, one after the other."""
    wanted = ScheduleBackfill(start_at=start, end_at=end, overlap=ScheduleOverlapPolicy.BUFFER_ALL)
    with translated(f"the schedule {name}"):
        await client.get_schedule_handle(name).backfill(wanted, rpc_timeout=CALL)
