"""What doubles of vendors' HTTP services share: faults on demand, a note of every call nobody foresaw, a server."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from tests.fakes.provider import LoopServer

Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class Fault:
    """What goes wrong with calls that contain `where` (they read as `POST /v1/things`): refused with a status before
    anything is done, or, with status 0, done and then cut off in the middle of the answer."""

    where: str
    status: int = 0
    times: int = 1


class Refused(Exception):
    """The service says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Faulty:
    """`refusal` writes an error as the service does."""

    token: str
    refusal: Callable[[int, str], dict[str, Any]]
    faults: list[Fault] = field(default_factory=list[Fault])
    strange: list[str] = field(default_factory=list[str])
    """Calls that are no part of the double, or have something in them that it does not know: a test must fail."""
    calls: Counter[str] = field(default_factory=Counter[str])

    def route(self, method: str, path: str, handler: Handler) -> Route:
        async def guarded(request: Request) -> Response:
            self.calls[f"{method} {path}"] += 1
            if request.headers.get("authorization") != f"Bearer {self.token}":
                return self._no(401, "no such key")
            fault = self.due(f"{method} {request.url.path}")
            if fault and fault.status:
                return self._no(fault.status, f"fault on purpose {fault.status}")
            response = await self._done(request, handler)
            return _cut(response) if fault else response

        return Route(path, guarded, methods=[method])

    def app(self, routes: list[BaseRoute]) -> Starlette:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return Starlette(routes=[*routes, Route("/{path:path}", self._unforeseen, methods=methods)])

    def due(self, call: str) -> Fault | None:
        for fault in self.faults:
            if fault.where in call and fault.times:
                fault.times -= 1
                return fault
        return None

    async def _done(self, request: Request, handler: Handler) -> Response:
        try:
            return await handler(request)
        except Refused as refused:
            return self._no(refused.status, str(refused))
        except (ValidationError, AssertionError, LookupError) as error:
            self.strange.append(f"{request.method} {request.url.path}: {error!r}")
            return self._no(422, str(error))

    async def _unforeseen(self, request: Request) -> Response:
        self.strange.append(f"{request.method} {request.url.path}")
        return self._no(501, "no part of the double")

    def _no(self, status: int, message: str) -> Response:
        return JSONResponse(self.refusal(status, message), status)


def _cut(response: Response) -> Response:
    whole = bytes(response.body) if not isinstance(response, StreamingResponse) else b"x" * 100
    headers = {"content-type": response.headers.get("content-type", ""), "content-length": str(len(whole))}

    async def half() -> AsyncIterator[bytes]:
        yield whole[: len(whole) // 2]
        raise ConnectionResetError("cut on purpose")

    return StreamingResponse(half(), headers=headers)


@asynccontextmanager
async def serving(app: Starlette, port: int = 0) -> AsyncGenerator[str]:
    """The URL of the service, on a free loopback port and in this event loop."""
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
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
