"""The `pawl` command line: parsing only. What the commands do is in `infra/commands`."""

import asyncio
import os
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

import click

from infra.console import Console, run_cli
from infra.exits import Told, exit_now
from infra.schedule_verbs import schedule
from infra.verbs import Dollars, Group, Name, Verb, dry_run, settings_of
from workflows.domain.decision import MOST_TOKENS, NEEDS_PHASE, Action, Decision


def _version() -> str:
    try:
        return version("pawl")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(_version(), message="%(prog)s %(version)s")
def cli() -> None:
    """Turns tickets into reviewed pull requests with coding agents, on Temporal.

    Every command prints JSON with --json, and by itself when its output is not a terminal. Exit codes: 0 ok, 2 usage,
    3 not found, 4 no access, 5 a service failed, 6 refused by a rule, 7 asked too often.
    """


@cli.command(cls=Verb)
@click.option("--yes", is_flag=True, help="Approve every gate by itself, for scripts.")
@click.option("--triage", "week", is_flag=True, help="Live through a week of nightly triage instead.")
@click.pass_obj
def demo(console: Console, yes: bool, week: bool) -> None:
    """Take one real ticket to a merged pull request on this machine. Needs no key."""
    from infra import demo as the_demo

    code = the_demo.run(yes=yes, json=console.as_json, week=week)
    if code:
        raise Told(code)


