"""`python -m infra.ingress`: run the ingress in the foreground."""

import asyncio
import logging
import os
import sys

import uvloop
from pydantic import ValidationError
from temporalio.client import Client

from infra import temporal
from infra.exits import Exit, Misused, PawlError, exit_now
from infra.ingress.door import Door
from infra.ingress.github import GitHubDoor
from infra.ingress.linear import LinearDoor
from infra.ingress.server import serve
from infra.payloads import DATA_CONVERTER
from infra.settings import Settings, unusable
from workflows.domain.intake import Terms

HOST = "127.0.0.1"
"""A proxy with the certificate stands in front of it."""
PORT = 8378


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
    doors, terms, port = _chosen(settings)
    client = await Client.connect(**temporal.connection(settings), data_converter=DATA_CONVERTER, lazy=True)
    await serve(doors, terms, client, HOST, port)


def _chosen(settings: Settings) -> tuple[list[Door], Terms, int]:
    """The doors whose secrets the environment gives, several of one door separated by commas; the routes as JSON."""
    doors: list[Door] = []
    if secrets := _secrets("PAWL_LINEAR_WEBHOOK_SECRET"):
        doors.append(LinearDoor("linear", secrets))
    if secrets := _secrets("PAWL_GITHUB_WEBHOOK_SECRET"):
        doors.append(GitHubDoor("github", secrets))
    if not doors:
        raise Misused("The ingress has no door.", "Set PAWL_LINEAR_WEBHOOK_SECRET or PAWL_GITHUB_WEBHOOK_SECRET.")
    routes = Terms.model_validate_json(os.environ.get("PAWL_ROUTES") or "{}")
    terms = routes.model_copy(update={"model": settings.model, "reviewer_model": settings.reviewer_model})
    return doors, terms, int(os.environ.get("PAWL_INGRESS_PORT") or PORT)


def _secrets(variable: str) -> list[str]:
    return [secret for secret in os.environ.get(variable, "").split(",") if secret]


if __name__ == "__main__":
    exit_now(main())
