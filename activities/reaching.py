"""Whether every connection's service lets us in: one cheap question each, for `pawl doctor` and for a worker that
begins."""

import asyncio
import logging
from contextlib import AsyncExitStack

from temporalio.exceptions import ApplicationError

from activities.github import App
from activities.github.failures import Refused
from activities.github.identity import VIEWER
from activities.letting_in import a_web, github_client, linear_client
from activities.problems import problem_of
from activities.slack.calls import SlackCalls
from activities.tracker.linear import documents
from activities.tracker.linear.rows import User
from activities.tracker.openproject.client import Client, Missing
from infra.connections import AnyConnection, Connections, GitHub, Linear, OpenProject, Slack, read_connections
from infra.connections_keys import needed, out_of_use, valid_key
from infra.errands import Problem, Reach, Reached
from infra.exits import Exit, Misused, NoAccess, PawlError
from infra.settings import Settings
from workflows.domain.model import Record

_log = logging.getLogger("pawl.connections")


class _App(Record):
    slug: str


async def reach_all(settings: Settings) -> Reached:
    """All at once; one that fails hides no other."""
    table = read_connections(settings)
    found = await asyncio.gather(*(_reached(name, one) for name, one in table.connections.items()))
    return Reached(connections=tuple(found))


async def tell_of_refused(table: Connections) -> None:
    """Say once which connections have a key that their service refuses. That one is away is said by what needs it."""
    known = out_of_use(table)
    asked = {name: one for name, one in table.connections.items() if name not in known}
    for reach in await asyncio.gather(*(_reached(name, one) for name, one in asked.items())):
        if reach.problem and reach.problem.exit is Exit.AUTH:
            said = f"{reach.problem.cause} {reach.problem.next_step or valid_key(asked[reach.name])}"
            _log.warning("The connection %s is out of use: %s", reach.name, said)


async def _reached(name: str, one: AnyConnection) -> Reach:
    try:
        async with AsyncExitStack() as open_:
            return await _asked(name, one, open_)
    except (ApplicationError, PawlError) as error:
        problem = problem_of(error)
    except Exception as error:  # an answer nobody foresaw: of another program at that address, say
        cause = f"What answers for {name} cannot be understood ({type(error).__name__})."
        problem = Problem(exit=Exit.OUTSIDE, cause=cause)
    return Reach(name=name, problem=problem)


async def _asked(name: str, one: AnyConnection, open_: AsyncExitStack) -> Reach:
    match one:
        case Linear():
            client = await linear_client(name, one, open_)
            viewer = User.model_validate((await client.ask(documents.VIEWER))["viewer"])
            return Reach(name=name, who=viewer.display_name or viewer.name, ours=viewer.id)
        case GitHub():
            return await _github(name, one, open_)
        case OpenProject():
            return await _openproject(name, one, open_)
        case Slack():
            calls = SlackCalls(needed(name, one.bot_token_env), one.url)
            us = await calls.us()
            await calls.person(us.user)  # whether we may ask who people are: without it nobody may decide
            return Reach(name=name, who=us.user, ours=us.user)


async def _github(name: str, one: GitHub, open_: AsyncExitStack) -> Reach:
    github = await github_client(name, one, open_)
    try:
        if isinstance(github.access, App):  # the installations have repositories to ask for, the app itself has none
            found, _ = await github.access.call("GET", "/app")
            login = f"{_App.model_validate(found).slug}[bot]"
        else:
            login = str((await github.graphql("", VIEWER))["viewer"]["login"])
    except Refused as refused:
        if refused.status in (401, 403):
            raise NoAccess(f"GitHub answered {refused.status}: {refused.said}.") from refused
        raise Misused(f"What answers for {name} is no GitHub: {refused.status}.") from refused
    return Reach(name=name, who=login, ours=login)


async def _openproject(name: str, one: OpenProject, open_: AsyncExitStack) -> Reach:
    client = Client(await a_web(open_), one.url.rstrip("/"), needed(name, one.key_env))
    try:
        us = await client.call("GET", "users/me")
    except Missing as missing:
        raise Misused(f"There is no OpenProject at {one.url}.") from missing
    return Reach(name=name, who=str(us.get("name", "")), ours=str(us["id"]))
