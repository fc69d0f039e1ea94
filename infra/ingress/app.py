"""The ingress as an application: check, read, decide, deliver, answer."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError

from infra.ingress.deliver import attend
from infra.ingress.door import Delivery, Door, Turned
from infra.ingress.memory import Away, Memory
from workflows.domain.intake import Terms

MOST_BODIES = 100
"""That are on their way in at once. Anybody may send a body; only a signed one gets further."""
DRAIN_SECONDS = 10.0
"""How long what was accepted may take to reach Temporal when the process is told to end."""
_RETRY_AFTER = {"retry-after": "5"}
_HEALTH = timedelta(seconds=2)
_LOG = logging.getLogger("pawl.ingress")


class Ingress:
    """The doors of one installation, in front of one Temporal server."""

    def __init__(self, doors: Sequence[Door], terms: Terms, client: Client) -> None:
        self._terms, self._client = terms, client
        self._doors = {door.name: door for door in doors}
        if len(self._doors) < len(doors):
            raise ValueError("Two connections have the same name.")
        self._memory = {name: Memory() for name in self._doors}
        self._bodies = 0

    def app(self) -> Starlette:
        """The ASGI app. On shutdown it waits for what was accepted."""
        doors = [
            Route(door.path, partial(self._hook, door), methods=["POST"], max_body_size=door.most_bytes)
            for door in self._doors.values()
        ]
        return Starlette(routes=[Route("/healthz", self._health), *doors], lifespan=self._lifespan)

    async def _hook(self, door: Door, request: Request) -> Response:
        try:
            return await self._answer(door, request)
        except Turned as turned:
            _LOG.info("%s: %d, %s", door.name, turned.status, turned)
            return _said(turned)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it

    async def _answer(self, door: Door, request: Request) -> Response:
        ends = time.monotonic() + door.seconds
        body, headers = await self._body(door, request), _headers(request)
        door.check(headers, body, time.time())
        delivery = door.read(headers, body)
        take, left = partial(self._take, door, delivery), ends - time.monotonic()
        if not await self._memory[door.name].once(delivery.id, take, left):
            _LOG.info("%s: %s was taken before", door.name, _shown(delivery))
        kind = "application/json" if delivery.reply.startswith(b"{") else "text/plain"
        return Response(delivery.reply, door.taken, media_type=kind)

    async def _body(self, door: Door, request: Request) -> bytes:
        if self._bodies >= MOST_BODIES:
            raise Away("Too many requests at once.")
        self._bodies += 1
        try:
            async with asyncio.timeout(door.seconds):
                return await request.body()
        except TimeoutError:
            raise Turned("The body came too slowly.", 408) from None
        finally:
            self._bodies -= 1

    async def _take(self, door: Door, delivery: Delivery) -> None:
        done = [word for one in delivery.happenings for word in await attend(self._client, one, self._terms)]
        _LOG.info("%s: %s: %s", door.name, _shown(delivery), ", ".join(done) or "nothing to do")

    async def _health(self, _: Request) -> Response:
        """Whether deliveries would be taken now."""
        try:
            serves = await self._client.service_client.check_health(timeout=_HEALTH)
        except (RPCError, RuntimeError):  # the second for a first connection that fails
            serves = False
        return PlainTextResponse("ok" if serves else "Temporal cannot be reached", 200 if serves else 503)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        yield
        await asyncio.gather(*(memory.drain(DRAIN_SECONDS) for memory in self._memory.values()))


def _headers(request: Request) -> dict[str, str]:
    """By lower-case name. Of one that is sent twice all values, so that nobody is shown the one he wants to see."""
    return {name: ", ".join(request.headers.getlist(name)) for name in request.headers}


def _said(turned: Turned) -> Response:
    return PlainTextResponse(str(turned), turned.status, _RETRY_AFTER if turned.status == 503 else None)


def _shown(delivery: Delivery) -> str:
    """For the log: headers are not signed, and say what their sender likes."""
    return f"{ascii(delivery.event)[:80]} {ascii(delivery.id)[:80]}"
