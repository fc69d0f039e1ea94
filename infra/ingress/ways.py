"""Every way in that the table of connections and the secrets of this process make."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from temporalio.client import Client

from infra.connections import AnyConnection, Connections, GitHub, Linear, OpenProject, Slack, secrets_in
from infra.connections_keys import is_heard, unheard, without_secret
from infra.exits import Misused
from infra.ingress.deliver import attend
from infra.ingress.door import Door
from infra.ingress.github import GitHubDoor
from infra.ingress.late import LateDoor
from infra.ingress.linear import LinearDoor
from infra.ingress.openproject import OpenProjectDoor
from infra.openproject import Place, Us
from infra.slack.arrival import Arrival
from workflows.domain.intake import Happening, Terms

_LOG = logging.getLogger("pawl.ingress")


@asynccontextmanager
async def ways_in(table: Connections, terms: Terms, client: Client) -> AsyncGenerator[list[Door]]:
    """The doors of webhooks, one for each connection, while connections without a public address are kept open. What
    keeps a connection out of use is said once; its door answers 503 with it, and the others are open.

    Raises Misused when there is no way in at all.
    """
    if not any(is_heard(one) for one in table.connections.values()):
        raise Misused(
            "The ingress has no door: no connection has the secret of a webhook, and no app token of Slack.",
            "Set LINEAR_WEBHOOK_SECRET, PAWL_GITHUB_WEBHOOK_SECRET or another of docs/operate/connections.md.",
        )
    shut = unheard(table)
    async with AsyncExitStack() as open_:
        doors: list[Door] = []
        for name, one in table.connections.items():
            if problem := shut.get(name):
                _LOG.warning("The connection %s is out of use: %s", name, problem)
                doors.append(LateDoor(name, f"The connection {name} is out of use: {problem}"))
            elif not is_heard(one):  # it is looked at instead
                doors.append(LateDoor(name, str(without_secret(name, one))))
            elif isinstance(one, Slack):
                arrival = Arrival(name, one, partial(_deliver, client, terms))
                await arrival.begin(open_)
                doors.append(arrival.door)
            else:
                doors.append(_door(name, one))
        yield doors


def _door(name: str, one: AnyConnection) -> Door:
    match one:
        case Linear():
            ours = [one.app_user, *secrets_in(one.client_id_env)]
            return LinearDoor(name, secrets_in(one.webhook_secret_env), ours=ours)
        case GitHub():
            return GitHubDoor(name, secrets_in(one.webhook_secret_env), login=one.login, trigger=one.label)
        case OpenProject():
            place = Place(name, one.url.rstrip("/"), one.field, one.statuses)
            us = Us(one.user, one.login)
            return OpenProjectDoor(place, secrets_in(one.webhook_secret_env), us, one.members)
        case Slack():
            raise ValueError("Slack's door opens when it is known which workspace it is.")


async def _deliver(client: Client, terms: Terms, happenings: Sequence[Happening]) -> None:
    for happening in happenings:
        await attend(client, happening, terms)
