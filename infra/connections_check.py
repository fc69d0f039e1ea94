"""What `pawl doctor` says of connections: whether each lets us in, and how Pawl hears of what happens there."""

from infra.connections import (
    AnyConnection,
    Connections,
    GitHub,
    Linear,
    OpenProject,
    Slack,
    connections_file,
    read_connections,
    secrets_in,
)
from infra.connections_keys import unheard, valid_key
from infra.errands import Reach, Reached, answer
from infra.exits import Exit
from infra.findings import Finding, Health
from infra.settings import Settings


def look_at_connections(settings: Settings) -> list[Finding]:
    """As a worker and an ingress started from this shell would see them. Raises Misused for a table that cannot be
    read."""
    table = read_connections(settings)
    if not table.connections:
        return [Finding(check="connections", health=Health.OK, what="none: tickets come from the board")]
    reached = {reach.name: reach for reach in answer(settings, "reach", Reached).connections}
    return [
        finding
        for name, one in table.connections.items()
        for finding in (_let_in(settings, name, one, reached[name]), *_heard(settings, table, name, one))
    ]


def _let_in(settings: Settings, name: str, one: AnyConnection, reach: Reach) -> Finding:
    check = f"connection {name}"
    if problem := reach.problem:
        health = Health.NOTE if problem.exit is Exit.RATE_LIMITED else Health.BROKEN
        fix = problem.next_step or _fix(settings, name, one, problem.exit)
        return Finding(check=check, health=health, what=problem.cause, fix=fix)
    key, written = _ours(one)
    if reach.ours and written and written.casefold() != reach.ours.casefold():
        what = f"{one.url} knows us as {reach.ours}, the table as {written}: what Pawl does would pass for a person's"
        value = reach.ours if isinstance(one, OpenProject) else f'"{reach.ours}"'
        fix = f"Write {key} = {value} under [connections.{name}] in {connections_file(settings)}."
        return Finding(check=check, health=Health.BROKEN, what=what, fix=fix)
    who = f" as {reach.who}" if reach.who else ""
    known = f" ({reach.ours})" if reach.ours != reach.who else ""
    return Finding(check=check, health=Health.OK, what=f"{one.url} lets us in{who}{known}")


def _fix(settings: Settings, name: str, one: AnyConnection, kind: Exit) -> str:
    if kind is Exit.AUTH:
        return valid_key(one)
    return f"Check the network, and url under [connections.{name}] in {connections_file(settings)}: {one.url}."


def _ours(one: AnyConnection) -> tuple[str, str]:
    """Where the table says who we are there, and what it says; empty where it may not."""
    match one:
        case Linear():
            return "app_user", one.app_user
        case GitHub():
            return "login", one.login
        case OpenProject():
            return "user", str(one.user)
        case Slack():
            return "bot_user", one.bot_user


def _heard(settings: Settings, table: Connections, name: str, one: AnyConnection) -> list[Finding]:
    """How what happens there is heard of; nothing where no tickets of it are wanted and no secret is set."""
    check = f"news of {name}"
    if problem := unheard(table).get(name):
        return [Finding(check=check, health=Health.BROKEN, what=problem.cause, fix=problem.next_step)]
    if isinstance(one, Slack) and secrets_in(one.app_token_env):
        return [Finding(check=check, health=Health.OK, what="by socket mode")]
    variable = one.signing_secret_env if isinstance(one, Slack) else one.webhook_secret_env
    if secrets_in(variable):
        return [Finding(check=check, health=Health.OK, what=f"by webhooks to /hooks/{name}")]
    if isinstance(one, Slack):
        what, fix = "nobody hears buttons, mentions and /pawl", f"Set {variable}, or {one.app_token_env}."
        return [Finding(check=check, health=Health.NOTE, what=what, fix=fix)]
    if name in table.trackers:
        what = f"by looking every {table.poll_seconds} s: {variable} is not set"
        init = f" `pawl init linear --connection {name} --url https://HOST` makes the webhook."
        fix = f"Set it where the ingress starts, to hear at once.{init if isinstance(one, Linear) else ''}"
        return [Finding(check=check, health=Health.NOTE, what=what, fix=fix)]
    if isinstance(one, GitHub):  # it may be wanted as a forge only, which tickets look at by themselves
        return []
    fix = f"Set PAWL_REPOSITORY, or write a route in {connections_file(settings)}."
    return [Finding(check=check, health=Health.NOTE, what="no route: nothing is worked on", fix=fix)]
