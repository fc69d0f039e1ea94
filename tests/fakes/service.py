"""What the doubles of services have in common: a loopback server, faults on demand, and no call nobody foresaw."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.fakes.provider import LoopServer


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
        asked = f"{scope['method']} {scope['path']}"
        self.seen.append(asked)
        fault = self._next(asked)
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

    def _next(self, asked: str) -> Fault | None:
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
