"""`pawl init`: what an outside service lacks is shown, agreed to, made, and what is left for people is told."""

import secrets
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

import click
from rich.console import Console as Terminal

from infra.connections import Connections, Linear, connections_file, read_connections, secret, secrets_in
from infra.console import Console, safe
from infra.errands import LinearSteps, LinearWanted, answer
from infra.exits import Misused, Refused
from infra.parts import absolute
from infra.settings import Settings
from workflows.domain.words import counted

_ERRAND = "init-linear"
_PAGE = "docs/operate/linear.md"


@dataclass(frozen=True)
class InitRequest:
    """`connection` may be empty where there is one of the kind only, `url` where no webhook is wanted."""

    connection: str = ""
    url: str = ""
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class _Place:
    """The connection, and the webhook it shall get."""

    name: str
    linear: Linear
    webhook_url: str
    poll_seconds: int

    @property
    def variable(self) -> str:
        return self.linear.webhook_secret_env


def init_linear(console: Console, settings: Settings, request: InitRequest) -> None:
    """Raises Misused before anything is asked for, Refused where nobody agrees, and what Linear's answers mean."""
    settings = absolute(settings)
    place = _place(settings, read_connections(settings), request)
    missing = answer(settings, _ERRAND, LinearSteps, _wanted(place))
    if not missing.steps or request.dry_run:
        _tell(console, place, missing, made=False)
        return
    held = secrets_in(place.variable)
    if missing.webhook and not held and console.as_json:
        raise Misused(
            f"{place.variable} is not set, and a secret made here is shown in a terminal only.",
            f"Set it first: export {place.variable}=$(openssl rand -hex 32)",
        )
    _agree(console, missing, yes=request.yes)
    own = held[0] if held else secrets.token_hex(32)
    if missing.webhook and not held:  # before anything is made: what is made could not be read without it
        console.terminal.print(f"\nThe webhook's secret, shown this once. Keep it:\n  export {place.variable}={own}")
    wanted = _wanted(place).model_copy(update={"webhook_secret": own, "agreed": missing.steps})
    answer(settings, _ERRAND, LinearSteps, wanted)
    _tell(console, place, missing, made=True)


def _place(settings: Settings, table: Connections, request: InitRequest) -> _Place:
    there = dict(table.of(Linear))
    if not there:
        raise Misused("There is no connection to Linear.", f"Set LINEAR_API_KEY: {_PAGE} says which key.")
    if request.connection not in there and (request.connection or len(there) > 1):
        wrong = f"No connection to Linear is called {request.connection!r}." if request.connection else "Which Linear?"
        raise Misused(wrong, f"Name it with --connection: {', '.join(sorted(there))}.")
    name = request.connection or next(iter(there))
    if not any(route.tracker == name for route in table.all_routes):
        raise Misused(
            f"No route leads from {name} to a repository, so nobody can say which columns and labels it needs.",
            f"Set PAWL_REPOSITORY, or write a route in {connections_file(settings)}: docs/operate/connections.md.",
        )
    return _Place(name, there[name], _webhook_url(request.url, name), table.poll_seconds)


def _webhook_url(url: str, name: str) -> str:
    """Where the ingress takes this connection's deliveries, from the address it is reached at."""
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise Misused(f"{url!r} is no public address.", "Give it as https://HOST: Linear sends to nothing else.")
    return f"{url.rstrip('/').removesuffix(f'/hooks/{name}')}/hooks/{name}"


def _wanted(place: _Place) -> LinearWanted:
    return LinearWanted(connection=place.name, webhook_url=place.webhook_url)


def _agree(console: Console, missing: LinearSteps, *, yes: bool) -> None:
    """Show it, and go on only where somebody wants it."""
    if not console.as_json:
        _show(console.terminal, missing.steps)
    if yes:
        return
    if console.as_json or not sys.stdin.isatty():
        cause = f"{counted(len(missing.steps), 'step')} would be done in Linear, and nobody can be asked here."
        raise Refused(cause, "See them with --dry-run, do them with --yes.")
    if not click.confirm("Do this in Linear?"):
        raise Refused("Nothing was changed.", "Run it again when you want it.")


def _show(terminal: Terminal, steps: tuple[str, ...]) -> None:
    for step in steps:
        terminal.print(f"  {safe(step)}")


def _tell(console: Console, place: _Place, missing: LinearSteps, *, made: bool) -> None:
    by_hand = _by_hand(place, missing)

    def show(terminal: Terminal) -> None:
        if not missing.steps:
            terminal.print(f"Nothing is missing in {safe(place.name)}.")
        elif made:
            terminal.print(f"[green]Done in {safe(place.name)}.[/]")
        else:
            terminal.print(f"What would be done in {safe(place.name)}:")
            _show(terminal, missing.steps)
        terminal.print("\nLeft for you:")
        _show(terminal, by_hand)

    told = {"connection": place.name, "steps": missing.steps, "made": made, "left_for_you": by_hand}
    console.result(told, show)


def _by_hand(place: _Place, missing: LinearSteps) -> tuple[str, ...]:
    variable, left = place.variable, list[str]()
    if not place.webhook_url:
        left.append(
            f"No webhook was asked for: Pawl looks every {place.poll_seconds} s. "
            "Once `pawl serve` has a public address, run this again with --url https://HOST."
        )
    elif missing.webhook:
        left.append(f"Keep the webhook's secret in {variable} where `pawl up` or `pawl serve` is started.")
    elif not secret(variable):
        left.append(
            f"The webhook is there and {variable} is not set: copy its secret from Linear's settings, API, Webhooks."
        )
    return (*left, _about_sessions(place))


def _about_sessions(place: _Place) -> str:
    if not secret(place.linear.client_id_env):
        return f"Agent sessions and delegation need an OAuth app instead of a key: {_PAGE} says how."
    if not place.webhook_url:
        return "Agent sessions begin with the app's own webhook, which needs a public address."
    return (
        f"In the app's settings in Linear, switch on its webhook to {place.webhook_url} with Agent session events, "
        f"and add its signing secret to {place.variable}, after a comma."
    )
