"""The `pawl schedule` group of the command line: parsing only."""

import asyncio
from typing import Any

import click

from infra.console import Console
from infra.verbs import Group, Name, Span, Verb, dry_run, settings_of, yes


@click.group(cls=Group)
def schedule() -> None:
    """Loops that start themselves: triage of a repository, the sweep of stale work, and what else runs on a calendar.

    NAME is a schedule's name as `list` shows it, or the repository that it triages. Whatever is done here can be done
    in the Temporal UI as well.
    """


def _timed(command: click.Command) -> click.Command:
    """With what says when a loop runs."""
    command.params[:0] = [
        click.Option(["--cron"], metavar="CRON", help='"0 3 * * 1-5" is 03:00, Monday to Friday. New ones need it.'),
        click.Option(["--timezone"], metavar="ZONE", help="Of these times. Default: that of connections.toml."),
        click.Option(["--jitter"], type=Span(), help="Begin up to this much later, at random. Default: 10m."),
        click.Option(["--catch-up"], type=Span(), help="Begin at most this late after an outage. Default: 6h."),
        click.Option(["--note"], metavar="TEXT", help="Shown beside the schedule."),
    ]
    return command


def _times(typed: dict[str, Any]) -> Any:
    from infra.commands.scheduling import Times

    return Times(**{name: typed[name] for name in ("cron", "timezone", "jitter", "catch_up", "note", "dry_run")})


@schedule.command(cls=Verb)
@click.option("--repo", required=True, metavar="PATH_OR_URL", help="The repository to triage.")
@click.option("--base", default="", metavar="BRANCH", help="The branch that is looked at. Default: its own.")
@click.option("--model", default="", metavar="PROVIDER:MODEL", help="A cheap one. Default: the route's, PAWL_MODEL.")
@click.option("--tracker", default="", metavar="CONNECTION", help="Where findings go. Default: the route's, the board.")
@click.option("--team", default="", metavar="TEAM", help="The team or project there. Default: the route's.")
@dry_run
@click.pass_obj
def triage(console: Console, repo: str, base: str, model: str, tracker: str, team: str, **typed: Any) -> None:
    """Look at a repository night by night, find work and prove it.

    Run again, it changes what is typed and keeps the rest, whatever was edited in the Temporal UI included.
    """
    from infra.commands import scheduling

    request = scheduling.TriageRequest(repository=repo, base_branch=base, model=model, tracker=tracker, team=team)
    asyncio.run(scheduling.triage(console, settings_of(), request, _times(typed)))


@schedule.command(cls=Verb)
@dry_run
@click.pass_obj
def sweep(console: Console, **typed: Any) -> None:
    """Remind of gates nobody opens, remove dead branches and orphans, set cards right that tell another story."""
    from infra.commands import scheduling

    asyncio.run(scheduling.sweep(console, settings_of(), _times(typed)))


for _command in (triage, sweep):
    _timed(_command)


@schedule.command("list", cls=Verb)
@click.pass_obj
def list_(console: Console) -> None:
    """Show every schedule: when it runs next, how the last run ended, what is paused and why."""
    from infra.commands import schedules

    asyncio.run(schedules.list_all(console, settings_of()))


@schedule.command(cls=Verb)
@click.argument("name", type=Name())
@click.option("--why", default="", metavar="TEXT", help="Shown as the schedule's note.")
@dry_run
@click.pass_obj
def pause(console: Console, name: str, why: str, dry_run: bool) -> None:
    """Start nothing by itself until resumed. What runs goes on."""
    from infra.commands import schedules

    asyncio.run(schedules.pause(console, settings_of(), name, why, dry_run=dry_run))


@schedule.command(cls=Verb)
@click.argument("name", type=Name())
@dry_run
@click.pass_obj
def resume(console: Console, name: str, dry_run: bool) -> None:
    """Go on at the next moment after a pause."""
    from infra.commands import schedules

    asyncio.run(schedules.resume(console, settings_of(), name, dry_run=dry_run))


@schedule.command(cls=Verb)
@click.argument("name", type=Name())
@click.option("--watch", is_flag=True, help="Wait for the end and tell the outcome.")
@dry_run
@click.pass_obj
def trigger(console: Console, name: str, watch: bool, dry_run: bool) -> None:
    """Run it once now, paused or not."""
    from infra.commands import schedules

    asyncio.run(schedules.trigger(console, settings_of(), name, watch=watch, dry_run=dry_run))


@schedule.command(cls=Verb)
@click.argument("name", type=Name())
@click.option("--from", "first", required=True, metavar="TIME", help="2026-11-02, or 2026-11-02T03:00 in its zone.")
@click.option("--to", "last", required=True, metavar="TIME", help="The same; a day is meant to its end.")
@yes
@dry_run
@click.pass_obj
def backfill(console: Console, name: str, first: str, last: str, yes: bool, dry_run: bool) -> None:
    """Run it for every moment of the past between two times, one after the other."""
    from infra.commands import schedules

    span = schedules.Past(first=first, last=last, yes=yes, dry_run=dry_run)
    asyncio.run(schedules.backfill(console, settings_of(), name, span))


@schedule.command(cls=Verb)
@click.argument("name", type=Name())
@yes
@dry_run
@click.pass_obj
def delete(console: Console, name: str, yes: bool, dry_run: bool) -> None:
    """Remove it. What runs goes on; the state file stays."""
    from infra.commands import schedules

    asyncio.run(schedules.delete(console, settings_of(), name, yes=yes, dry_run=dry_run))
