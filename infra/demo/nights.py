"""The nights of the simulated week: what people do before each, and how the schedule runs one."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

import yaml
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow

from infra import scheduled
from infra.client import CALL
from infra.commands.scheduling import Times, TriageRequest, triage_loop
from infra.connections import read_connections
from infra.demo import people
from infra.demo.people import ADA, BEN, Commit, Edit, Filed
from infra.demo.stage import handed_in
from infra.demo.terms import SCRIPTED
from infra.exits import OutOfReach
from infra.gateway_client import bill
from infra.schedules import put_loop
from infra.settings import Settings
from workflows import names
from workflows.domain.budget import Bill
from workflows.domain.triage import NightOutcome, TriageState

CRON, ZONE = "0 3 * * *", "Europe/Berlin"
_MONDAY = datetime(2026, 11, 9, 3, tzinfo=ZoneInfo(ZONE))
BEFORE_THE_WEEK = _MONDAY - timedelta(days=10)
"""When the library was released, and people agreed on what Pawl may do. The first night looks back seven days."""
_MOMENT_SECONDS, _PATIENCE_SECONDS = 0.1, 30.0


class Night(NamedTuple):
    """One night, and what happened before it."""

    at: datetime
    tape: str = ""
    """What answers when a model is asked; empty where none is to be."""
    happened: tuple[Commit | Filed, ...] = ()
    """Since the night before."""
    people_pull: bool = False
    """Whether somebody takes what Pawl has merged into their own repository first."""

    @property
    def name(self) -> str:
        return f"{self.at:%a %d %b %H:%M}"


class Ran(NamedTuple):
    """What a night has said of itself, and what it has cost."""

    night: Night
    outcome: NightOutcome
    bill: Bill
    run: str
    """The page of its run in the Temporal UI is that of this workflow."""


def _at(day: int) -> datetime:
    return _MONDAY + timedelta(days=day)


def _commit(by: str, day: int, message: str, edits: tuple[Edit, ...]) -> Commit:
    return Commit(by, _at(day).replace(hour=14), message, edits)


POLICY = Commit(ADA, BEFORE_THE_WEEK, "Nightly triage: tickets behind their gates", people.POLICY)
WEEK = (
    Night(_at(0)),
    Night(_at(1), "tuesday.jsonl", (_commit(ADA, 0, "Simplify the check of max_length", people.BREAKS_A_TEST),)),
    Night(_at(2), "wednesday.jsonl", (people.SAME_IN_OTHER_WORDS,)),
    Night(
        _at(3),
        "thursday.jsonl",
        (_commit(BEN, 2, "Slugs of several tags", people.ADDS_A_FLAKY_TEST),),
        people_pull=True,
    ),
    Night(_at(4), "friday.jsonl", (people.NOT_TRUE,)),
    Night(_at(5)),
    Night(_at(6)),
)


async def scheduled_triage(settings: Settings, client: Client, repository: Path, tape: str) -> str:
    """Have the schedule be as `pawl schedule triage` makes it, with this tape for the model; its name."""
    request = TriageRequest(str(repository), model=await handed_in(settings, tape), tracker="board", label=SCRIPTED)
    times = Times(cron=CRON, timezone=ZONE, jitter=timedelta(0))
    loop, _ = await triage_loop(settings, read_connections(settings), client, request, times)
    await put_loop(client, loop)
    return loop.name


async def run_night(settings: Settings, client: Client, schedule: str, night: Night) -> Ran:
    """Backfill this one moment and wait for its end. Raises OutOfReach when the server does not begin it."""
    at = night.at.astimezone(UTC)
    await scheduled.backfill(client, schedule, at - timedelta(milliseconds=1), at)
    begun = await _begun(client, schedule, at)
    await scheduled.outcome(client, begun.workflow_id, begun.first_execution_run_id)
    child = client.get_workflow_handle(schedule, result_type=NightOutcome)
    outcome = await child.result(rpc_timeout=CALL)
    account = names.night_account(schedule, begun.first_execution_run_id)
    return Ran(night, outcome, await bill(settings, account) or Bill(), begun.workflow_id)


async def _begun(client: Client, schedule: str, at: datetime) -> ScheduleActionExecutionStartWorkflow:
    for _ in range(int(_PATIENCE_SECONDS / _MOMENT_SECONDS)):
        about = await scheduled.described(client, schedule)
        for one in about.info.recent_actions:
            if one.scheduled_at == at:
                return cast("ScheduleActionExecutionStartWorkflow", one.action)
        await asyncio.sleep(_MOMENT_SECONDS)
    raise OutOfReach(f"The server has not begun the night of {at}.", "The Temporal UI shows the schedule.")


def state_file(settings: Settings) -> Path | None:
    """The one that people edit; beside it are copies of it."""
    return next((path for path in settings.triage_folder.glob("*.yaml") if "." not in path.stem), None)


def state_of(settings: Settings) -> TriageState:
    """The state file as it stands."""
    found = state_file(settings)
    return TriageState.model_validate(_told(yaml.safe_load(found.read_text())) if found else {"repository": ""})


def _told(written: Any) -> Any:
    """Without what people have left empty."""
    if isinstance(written, dict):
        pairs = cast("dict[str, Any]", written).items()
        return {name: _told(value) for name, value in pairs if value is not None}
    return [_told(one) for one in cast("list[Any]", written)] if isinstance(written, list) else written
