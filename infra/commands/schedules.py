"""The commands about schedules that are there: list, pause, resume, trigger, backfill, delete."""

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NoReturn

import click
from rich.console import Console as Terminal
from rich.table import Table
from temporalio.client import Client

from infra import home, scheduled
from infra.client import wait_answered
from infra.commands.scheduling import next_of, times_of
from infra.console import Console, safe
from infra.cron import moment, zone_here
from infra.exits import Exit, Misused, Refused, Told
from infra.following import tell_troubles
from infra.scheduled import Run, ScheduleLine, find_schedule, schedule_line
from infra.settings import Settings
from infra.temporal import connect, translated
from infra.whoami import whoami
from workflows import names
from workflows.domain.words import counted

_MOST_UNASKED, _MOST = 31, 900
"""How many moments are run again without asking, and at all: Temporal keeps no more in line than a thousand."""
_ASK_SECONDS = 5.0


async def list_all(console: Console, settings: Settings) -> None:
    client = await connect(home.located(settings))
    lines = await scheduled.list_schedules(client)

    def show(terminal: Terminal) -> None:
        if not lines:
            terminal.print("There is no schedule. `pawl schedule triage --help` says how one is made.")
            return
        table = Table("schedule", "times", "next", "last run", box=None, pad_edge=False, header_style="bold")
        for line in lines:
            table.add_row(f"[bold]{safe(line.name)}[/]", safe(f"{line.cron} {line.timezone}"), _next(line), _last(line))
        terminal.print(table, soft_wrap=False)
        for name, path in states.items():
            terminal.print(f"{safe(name)} remembers in {safe(path)}")

    states = {line.name: path for line in lines if (path := _state_file(settings, line.name))}
    linked = [
        {
            **line.model_dump(mode="json"),
            "state": states.get(line.name, ""),
            "ui": home.schedule_link(settings, line.name),
        }
        for line in lines
    ]
    console.result({"schedules": linked}, show)


def _state_file(settings: Settings, name: str) -> str:
    """Where a triage keeps what it knows, once it does; empty for everything else."""
    path = settings.triage_folder.absolute() / f"{name.removeprefix(names.TRIAGE)}.yaml"
    return str(path) if name.startswith(names.TRIAGE) and path.is_file() else ""


def _next(line: ScheduleLine) -> str:
    if line.paused:
        return f"[yellow]paused[/]: {safe(line.note)}"
    zone = zone_here(line.timezone)
    return safe(moment(line.next[0], zone)) if line.next else "never again"


def _last(line: ScheduleLine) -> str:
    counts = ((line.failed, "failed"), (line.missed, "missed"), (line.skipped, "skipped"))
    told = ", ".join(f"{number} {what}" for number, what in counts if number)
    if line.last is None:
        return told or "none yet"
    at = moment(line.last.scheduled, zone_here(line.timezone))
    counted_up = f" ({told})" if told else ""
    return f"{safe(at)}: {_mark(line.last)}{safe(line.last.said or line.last.status)}{counted_up}"


def _mark(run: Run) -> str:
    """What a round begins with that did not go well, so that it does not look like a good one."""
    word = "failed" if run.status == "Failed" else "trouble" if run.trouble else ""
    return f"[red]{word}:[/] " if word else ""


async def pause(console: Console, settings: Settings, name: str, why: str, *, dry_run: bool) -> None:
    client, line = await _found(settings, name)
    note = why or f"Paused by {whoami() or 'a person'} with pawl."
    if line.paused and why in ("", line.note):
        _tell(console, line, f"{line.name} is paused already: {line.note}")
    elif dry_run:
        _tell(console, line, f"Would pause {line.name}: {note}", dry_run=True)
    else:
        await scheduled.pause(client, line.name, note)
        _tell(console, await schedule_line(client, line.name), f"Paused {line.name}: {note}")


async def resume(console: Console, settings: Settings, name: str, *, dry_run: bool) -> None:
    client, line = await _found(settings, name)
    if not line.paused:
        _tell(console, line, f"{line.name} is not paused. {_coming(line)}")
    elif dry_run:
        _tell(console, line, f"Would resume {line.name}, paused with the note: {line.note}", dry_run=True)
    else:
        await scheduled.resume(client, line.name, f"Resumed by {whoami() or 'a person'} with pawl.")
        now = await schedule_line(client, line.name)
        _tell(console, now, f"Resumed {line.name}. {_coming(now)}")


async def trigger(console: Console, settings: Settings, name: str, *, watch: bool, dry_run: bool) -> None:
    client, line = await _found(settings, name)
    if dry_run:
        words = "it is under way: nothing would be started" if line.running else "it would start now"
        _tell(console, line, f"{line.name}: {words}.", dry_run=True)
        return
    workflow_id, fresh = await scheduled.trigger(client, line.name)
    words = f"Started {workflow_id}." if fresh else f"Already under way: {workflow_id}. Nothing was started."
    if not watch:
        _tell(console, line, words, workflow_id=workflow_id, fresh=fresh)
        return
    console.remark(words)
    said, went_well = await _watched(console, client, workflow_id)
    _tell(console, await schedule_line(client, line.name), said, workflow_id=workflow_id, fresh=fresh)
    if not went_well:
        raise Told(Exit.OUTSIDE)


