"""Model calls: each is sent at most once at a time, its answer is kept before it is handed on whole."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from obstore.exceptions import BaseError
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers

from infra.gateway.budget import worst_case
from infra.gateway.flight import Flight
from infra.gateway.ledger import SMALL, Kept, Ledger, Played, Quote, Reserved
from infra.gateway.meter import Meter
from infra.gateway.player import TAPE, Tapes
from infra.gateway.providers import Provider
from infra.gateway.refusals import Kind, Refused, refusal
from infra.gateway.tables import Answer, Outcome, Run, State
from infra.gateway.upstream import Landing, Upstream
from infra.gateway.wire import Call
from infra.gateway.writer import Writer
from workflows.domain.words import counted

_T = TypeVar("_T")
_LOG = logging.getLogger("pawl.gateway")
_BEAT_SECONDS = 5.0
_LOOKS = 100

_Key = tuple[str, int, str]


class Calls:
    """Everything between the routes and the providers."""

    def __init__(
        self,
        writer: Writer,
        ledger: Ledger,
        upstream: Upstream,
        providers: dict[str, Provider],
        tapes: Tapes,
        meter: Meter,
    ) -> None:
        self._writer = writer
        self._ledger = ledger
        self._upstream = upstream
        self._providers = providers
        self._tapes = tapes
        self._meter = meter
        self._flights: dict[_Key, Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def answer(self, call: Call, caller: Headers, query: str) -> Flight:
        """The answer, kept, joined or newly bought. Goes on when the caller leaves. Raises Refused."""
        try:
            return await asyncio.shield(self._spawn(self._found(call, caller, query)))
        except Refused as refused:
            _LOG.info("%s turn %d: refused, %s", call.session, call.seq, refused.kind.value.code.replace("_", " "))
            raise

    async def drain(self, seconds: float) -> None:
        """Wait until every call in flight has landed and is durable, at most so long."""
        deadline = time.monotonic() + seconds
        while self._tasks and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        if self._flights:
            left = counted(len(self._flights), "call")
            _LOG.warning("Ended with %s in flight; the next start charges the worst case.", left)

    async def beat(self) -> None:
        """While calls are in flight, let other gateways on the same database know that this one lives."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            if not self._flights:
                continue
            try:
                await self._writer.write(self._ledger.beat)
            except SQLAlchemyError as error:  # the next beat may get through, and without it this one counts as dead
                _LOG.warning("The sign of life of this gateway could not be written: %s", error)

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    async def _found(self, call: Call, caller: Headers, query: str) -> Flight:
        key = (call.session, call.seq, call.digest)
        for _ in range(_LOOKS):
            found = await self._writer.write(partial(self._ledger.admit, call=call, quote=partial(self._quote, call)))
            if isinstance(found, Kept):
                return Flight.of(await asyncio.to_thread(self._ledger.unpack, found), "kept")
            if isinstance(found, Played):
                return Flight.of(found.answer, TAPE)
            if isinstance(found, Reserved):
                flight = self._flights[key] = Flight()
                self._spawn(self._fly(key, call, found, caller, query, flight))
                return flight
            if flight := self._flights.get(key):
                return flight
            if found.owner != self._ledger.owner:
                raise Refused(Kind.BUSY, f"The same call is in flight at the gateway {found.owner}. Ask again.")
            await asyncio.sleep(0.01)  # it landed between the ledger's look and ours
        raise Refused(Kind.BUSY, "The receipt of an earlier attempt is unfinished; the gateway's log says why.")

    def _quote(self, call: Call, run: Run) -> Quote:
        """What the call may cost. Raises Refused when it may not be made at all."""
        vendor, _, name = run.model.partition(":")
        if call.model not in (run.model, name):
            raise Refused(
                Kind.BAD_REQUEST,
                f"This run may use {run.model} and nothing else, but the request is for {call.model!r}.",
            )
        if vendor == TAPE:
            return self._tapes.quote(call, run)
        if call.flavour not in self._providers[vendor].paths:
            raise Refused(Kind.BAD_REQUEST, f"This run's model is {run.model}; this route serves {call.flavour} only.")
        if not self._providers[vendor].key:
            variable = self._providers[vendor].key_variable
            raise Refused(Kind.NO_CREDENTIALS, f"The gateway has no {variable}. Set it and start the gateway again.")
        return Quote(worst_case(call, run.model, run.last, run.limited, self._meter.prices))

    async def _fly(
        self, key: _Key, call: Call, reserved: Reserved, caller: Headers, query: str, flight: Flight
    ) -> None:
        """Send, settle, and only then let the callers have the end of the answer."""
        began = time.monotonic()
        provider = self._providers[reserved.run.model.partition(":")[0]]
        try:
            landing = await self._upstream.send(call, reserved, provider, caller, query, flight)
            await self._settle(reserved, landing.outcome)
        except Exception:
            _LOG.exception("%s turn %d: the call broke inside the gateway", call.session, call.seq)
            landing = self._broken(call, reserved)
            await self._settle(reserved, landing.outcome)
        finally:
            del self._flights[key]
        flight.land(landing.status, landing.headers, landing.rest)
        _report(call, reserved, landing, time.monotonic() - began)

    async def _settle(self, reserved: Reserved, outcome: Outcome) -> None:
        """Keeps trying: what is held here was paid for and is nowhere else."""
        pause = 0.2
        while True:
            try:
                settle = partial(self._ledger.settle, reserved=reserved, outcome=outcome)
                return await self._writer.write(partial(settle, packed=await self._packed(outcome.answer)))
            except (SQLAlchemyError, BaseError, OSError) as error:
                _LOG.error("A receipt cannot be written (%s); trying again in %.1f s.", error, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10)

    async def _packed(self, answer: Answer | None) -> dict[str, Any]:
        if answer is None:
            return {}
        if len(answer.body) <= SMALL:  # it will not need the object store, which may be slow
            return self._ledger.pack(answer)
        return await asyncio.to_thread(self._ledger.pack, answer)

    def _broken(self, call: Call, reserved: Reserved) -> Landing:
        said = refusal(call.flavour, Kind.UPSTREAM_LOST, "The call broke inside the gateway; its log says where.")
        outcome = Outcome(State.LOST, self._meter.unheard(reserved.worst), detail="The call broke inside the gateway.")
        return Landing(outcome, said.status, said.headers, said.body)

    def _spawn(self, work: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _report(call: Call, reserved: Reserved, landing: Landing, seconds: float) -> None:
    metered = landing.outcome.metered
    _LOG.info(
        "%s turn %d: %s, %s, %d tokens in, %d out, %s, %.1f s%s",
        call.session,
        call.seq,
        reserved.run.model,
        landing.outcome.state,
        metered.input_tokens,
        metered.output_tokens,
        "price unknown" if metered.usd is None else f"${metered.usd:.6f}",
        seconds,
        f". {landing.outcome.detail}" if landing.outcome.detail else "",
    )
