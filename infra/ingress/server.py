"""The ingress as a process: where it listens, how it ends."""

import logging
import os
import signal
import socket
from collections.abc import Sequence
from types import FrameType

import uvicorn
from temporalio.client import Client

from infra.exits import Refused
from infra.ingress.app import DRAIN_SECONDS, Ingress
from infra.ingress.door import Door
from workflows.domain.intake import Terms

MOST_CONNECTIONS = 1_000
"""More are answered with 503."""
_LOG = logging.getLogger("pawl.ingress")


async def serve(doors: Sequence[Door], terms: Terms, client: Client, host: str, port: int) -> None:
    """Listen until SIGTERM or SIGINT, then finish what was accepted. `client` may be one that is not connected yet:
    until Temporal answers, deliveries get 503. Raises Refused when the port is taken."""
    listener = _listen(host, port)
    where, chosen = listener.getsockname()[:2]
    paths = ", ".join(door.path for door in doors) or "none"
    _LOG.info("Pawl's ingress listens at http://%s:%d. Doors: %s.", where, chosen, paths)
    config = uvicorn.Config(
        Ingress(doors, terms, client).app(),
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=int(DRAIN_SECONDS),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)
    await uvicorn.Server(config).serve(sockets=[listener])
    _LOG.info("Pawl's ingress has ended.")


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=1_024)
    except OSError as error:
        raise Refused(
            f"The ingress cannot listen at {host}:{port} ({os.strerror(error.errno or 0)}).",
            "Another one may run there: stop it, or set PAWL_INGRESS_PORT to a free port.",
        ) from error


def _ended(_number: int, _frame: FrameType | None) -> None:
    """uvicorn raises the signal again when it is done. Being told to end is not a failure."""