async def _watched(console: Console, client: Client, workflow_id: str) -> tuple[str, bool]:
    """Its outcome, and whether it ended well."""
    ending = asyncio.create_task(scheduled.outcome(client, workflow_id))
    telling = asyncio.create_task(tell_troubles(client, workflow_id, lambda trouble: console.remark(trouble.sentence)))
    attended = asyncio.create_task(_stay_attended(client, workflow_id))
    try:
        with translated(workflow_id):
            await asyncio.wait({ending, attended}, return_when=asyncio.FIRST_COMPLETED)
            ended = await (ending if ending.done() else attended)
    finally:
        for task in (ending, telling, attended):
            task.cancel()
        await asyncio.wait([ending, telling, attended])
    return ended.said or ended.status, ended.went_well


async def _stay_attended(client: Client, workflow_id: str) -> NoReturn:
    """Raises OutOfReach when no worker answers for the run."""
    while True:
        await wait_answered(client, workflow_id)
        await asyncio.sleep(_ASK_SECONDS)


@dataclass(frozen=True)
class Past:
    """What is run again, as typed: days or times."""

    first: str
    last: str
    yes: bool = False
    dry_run: bool = False


async def backfill(console: Console, settings: Settings, name: str, past: Past) -> None:
    """Raises Misused for times that cannot be read, Refused where nobody agrees to many."""
    client, line = await _found(settings, name)
    zone = zone_here(line.timezone)
    start, end = _read(past.first, zone), _read(past.last, zone, is_end=True)
    now = datetime.now(UTC)
    if start > end:
        raise Misused(f"--from {past.first} is after --to {past.last}.", "Turn them round.")
    if start > now:
        raise Misused(f"--from {past.first} is yet to come.", "Only what has passed can be run again.")
    # The server leaves out the first instant, and counts a moment when its jitter is over.
    start = start - timedelta(milliseconds=1)
    end = min(end + timedelta(seconds=line.jitter_seconds), now)
    moments = await scheduled.moments_between(client, line.name, start, end)
    what = f"{counted(len(moments), 'moment')} of {line.name} between {past.first} and {past.last}"
    if len(moments) > _MOST:
        raise Refused(f"There are more than {_MOST} moments, and no more can stand in line.", "Do it in parts.")
    if past.dry_run or not moments:
        words = f"Would run {what}." if moments else f"There is no moment of {line.name} between them."
        _tell(console, line, words, dry_run=past.dry_run, moments=[at.isoformat() for at in moments])
        return
    if len(moments) > _MOST_UNASKED:
        _agree(console, f"That would run {what}, one after the other.", yes=past.yes)
    await scheduled.backfill(client, line.name, start, end)
    _tell(console, line, f"Running {what}, one after the other.", moments=[at.isoformat() for at in moments])


def _read(written: str, zone: tzinfo, *, is_end: bool = False) -> datetime:
    """A time in the zone, or a day: its begin, or as an end its last moment."""
    try:
        read = datetime.fromisoformat(written.strip())
    except ValueError:
        said = f"{written!r} is no time."
        raise Misused(said, "Write a day, 2026-11-02, or a time, 2026-11-02T03:00.") from None
    if is_end and len(written.strip()) <= len("2026-11-02"):
        read = datetime.combine(read.date(), time.max)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


async def delete(console: Console, settings: Settings, name: str, *, yes: bool, dry_run: bool) -> None:
    client, line = await _found(settings, name)
    if dry_run:
        _tell(console, line, f"Would delete {line.name}.", dry_run=True)
        return
    _agree(console, f"{line.name} would be deleted: {times_of(line)}.", yes=yes)
    await scheduled.delete(client, line.name)
    comes_back = line.name == names.DIGEST or line.name.startswith(names.SYNC)
    again = " It comes back when a worker starts: connections.toml asks for it." if comes_back else ""
    _tell(console, line, f"Deleted {line.name}.{again}", deleted=True)


def _agree(console: Console, what: str, *, yes: bool) -> None:
    if yes:
        return
    if console.as_json or not sys.stdin.isatty():
        raise Refused(f"{what} Answers are only taken from a terminal.", "Do it with --yes.")
    console.terminal.print(safe(what))
    if not click.confirm("Do it?"):
        raise Refused("Nothing was changed.", "Run it again when you want it.")


async def _found(settings: Settings, name: str) -> tuple[Client, ScheduleLine]:
    client = await connect(home.located(settings))
    return client, await schedule_line(client, await find_schedule(client, name))


def _coming(line: ScheduleLine) -> str:
    told = next_of(line)
    return told[:1].upper() + told[1:] + "."


def _tell(console: Console, line: ScheduleLine, words: str, **more: object) -> None:
    console.result(
        {**line.model_dump(mode="json"), **more, "said": words}, lambda terminal: terminal.print(safe(words))
    )
