"""The gateway's routes: model calls for sessions, accounts and runs for the worker."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from infra.gateway.admin import Admin
from infra.gateway.calls import Calls
from infra.gateway.providers import ROUTES
from infra.gateway.refusals import Kind, Refused, refusal
from infra.gateway.tokens import calling_session
from infra.gateway.wire import BadCall, Flavour, meant_besides, read_call
from workflows.domain.tokens import SEQ_HEADER

ORIGIN_HEADER = "X-Pawl-Answer"
"""How an answer came to be: `bought` from the provider, `kept` from before, or played from a tape."""


class ModelRoutes:
    """The three APIs, as their own clients speak them."""

    def __init__(self, calls: Calls, secret: str) -> None:
        self._calls = calls
        self._secret = secret

    def routes(self) -> list[Route]:
        return [Route(path, partial(self._answer, flavour), methods=["POST"]) for path, flavour in ROUTES.items()]

    async def _answer(self, flavour: Flavour, request: Request) -> Response:
        try:
            session = calling_session(request.headers, self._secret)
            besides = meant_besides(request.headers, request.url.query)
            call = read_call(session, _seq(request), flavour, await _body(request), besides)
            flight = await self._calls.answer(call, request.headers, request.url.query)
        except (Refused, BadCall) as error:
            kind = error.kind if isinstance(error, Refused) else Kind.BAD_REQUEST
            said = refusal(flavour, kind, str(error))
            return Response(said.body, said.status, said.headers)
        await flight.begun()
        headers = {**flight.headers, ORIGIN_HEADER: flight.origin}
        if flight.headers.get("content-type", "").startswith("text/event-stream"):
            return StreamingResponse(flight.chunks(), flight.status, headers)
        return Response(await flight.whole(), flight.status, headers)


def create_app(
    calls: Calls, admin: Admin, secret: str, drain_seconds: Callable[[], float], close: Callable[[], Awaitable[None]]
) -> Starlette:
    """The ASGI app. On shutdown it waits for the calls in flight, as long as may be then, and closes what it was built
    on."""

    async def health(_request: Request) -> Response:
        return JSONResponse(
            {"ok": True, "service": "pawl gateway", "version": _version(), "in_flight": calls.in_flight}
        )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        beating = asyncio.create_task(calls.beat())
        yield
        await calls.drain(drain_seconds())
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        await close()

    routes = [Route("/health", health), *ModelRoutes(calls, secret).routes(), *admin.routes()]
    return Starlette(routes=routes, lifespan=lifespan)


def _seq(request: Request) -> int:
    value = request.headers.get(SEQ_HEADER, "")
    if value.isascii() and value.isdigit() and 0 < int(value) < 1_000_000:
        return int(value)
    said = f"it says {value!r}" if value else "it is missing"
    raise Refused(Kind.BAD_REQUEST, f"The header {SEQ_HEADER} must name the turn as a whole number from 1, but {said}.")


async def _body(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Refused(Kind.BAD_REQUEST, f"The gateway does not read {encoding} bodies. Send the request uncompressed.")
    return await request.body()


def _version() -> str:
    try:
        return version("pawl")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
