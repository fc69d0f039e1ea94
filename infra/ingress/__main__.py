"""`python -m infra.ingress`: run the ingress in the foreground."""

import asyncio
import logging
import sys

import uvloop
from pydantic import ValidationError
from temporalio.client import Client

from infra import temporal
from infra.connections import read_connections
from infra.exits import Exit, PawlError, exit_now
from infra.ingress.server import serve
from infra.ingress.ways import ways_in
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
    terms = table.terms(settings)
    client = await Client.connect(**temporal.connection(settings), data_converter=DATA_CONVERTER, lazy=True)
    async with ways_in(table, terms, client) as doors:
        await serve(doors, terms, client, settings.ingress_host, settings.ingress_port)


if __name__ == "__main__":
    exit_now(main())
