"""`pawl schedule triage` and `pawl schedule sweep`: a loop that starts itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console as Terminal
from temporalio.client import Client

from infra import home
from infra.cards import TRACKER
from infra.commands.rehearsing import rehearse
from infra.commands.starting import named_model
from infra.connections import Connections, Linear, Slack, read_connections
from infra.console import Console, safe
from infra.cron import Calendar, known_zone, moment, read_cron, zone_here
from infra.exits import Misused, OutOfReach
from infra.repositories import key_of, named_repository
from infra.scheduled import ScheduleLine, schedule_line
from infra.schedules import LoopPlan, put_loop, standing_order
from infra.settings import Settings
from infra.temporal import connect, translated
from workflows import names
from workflows.domain.gates import spelled
from workflows.domain.routes import Route
from workflows.domain.triage import TriageOrder

_DRY_RUN_SECONDS = 3.0
_NEXT = 3


@dataclass(frozen=True)
class Times:
    """When a loop runs, as typed. None: as it is, or as usual for a new one."""

    cron: str | None = None
    timezone: str | None = None
    jitter: timedelta | None = None
    catch_up: timedelta | None = None
    note: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class TriageRequest:
    """What is triaged, as typed. Empty: as it is, or for a new one as the routes and settings say."""

    repository: str
    base_branch: str = ""
    model: str = ""
    tracker: str = ""
    team: str = ""
    label: str = ""
    """What started tickets say of how they are made."""


@dataclass(frozen=True)
class _Plan:
    loop: LoopPlan
    calendar: Calendar | None
    standing: Mapping[str, Any] | None
    """What the schedule hands to its flow now; None where there is none, or no server tells."""
    dry_run: bool


async def triage(console: Console, settings: Settings, request: TriageRequest, times: Times) -> None:
    """Raises NotFound for a repository that is not there, Misused for what cannot be read."""
    settings = home.located(settings)
    table = read_connections(settings)
    request = replace(request, repository=named_repository(request.repository, request.base_branch))
    calendar = _checked(times)
    _require_tracker(table, request.tracker)
    client = await _connected(settings, times)
    loop, standing = await triage_loop(settings, table, client, request, times)
    await _put(console, settings, client, _Plan(loop, calendar, standing, times.dry_run))


async def triage_loop(
    settings: Settings, table: Connections, client: Client | None, request: TriageRequest, times: Times
) -> tuple[LoopPlan, Mapping[str, Any] | None]:
    """The loop that is asked for, and what the schedule of its name hands to it now; None where there is none. The
    repository is named as `named_repository` does."""
    repository = request.repository
    name = names.triage_id(key_of(repository))
    standing = await _standing(client, name)
    order = _order(settings, table, request, TriageOrder(name=name, repository=repository, model=""), standing)
    loop = LoopPlan(
        name=name,
        flow="Triage",
        order=order.model_dump(mode="json", exclude_defaults=True),
        summary=f"Triage of {repository}",
        repository=repository,
        **_times(table, times, is_new=standing is None),
    )
    return loop, standing


def _require_tracker(table: Connections, tracker: str) -> None:
    there = sorted({*table.connections, TRACKER})
    if tracker and tracker not in there:
        raise Misused(f"No tracker is called {tracker!r}.", f"There is: {', '.join(there)}.")


def _order(
    settings: Settings,
    table: Connections,
    request: TriageRequest,
    bare: TriageOrder,
    standing: Mapping[str, Any] | None,
) -> TriageOrder:
    """What was typed, else what the schedule has, else what the route of the repository says, else the usual."""
    route = _route(table, bare.repository, request.tracker)
    usual = {
        "base_branch": route.base_branch,
        "model": route.model or settings.model,
        "reviewer_model": route.reviewer_model or settings.reviewer_model,
        "tracker": route.tracker,
        "team": route.team,
    }
    typed = {
        "base_branch": request.base_branch,
        "model": request.model,
        "tracker": request.tracker,
        "team": request.team,
        "label": request.label,
    }
    there = {name: value for name, value in (standing or {}).items() if name in TriageOrder.model_fields}
    if request.tracker and there.get("tracker") != request.tracker:
        there["team"] = route.team  # a team belongs to its tracker
    found = {**usual, **_told(there), **_told(typed), "name": bare.name, "repository": bare.repository}
    found["model"] = named_model(str(found["model"]), ".")
    if request.team and found["tracker"] == TRACKER:
        raise Misused("The board has no teams.", "Leave out --team, or name the tracker that has it with --tracker.")
    found["follow"] = isinstance(table.connections.get(str(found["tracker"])), Linear | Slack)
    return TriageOrder.model_validate({**found, **_told({"ui": home.ui_of(settings)})})


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _route(table: Connections, repository: str, tracker: str) -> Route:
    key = key_of(repository)
    fitting = [route for route in table.all_routes if key_of(route.repository) == key]
    named = [route for route in fitting if route.tracker == tracker] if tracker else fitting
    return named[0] if named else Route(tracker=tracker or TRACKER, repository=repository)


async def sweep(console: Console, settings: Settings, times: Times) -> None:
    settings = home.located(settings)
    table = read_connections(settings)
    calendar = _checked(times)
    client = await _connected(settings, times)
    standing = await _standing(client, names.SWEEP)
    loop = LoopPlan(
        name=names.SWEEP,
        flow="Sweep",
        order=dict(standing or {}),
        summary="Sweep of stale work",
        **_times(table, times, is_new=standing is None),
    )
    await _put(console, settings, client, _Plan(loop, calendar, standing, times.dry_run))


def _checked(times: Times) -> Calendar | None:
    if times.timezone is not None:
        known_zone(times.timezone)
    return read_cron(times.cron, datetime.now(UTC)) if times.cron is not None else None


def _times(table: Connections, times: Times, *, is_new: bool) -> dict[str, Any]:
    zone = times.timezone or (table.timezone if is_new else None)
    cron = times.cron.strip() if times.cron is not None else None
    return {
        "cron": cron,
        "timezone": zone,
        "jitter": times.jitter,
        "catch_up": times.catch_up,
        "note": times.note,
    }


async def _connected(settings: Settings, times: Times) -> Client | None:
    """None when no server tells: a dry run needs none."""
    try:
        return await connect(settings, wait_seconds=_DRY_RUN_SECONDS) if times.dry_run else await connect(settings)
    except OutOfReach:
        if not times.dry_run:
            raise
        return None


async def _standing(client: Client | None, name: str) -> dict[str, Any] | None:
    if client is None:
        return None
    with translated(f"the schedule {name}"):
        found = await standing_order(client, name)
    return None if found is None else dict(found)


async def _put(console: Console, settings: Settings, client: Client | None, plan: _Plan) -> None:
    loop, calendar = plan.loop, plan.calendar
    if calendar and calendar.needs_both_days:
        console.remark("Day of month and day of week are both narrowed: it runs on days that fit both.")
    if calendar and calendar.may_mean_seconds:
        console.remark("Of six fields the last is read as a year, and the first as minutes: see when it runs next.")
    if plan.dry_run or client is None:
        await rehearse(console, client, loop, calendar, plan.standing)
        return
    fresh = await put_loop(client, loop)
    line, link = await schedule_line(client, loop.name), home.schedule_link(settings, loop.name)

    def show(terminal: Terminal) -> None:
        terminal.print(
            f"{'Made' if fresh else 'Changed'} the schedule [bold]{safe(line.name)}[/]: {safe(times_of(line))}"
        )
        terminal.print(safe(next_of(line)))
        if link:
            terminal.print(f"In the Temporal UI: {link}")

    console.result({**line.model_dump(mode="json"), "fresh": fresh, "order": loop.order, "ui": link}, show)


def times_of(line: ScheduleLine) -> str:
    """`0 3 * * 1-5 Europe/Berlin, each up to 10 minutes later`."""
    later = f", each up to {spelled(line.jitter_seconds)} later" if line.jitter_seconds else ""
    return f"{line.cron or 'no times'} {line.timezone}{later}"


def next_of(line: ScheduleLine) -> str:
    if line.paused:
        return f"It is paused: {line.note} `pawl schedule resume {line.name}` goes on."
    zone = zone_here(line.timezone)
    return f"next: {', '.join(moment(at, zone) for at in line.next[:_NEXT]) or 'never again'}"
