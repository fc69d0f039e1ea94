"""Every way in that the table of connections and the secrets of this process make."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from temporalio.client import Client

from infra.connections import Connections, GitHub, Linear, OpenProject, Slack, secret, secrets_in
from infra.exits import Misused
from infra.ingress.deliver import attend
from infra.ingress.door import Door
from infra.ingress.github import GitHubDoor
from infra.ingress.linear import LinearDoor
from infra.ingress.openproject import OpenProjectDoor
from infra.ingress.slack import SlackDoor
from infra.openproject import Place, Us
from infra.slack.hands import Hands
from infra.slack.home import home_of
from infra.slack.readings import Readings
from infra.slack.socket import Socket
from workflows.domain.intake import Happening, Terms


@asynccontextmanager
async def ways_in(table: Connections, terms: Terms, client: Client) -> AsyncGenerator[list[Door]]:
    """The doors of webhooks, while connections without a public address are kept open.

    Raises Misused when there is no way in at all and for a Linear without its app_user, NoAccess and OutOfReach for a
    Slack that does not say who we are.
    """
    doors = [*_linear(table), *_github(table), *_openproject(table)]
    async with AsyncExitStack() as open_:
        sockets = 0
        for name, slack in table.of(Slack):
            signing, app_token = secrets_in(slack.signing_secret_env), secret(slack.app_token_env)
            if not signing and not app_token:
                continue
            bot = secret(slack.bot_token_env)
            token = bot.get_secret_value() if bot else ""
            hands, readings = Hands(token, slack.url), await _readings(name, slack, token)
            if app_token:
                deliver = partial(_deliver, client, terms)
                socket = Socket(app_token.get_secret_value(), readings, deliver, hands, slack.url)
                await open_.enter_async_context(socket)
                sockets += 1
            if signing:
                open_.push_async_callback(hands.close)
                doors.append(SlackDoor(signing, readings, hands))
        if not doors and not sockets:
            raise Misused(
                "The ingress has no door: no connection has the secret of a webhook, and no app token of Slack.",
                "Set LINEAR_WEBHOOK_SECRET, PAWL_GITHUB_WEBHOOK_SECRET or another of docs/operate/connections.md.",
            )
        yield doors


def _linear(table: Connections) -> list[Door]:
    doors: list[Door] = []
    for name, linear in table.of(Linear):
        if secrets := secrets_in(linear.webhook_secret_env):
            if not linear.app_user:  # Pawl would take its own comments for a member's, and obey them
                cause = f"Nobody says which user of Linear is Pawl's own in the connection {name}."
                raise Misused(cause, f"Write app_user under [connections.{name}]: docs/operate/linear.md shows how.")
            doors.append(LinearDoor(name, secrets, ours=[linear.app_user, *secrets_in(linear.client_id_env)]))
    return doors


def _github(table: Connections) -> list[Door]:
    doors: list[Door] = []
    for name, github in table.of(GitHub):
        if secrets := secrets_in(github.webhook_secret_env):
            doors.append(GitHubDoor(name, secrets, login=github.login, trigger=github.label))
    return doors


def _openproject(table: Connections) -> list[Door]:
    doors: list[Door] = []
    for name, project in table.of(OpenProject):
        if secrets := secrets_in(project.webhook_secret_env):
            place = Place(name, project.url.rstrip("/"), project.field, project.statuses)
            doors.append(OpenProjectDoor(place, secrets, Us(project.user, project.login), project.members))
    return doors


async def _readings(name: str, slack: Slack, token: str) -> Readings:
    team, user = slack.team, slack.bot_user
    if token and not (team and user):
        home = await home_of(token, slack.url)
        team, user = team or home.team, user or home.user
    if not team:
        raise Misused(
            f"Nobody says which workspace of Slack the connection {name} is.",
            f"Set {slack.bot_token_env}, or write team and bot_user in connections.toml.",
        )
    return Readings(name, team, slack.channels, user)


async def _deliver(client: Client, terms: Terms, happenings: Sequence[Happening]) -> None:
    for happening in happenings:
        await attend(client, happening, terms)
