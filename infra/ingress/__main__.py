"""`python -m infra.ingress`: run the ingress in the foreground."""

import asyncio
import logging
import sys
from collections.abc import Iterator

import uvloop
from pydantic import ValidationError
from temporalio.client import Client

from infra import temporal
from infra.connections import Connections, GitHub, Linear, read_connections, secret
from infra.exits import Exit, Misused, PawlError, exit_now
from infra.ingress.door import Door
from infra.ingress.github import GitHubDoor
from infra.ingress.linear import LinearDoor
from infra.ingress.server import serve
from infra.payloads import DATA_CONVERTER
from infra.settings import Settings, unusable


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(Settings()))
    except ValidationError as error:
        problem = unusable(error)
        sys.stderr.write(f"{problem}\n")
        return problem.exit
    except PawlError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit
    return Exit.OK


async def _run(settings: Settings) -> None:
    table = read_connections(settings)
    doors = list(_doors(table))
    if not doors:
        raise Misused(
            "The ingress has no door: no connection has the secret of a webhook.",
            "Set LINEAR_WEBHOOK_SECRET or PAWL_GITHUB_WEBHOOK_SECRET.",
        )
    client = await Client.connect(**temporal.connection(settings), data_converter=DATA_CONVERTER, lazy=True)
    await serve(doors, table.terms(settings), client, settings.ingress_host, settings.ingress_port)


def _doors(table: Connections) -> Iterator[Door]:
    """One for each connection whose webhook has a secret here; several secrets of one are separated by commas."""
    for name, linear in table.of(Linear):
        if secrets := _secrets(linear.webhook_secret_env):
            yield LinearDoor(name, secrets, ours=[linear.app_user] if linear.app_user else [])
    for name, github in table.of(GitHub):
        if secrets := _secrets(github.webhook_secret_env):
            yield GitHubDoor(name, secrets, login=github.login)


def _secrets(variable: str) -> list[str]:
    held = secret(variable)
    return [one for one in held.get_secret_value().split(",") if one] if held else []


if __name__ == "__main__":
    exit_now(main())
