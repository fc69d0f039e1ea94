"""What `pawl init linear` has done, by a process that may load the adapter."""

from contextlib import AsyncExitStack

from activities.letting_in import linear_client
from activities.tracker.linear.client import TooMany
from activities.tracker.linear.setup import Wants, carry_out, plan
from infra.connections import Linear, read_connections
from infra.errands import LinearSteps, LinearWanted
from infra.exits import Refused
from infra.settings import Settings


async def set_up_linear(settings: Settings, wanted: LinearWanted) -> LinearSteps:
    """Say what is missing, or make what was agreed to and nothing else. Raises ApplicationError, PawlError."""
    table = read_connections(settings)
    routes = tuple(route for route in table.all_routes if route.tracker == wanted.connection)
    wants = Wants(routes, webhook_url=wanted.webhook_url, webhook_secret=wanted.webhook_secret)
    async with AsyncExitStack() as open_:
        client = await linear_client(wanted.connection, dict(table.of(Linear))[wanted.connection], open_)
        try:
            changes = await plan(client, wants)
        except TooMany as error:
            cause = "Linear has more teams, labels or webhooks than Pawl reads."
            raise Refused(cause, "Give the key or the app access to fewer teams.") from error
        steps = LinearSteps(steps=tuple(changes.shown()), webhook=changes.webhook is not None)
        if wanted.agreed is None:
            return steps
        if set(steps.steps) - set(wanted.agreed):
            raise Refused("By now something else is missing; nothing was changed.", "Run it again to see what.")
        await carry_out(client, changes)
        if changes.webhook and (await plan(client, wants)).webhook:
            raise Refused(
                f"Linear made no webhook to {wanted.webhook_url}: one of Pawl's is there and switched off.",
                "Delete it in Linear's settings, API, Webhooks, and run this again.",
            )
        return steps
