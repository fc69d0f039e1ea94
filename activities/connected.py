"""The adapters of this installation's connections, from its table and the worker's own keys."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from activities.forge.github import GitHubForge
from activities.git import Identity, TrustedClones
from activities.git.command import as_the_machine
from activities.github import App, GitHub, Token
from activities.github.deliveries import redeliver_failures
from activities.letting_in import a_web, linear_client, needed
from activities.notify.slack import SlackNotify
from activities.outside import Outside
from activities.slack.calls import SlackCalls
from activities.tracker.github import GitHubIssues
from activities.tracker.linear.tracker import LinearTracker
from activities.tracker.openproject.tracker import OpenProjectTracker
from activities.tracker.slack import SlackTracker
from infra import connections
from infra.connections import Connections, secret
from infra.exits import Misused
from infra.openproject import Place
from workflows.ports.journal import Journal

KEPT_BY_GITHUB = timedelta(days=3)
"""How long a delivery that failed can be asked for again."""


@dataclass
class Keys:
    """The GitHubs of the table, each let in by its own key. They come first: the trusted clones need them."""

    githubs: Mapping[str, GitHub]

    async def access(self, url: str) -> Mapping[str, str]:
        """What git shows the host of a URL; a host that is none of ours sees what the machine has."""
        for github in self.githubs.values():
            if shown := await github.git_access(url):
                return shown
        return await as_the_machine(url)


@asynccontextmanager
async def connected(table: Connections, folder: Path, journal: Journal, home: str) -> AsyncGenerator[Outside]:
    """Adapters for every connection, while entered. `folder` is where trusted clones are; `home`, where people read
    about runs. Raises Misused for a connection without its key."""
    async with AsyncExitStack() as open_:
        githubs = {name: await github_client(name, one, open_) for name, one in table.of(connections.GitHub)}
        author = Identity(table.author_name, table.author_email)
        found = Outside(TrustedClones(folder, Keys(githubs).access, author))
        for name, one in table.of(connections.GitHub):
            _use_github(found, table, name, one, githubs[name], journal)
        for name, one in table.of(connections.Linear):
            client = await linear_client(name, one, open_)
            routes = tuple(route for route in table.all_routes if route.tracker == name)
            found.trackers[name] = LinearTracker(client, journal, name, home, routes, one.uploads_url)
        for name, one in table.of(connections.OpenProject):
            place = Place(name, one.url.rstrip("/"), one.field, one.statuses)
            key, web = needed(name, one.key_env), await a_web(open_)
            found.trackers[name] = OpenProjectTracker(place, web, key, journal, handle=one.login)
        for name, one in table.of(connections.Slack):
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


async def github_client(name: str, one: connections.GitHub, open_: AsyncExitStack) -> GitHub:
    """Open until `open_` ends. Raises Misused for a connection without its key."""
    web = await a_web(open_)
    url = one.url.rstrip("/")
    if app_id := secret(one.app_id_env):
        access = App(web, app_id.get_secret_value(), _pem(name, one.private_key_env), url)
    else:
        access = Token(needed(name, one.token_env, f"or {one.app_id_env} and {one.private_key_env}"))
    return GitHub(web, access, url, one.web_url.rstrip("/"), one.graphql)


def _pem(name: str, variable: str) -> str:
    """The key itself, or what is in the file of that name."""
    held = needed(name, variable)
    if "PRIVATE KEY" in held:
        return held.replace("\\n", "\n")  # as many shells and panels keep it
    try:
        return Path(held).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(
            f"{variable} of the connection {name} is neither a key nor a readable file ({type(error).__name__}).",
            "Give the PEM text that GitHub handed out, or the path of its file.",
        ) from None


def _use_slack(found: Outside, name: str, one: connections.Slack) -> None:
    calls = SlackCalls(needed(name, one.bot_token_env), one.url)
    kept = tuple(channel.channel for channel in one.channels if channel.route(name))
    found.trackers[name] = SlackTracker(calls, name, kept)
    found.places.append(SlackNotify(calls, name, one.channels, one.ops_channel, one.news_channel))