@cli.command(cls=Verb)
@click.argument("kind", type=click.Choice(["linear"]))
@click.option("--connection", default="", metavar="NAME", help="Which one, where there are several of the kind.")
@click.option("--url", default="", metavar="PUBLIC_URL", help="Where the ingress is reached. Default: no webhook.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@dry_run
@click.pass_obj
def init(console: Console, kind: str, **typed: Any) -> None:
    """Make the columns, labels and webhook that Pawl needs in KIND, after showing them."""
    from infra.commands import initialising

    initialising.init_linear(console, settings_of(), initialising.InitRequest(**typed))


@cli.command(cls=Verb)
@click.pass_obj
def up(console: Console) -> None:
    """Run Temporal server, gateway and worker, and keep them running until Ctrl-C."""
    from infra.commands import serving
    from infra.parts import Part

    asyncio.run(serving.up(console, settings_of(), tuple(Part)))


@cli.command(cls=Verb)
@click.argument("ticket")
@click.option("--repo", required=True, metavar="PATH_OR_URL", help="The repository to change.")
@click.option("--base", default="", metavar="BRANCH", help="The branch to start from. Default: the repository's own.")
@click.option("--model", default="", metavar="PROVIDER:MODEL", help="The model to use. Default: PAWL_MODEL.")
@click.option("--tape", type=click.Path(path_type=Path), help="Play this tape instead of asking a model.")
@click.option("--budget", type=Dollars(), metavar="USD", help="The most the ticket may cost.")
@click.option("--board", type=click.Path(path_type=Path), help="The board's folder. Default: PAWL_BOARD.")
@click.option("--watch/--detach", default=None, help="Tell the story until it ends. Default: in a terminal.")
@dry_run
@click.pass_obj
def run(console: Console, board: Path | None, watch: bool | None, **typed: Any) -> None:
    """Start TICKET: a card on the board, or a Markdown file that is put there."""
    from infra.commands import starting

    request = starting.RunRequest(
        ticket=typed["ticket"],
        repository=typed["repo"],
        base_branch=typed["base"],
        model=typed["model"],
        tape=typed["tape"],
        usd=typed["budget"],
        dry_run=typed["dry_run"],
        watch=not console.as_json if watch is None else watch,
    )
    settings = settings_of() if board is None else settings_of(board=board)
    asyncio.run(starting.run(console, settings, request))


@cli.command("list", cls=Verb)
@click.option("--waiting", is_flag=True, help="Only tickets that wait for a person.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.pass_obj
def list_(console: Console, waiting: bool, limit: int) -> None:
    """Show the tickets, the newest first, and the cards that were not started."""
    from infra.commands import tickets

    asyncio.run(tickets.list_all(console, settings_of(), waiting=waiting, limit=limit))


@cli.command(cls=Verb)
@click.argument("ticket", type=Name())
@click.pass_obj
def show(console: Console, ticket: str) -> None:
    """Tell the story of TICKET so far: phases, gates, sessions, cost, pull request."""
    from infra.commands import tickets

    asyncio.run(tickets.show(console, settings_of(), ticket))


@cli.command(cls=Verb)
@click.argument("session", type=Name())
@click.option("--from", "first", type=click.IntRange(0), default=0, metavar="TURN", help="The first turn.")
@click.option("--to", "last", type=click.IntRange(0), metavar="TURN", help="The last turn.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="prompt, steer, answer, intent, tool, state, kept, turn, tried, egress. May be repeated.",
)
@click.option("--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.pass_obj
def events(console: Console, session: str, first: int, last: int | None, kinds: tuple[str, ...], follow: bool) -> None:
    """Print the journal of SESSION, or of all sessions of a ticket."""
    from infra.commands import records

    wanted = records.Slice(session=session, first=first, last=last, kinds=kinds, follow=follow)
    asyncio.run(records.events(console, settings_of(), wanted))


_ACTIONS = {
    Action.APPROVE: "Approve the plan or the pull request that waits.",
    Action.REQUEST_CHANGES: "Send the plan or the pull request back with your words.",
    Action.REJECT: "Decline the ticket.",
    Action.ANSWER: "Answer the agent's question.",
    Action.STEER: "Tell the agent something; it reads it at its next turn.",
    Action.PAUSE: "Start nothing new until resumed.",
    Action.RESUME: "Go on after a pause, or try a blocked step again.",
    Action.TOP_UP: "Raise the ticket's ceiling, in dollars or in tokens.",
    Action.TAKE_OVER: "Do it yourself: the agent stops, its work stays.",
    Action.ABORT: "Stop and undo: the work is kept, the pull request closed, the card put back.",
}
_NEEDS_WORDS = (Action.REQUEST_CHANGES, Action.ANSWER, Action.STEER)


def _add_action(action: Action, words: str) -> None:
    """One command for one human action."""

    def body(console: Console, ticket: str, dry_run: bool, **typed: Any) -> None:
        from infra.commands import tickets

        if action is Action.TOP_UP and typed["usd"] is None and typed["tokens"] is None:
            raise click.UsageError("Say by how much: --usd, --tokens or both.", click.get_current_context())
        decision = Decision(**typed)
        asyncio.run(tickets.decide(console, settings_of(), ticket, action, decision, dry_run=dry_run))

    params: list[click.Parameter] = [
        click.Argument(["ticket"], type=Name()),
        click.Argument(["note"]) if action in _NEEDS_WORDS else click.Argument(["note"], default=""),
        click.Option(["--by"], default="", metavar="NAME", help="Who decides. Default: your user name."),
        click.Option(["--dry-run"], is_flag=True, help="Say what would happen and change nothing."),
    ]
    if action in NEEDS_PHASE:
        params.append(click.Option(["--of"], default="", metavar="HASH", help="Refuse when something else waits now."))
    if action is Action.TOP_UP:
        params.append(click.Option(["--usd"], type=Dollars(), help="By how many dollars it rises."))
        count = click.IntRange(1, MOST_TOKENS)
        params.append(click.Option(["--tokens"], type=count, metavar="COUNT", help="By how many tokens it rises."))
    if action is Action.STEER:
        params.append(click.Option(["--id"], default="", help="Makes a repetition count once."))
    cli.add_command(Verb(action.value, params=params, callback=click.pass_obj(body), help=words))


for _action, _words in _ACTIONS.items():
    _add_action(_action, _words)


@cli.command(cls=Verb)
@click.pass_obj
def doctor(console: Console) -> None:
    """Look at everything Pawl needs and name the fix for what is broken."""
    from infra import doctor as the_doctor

    asyncio.run(the_doctor.doctor(console, settings_of()))


@cli.command(cls=Verb)
@click.pass_obj
def server(console: Console) -> None:
    """Run the Temporal server alone, in the foreground."""
    from infra.commands import serving
    from infra.parts import Part

    asyncio.run(serving.up(console, settings_of(), (Part.SERVER,)))


@cli.command(cls=Verb)
def gateway() -> None:
    """Run the gateway alone, in the foreground."""
    from infra.commands import serving
    from infra.parts import Part

    serving.become(settings_of(), Part.GATEWAY)


@cli.command(cls=Verb)
def worker() -> None:
    """Run one more worker, in the foreground."""
    from infra.commands import serving
    from infra.parts import Part

    serving.become(settings_of(), Part.WORKER)


@cli.command(cls=Verb)
def serve() -> None:
    """Take webhooks of Linear, GitHub, Slack and OpenProject, in the foreground."""
    from infra.commands import serving
    from infra.parts import Part

    serving.become(settings_of(), Part.INGRESS)


@cli.command(cls=Verb)
@click.argument("tracker", default="")
@click.option("--days", type=click.FloatRange(0.01, 90), default=7, show_default=True, help="How far back to look.")
@click.pass_obj
def sync(console: Console, tracker: str, days: float) -> None:
    """Look at TRACKER, or at all, for whatever no webhook has told. Needs a running worker."""
    from infra.commands import syncing

    asyncio.run(syncing.sync(console, settings_of(), tracker, days))


cli.add_command(schedule)


def main() -> NoReturn:
    """Leave without the interpreter's shutdown, in which the Temporal SDK's threads may abort."""
    os.umask(0o077)  # whatever a command makes holds people's tickets and code
    if sys.stdin.isatty():  # a script may have started us deaf to Ctrl-C, and a person still presses it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    exit_now(run_cli(cli, sys.argv[1:]))


if __name__ == "__main__":
    main()
