"""What the doubles of services have in common: a loopback server, faults on demand, and no call nobody foresaw."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.fakes.provider import LoopServer

Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose method and path, as `POST /v2/x`, contain `at`."""

    at: str
    status: int = 0
    """The reply instead of the service's; 0: the connection breaks."""
    times: int = 1
    after: bool = False
    """The service does what was asked, and the reply is lost."""
    body: bytes = b'{"code": 0, "message": "on purpose"}'


class Faults:
    """Around a double's application: `add` what shall go wrong; `seen` is what was asked, `unforeseen` what it cannot
    answer. A test ends by asserting that nothing was."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._waiting: list[Fault] = []
        self.seen: list[str] = []
        self.unforeseen: list[str] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # has faults of its own kind
            await self._app(scope, receive, send)
            return
        asked = f"{scope['method']} {scope['path']}"
        self.seen.append(asked)
        fault = self.due(asked)
        if fault is None:
            await self._app(scope, receive, self._watching(send, asked))
            return
        if fault.after:
            await self._app(scope, receive, _nowhere)
        length = len(fault.body) if fault.status else 100
        headers = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": fault.status or 200, "headers": headers})
        await send({"type": "http.response.body", "body": fault.body, "more_body": not fault.status})
        if not fault.status:
            raise ConnectionResetError("cut on purpose")

    def due(self, asked: str) -> Fault | None:
        for fault in self._waiting:
            if fault.at in asked and fault.times:
                fault.times -= 1
                return fault
        return None

    def _watching(self, send: Send, asked: str) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (405, 501):
                self.unforeseen.append(asked)
            await send(message)

        return watch


async def _nowhere(_: Message) -> None:
    return None


class Refused(Exception):
    """The service says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Handlers:
    """From handlers to a double's routes, for whoever has the token. `refusal` writes an error as the service does.
    What a handler cannot read is a call that nobody foresaw."""

    def __init__(self, token: str, refusal: Callable[[int, str], dict[str, Any]]) -> None:
        self._token, self._refusal = token, refusal

    def route(self, method: str, path: str, handler: Handler) -> Route:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self._token}":
                return self._no(401, "no such key")
            try:
                return await handler(request)
            except Refused as refused:
                return self._no(refused.status, str(refused))
            except (ValidationError, AssertionError, LookupError) as error:
                return self._no(501, repr(error))

        return Route(path, guarded, methods=[method])

    def app(self, routes: list[BaseRoute]) -> Starlette:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return Starlette(routes=[*routes, Route("/{path:path}", self._unforeseen, methods=methods)])

    async def _unforeseen(self, _: Request) -> Response:
        return self._no(501, "no part of the double")

    def _no(self, status: int, message: str) -> Response:
        return JSONResponse(self._refusal(status, message), status)


@asynccontextmanager
async def serving(app: Callable[..., Awaitable[Any]]) -> AsyncGenerator[str]:
    """Its URL on a free loopback port, served in this event loop."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",  # a cut connection is an exception to it, and a fault on purpose to us
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = LoopServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def no_kept_connections() -> httpx.AsyncClient:
    """A client that nobody needs to close: it leaves nothing open between two calls."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(limits=limits, verify=False, timeout=30)  # noqa: S501  # loopback; saves reading the CA list


async def body_of(request: Request) -> Any:
    return json.loads(await request.body() or b"null")
