"""The adapters of this installation's connections, from its table and the worker's own keys."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from activities.absent import absent
from activities.errors import stop
from activities.forge.github import GitHubForge
from activities.forge.router import host_of
from activities.git import Identity, TrustedClones
from activities.git.command import as_the_machine
from activities.github import App, GitHub
from activities.github.deliveries import redeliver_failures
from activities.letting_in import a_web, github_client, linear_client
from activities.members import People
from activities.notify.slack import SlackNotify
from activities.outside import Outside
from activities.slack.calls import SlackCalls
from activities.slack.people import SlackPeople
from activities.tracker.github import GitHubIssues
from activities.tracker.linear.tracker import LinearTracker
from activities.tracker.openproject.tracker import OpenProjectTracker
from activities.tracker.slack import SlackTracker
from infra import connections
from infra.connections import Connections
from infra.connections_keys import needed, out_of_use
from infra.exits import Misused
from infra.openproject import Place
from workflows.domain.failures import Failure
from workflows.ports.forge import Forge
from workflows.ports.journal import Journal
from workflows.ports.notify import Notify
from workflows.ports.tracker import Tracker

_log = logging.getLogger("pawl.connections")

KEPT_BY_GITHUB = timedelta(days=3)
"""How long a delivery that failed can be asked for again."""


@dataclass
class Keys:
    """The GitHubs of the table, each let in by its own key. They come first: the trusted clones need them."""

    githubs: Mapping[str, GitHub]
    without: Mapping[str, Misused]
    """Hosts of those that have no key: the machine's own is not tried there instead."""

    async def access(self, url: str) -> Mapping[str, str]:
        """What git shows the host of a URL; a host that is none of ours sees what the machine has."""
        for github in self.githubs.values():
            if shown := await github.git_access(url):
                return shown
        if problem := self.without.get(host_of(url)):
            raise stop(Failure.BAD_CREDENTIALS, problem.cause, problem.next_step)
        return await as_the_machine(url)


@asynccontextmanager
async def connected(table: Connections, folder: Path, journal: Journal, home: str) -> AsyncGenerator[Outside]:
    """Adapters for every connection, while entered. `folder` is where trusted clones are; `home`, where people read
    about runs. For a connection without its key there are stand-ins, which say so to whoever needs them."""
    lacking = out_of_use(table)
    usable = {name: one for name, one in table.connections.items() if name not in lacking}
    used = table.model_copy(update={"connections": usable})
    without = {one.host: lacking[name] for name, one in table.of(connections.GitHub) if name in lacking}
    async with AsyncExitStack() as open_:
        githubs = {name: await github_client(name, one, open_) for name, one in used.of(connections.GitHub)}
        author = Identity(table.author_name, table.author_email)
        found = Outside(TrustedClones(folder, Keys(githubs, without).access, author))
        for name, problem in lacking.items():
            _log.warning("The connection %s is out of use: %s", name, problem)
            _stand_in(found, name, table.connections[name], problem)
        for name, one in used.of(connections.GitHub):
            _use_github(found, table, name, one, githubs[name], journal)
        for name, one in used.of(connections.Linear):
            client = await linear_client(name, one, open_)
            routes = tuple(route for route in table.all_routes if route.tracker == name)
            found.trackers[name] = LinearTracker(client, journal, name, home, routes, one.uploads_url, one.app_user)
        for name, one in used.of(connections.OpenProject):
            place = Place(name, one.url.rstrip("/"), one.field, one.statuses)
            key, web = needed(name, one.key_env), await a_web(open_)
            members = frozenset(int(user) for user in one.members if user.isdigit())
            found.trackers[name] = OpenProjectTracker(place, web, key, journal, one.login, one.user, members)
        for name, one in used.of(connections.Slack):
            _use_slack(found, name, one)
        yield found


def _use_github(
    found: Outside,
    table: Connections,
    name: str,
    one: connections.GitHub,
    github: GitHub,
    journal: Journal,
) -> None:
    found.forges[one.host] = GitHubForge(
        github, found.clones, journal, ours=one.login, connection=name, merge_method=one.merge_method
    )
    teams = tuple({route.team for route in table.all_routes if route.tracker == name and route.team})
    found.trackers[name] = GitHubIssues(github, one.login, name, one.label, teams)
    if isinstance(github.access, App):
        found.redeliver[name] = partial(_redelivered, github.access)


async def _redelivered(app: App, since: datetime) -> int:
    return len(await redeliver_failures(app, max(since, datetime.now(UTC) - KEPT_BY_GITHUB)))


def _use_slack(found: Outside, name: str, one: connections.Slack) -> None:
    calls = SlackCalls(needed(name, one.bot_token_env), one.url)
    kept = tuple(channel.channel for channel in one.channels if channel.route(name))
    found.trackers[name] = SlackTracker(calls, name, kept)
    found.people[name] = SlackPeople(calls)
    found.places.append(SlackNotify(calls, name, one.channels, one.ops_channel, one.news_channel))


def _stand_in(found: Outside, name: str, one: connections.AnyConnection, why: Misused) -> None:
    found.trackers[name] = absent(Tracker, why)
    if isinstance(one, connections.GitHub):
        found.forges.setdefault(one.host, absent(Forge, why))
    if isinstance(one, connections.Slack):
        found.places.append(absent(Notify, why))
        found.people[name] = absent(People, why)
