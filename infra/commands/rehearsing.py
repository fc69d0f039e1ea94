"""A dry run of `pawl schedule triage` and `sweep`: what the schedule would become, beside what it is now."""

import heapq
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any

from rich.console import Console as Terminal
from temporalio.client import Client, Schedule, ScheduleDescription

from infra.console import Console, safe
from infra.cron import Calendar, moment, read_cron, spelled_spec, zone_here
from infra.exits import Misused
from infra.scheduled import described
from infra.schedules import LoopPlan, timeless
from workflows.domain.gates import spelled
from workflows.domain.model import Record

_NEXT = 3


class Change(Record):
    """One thing that would be otherwise."""

    what: str
    now: str
    then: str


async def rehearse(
    console: Console,
    client: Client | None,
    loop: LoopPlan,
    calendar: Calendar | None,
    standing: Mapping[str, Any] | None,
) -> None:
    """`client` is None when no server tells what there is; `standing` is what the schedule hands to its flow, None
    where there is no such schedule. Raises Misused for a new one without times."""
    about = await described(client, loop.name) if client and standing is not None else None
    if client and about is None and calendar is None:
        raise timeless(loop.name)
    zone = zone_here(loop.timezone or (about and about.schedule.spec.time_zone_name) or "UTC")
    coming = _coming(loop, calendar, about, zone)
    changes = [*_changed_times(loop, calendar, about.schedule), *_changed_order(loop, standing or {})] if about else []
    is_new = about is None if client else None

    def show(terminal: Terminal) -> None:
        terminal.print(safe(_words(loop.name, is_new, changes)))
        for one in changes:
            terminal.print(safe(f"  {one.what}: {one.now or 'none'} -> {one.then or 'none'}"))
        if coming:
            terminal.print(safe(f"Next: {', '.join(moment(at, zone) for at in coming)}."))
        if about and about.schedule.state.paused:
            terminal.print(safe(f"It stays paused: {about.schedule.state.note}"))

    told = {"dry_run": True, "name": loop.name, "new": is_new, "order": loop.order, "changes": changes}
    console.result({**told, "next": [at.astimezone(zone).isoformat() for at in coming]}, show)


def _words(name: str, is_new: bool | None, changes: Sequence[Change]) -> str:
    if is_new is None:
        return f"Would make the schedule {name}, or change it: no server tells whether it is there."
    if is_new:
        return f"Would make the schedule {name}."
    return f"Would change the schedule {name}:" if changes else f"Nothing would change in the schedule {name}."


def _coming(
    loop: LoopPlan, calendar: Calendar | None, about: ScheduleDescription | None, zone: tzinfo
) -> Sequence[datetime]:
    """The next moments, as the server reckons them where the times stay as they are."""
    if about and calendar is None and loop.timezone is None:
        return about.info.next_action_times[:_NEXT]
    calendars = [calendar] if calendar else _calendars(about.schedule) if about else []
    return list(islice(heapq.merge(*(one.after(datetime.now(UTC), zone) for one in calendars)), _NEXT))


def _calendars(schedule: Schedule) -> list[Calendar]:
    """Empty where the Temporal UI has made one that no cron expression says."""
    try:
        return [read_cron(one, datetime.now(UTC)) for one in spelled_spec(schedule.spec).split("; ")]
    except Misused:
        return []


def _changed_times(loop: LoopPlan, calendar: Calendar | None, schedule: Schedule) -> list[Change]:
    spec, policy, state = schedule.spec, schedule.policy, schedule.state
    asked: list[tuple[str, str, str | None]] = [
        ("cron", spelled_spec(spec), loop.cron if calendar and [calendar] != _calendars(schedule) else None),
        ("timezone", spec.time_zone_name or "UTC", loop.timezone),
        ("jitter", _spelled(spec.jitter), None if loop.jitter is None else _spelled(loop.jitter)),
        ("catch-up", _spelled(policy.catchup_window), _spelled(loop.catch_up) or None),
        ("note", state.note or "", loop.note),
    ]
    return [Change(what=what, now=now, then=then) for what, now, then in asked if then is not None and then != now]


def _changed_order(loop: LoopPlan, standing: Mapping[str, Any]) -> list[Change]:
    told = {what: (str(standing.get(what, "")), str(loop.order.get(what, ""))) for what in {**standing, **loop.order}}
    return [Change(what=what, now=now, then=then) for what, (now, then) in told.items() if now != then]


def _spelled(span: timedelta | None) -> str:
    return spelled(int(span.total_seconds())) if span else ""
