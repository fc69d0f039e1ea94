"""An ingress in the test's own event loop, on a free loopback port."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from temporalio.client import Client

from infra.ingress.app import Ingress
from infra.ingress.door import Door
from tests.fakes.provider import LoopServer
from tests.infra.ingress import github_words, linear_words
from workflows.domain.intake import Terms
from workflows.domain.routes import Route

TERMS = Terms(
    routes=(Route(tracker="linear", repository="/shop"), Route(tracker="github", label="pawl", repository="/shop")),
    model="anthropic:m",
)


@asynccontextmanager
async def served(doors: Sequence[Door], client: Client) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    app = Ingress(doors, TERMS, client).app()
    config = uvicorn.Config(app, log_config=None, log_level="critical", access_log=False, timeout_graceful_shutdown=5)
    server = LoopServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        limits = httpx.Limits(max_connections=1_000, max_keepalive_connections=20)
        async with httpx.AsyncClient(base_url=base, limits=limits, verify=False, timeout=30) as http:  # noqa: S501
            yield http
    finally:
        server.should_exit = True
        await task


async def linear(http: httpx.AsyncClient, payload: Any, delivery_id: str = "d-1", **headers: str) -> int:
    """Send as Linear does; the status. Headers are replaced by name, `_` for `-`."""
    signed, body = linear_words.signed(payload, delivery_id=delivery_id)
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await http.post("/hooks/linear", content=body, headers={**signed, **changed})).status_code


async def github(http: httpx.AsyncClient, event: str, payload: Any, delivery_id: str = "d-1") -> int:
    signed, body = github_words.signed(event, payload, delivery_id=delivery_id)
    return (await http.post("/hooks/github", content=body, headers=signed)).status_code
