"""One attempt at a provider: send, hand on what streams by, and say how it ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.datastructures import Headers

from infra.gateway import sse
from infra.gateway.budget import LastCall
from infra.gateway.flight import Flight
from infra.gateway.ledger import Reserved
from infra.gateway.meter import Meter
from infra.gateway.providers import Provider, handed_back, plain_usage, stream_usage
from infra.gateway.refusals import Kind, Refusal, refusal, refusal_event
from infra.gateway.settings import GatewaySettings
from infra.gateway.tables import Answer, Metered, Outcome, State
from infra.gateway.wire import Call, Flavour, as_object

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
"""The provider did not get the whole request, so it cannot have charged for it."""


@dataclass(frozen=True)
class Landing:
    """How an attempt ended, and what its callers get once that is durable."""

    outcome: Outcome
    status: int
    headers: dict[str, str]
    rest: bytes


@dataclass
class _Stream:
    """What has been seen of a streamed answer."""

    whole: bytearray = field(default_factory=bytearray)
    held: list[bytes] = field(default_factory=list[bytes])
    """Events from the one on that ends the answer: handed on when the answer is durable."""
    said: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    ended: bool = False
    failed: bool = False


class Upstream:
    """Never retries and never raises for what a provider or the network does: it all ends in a Landing."""

    def __init__(self, http: httpx.AsyncClient, meter: Meter, settings: GatewaySettings) -> None:
        self._http = http
        self._meter = meter
        self._settings = settings

    async def send(
        self, call: Call, reserved: Reserved, provider: Provider, caller: Headers, query: str, flight: Flight
    ) -> Landing:
        patience = self._settings.idle_seconds if call.stream else self._settings.answer_seconds
        request = self._http.build_request(
            "POST",
            provider.url(call.flavour, query),
            content=_sent_body(call),
            headers=provider.headers(caller),
            timeout=httpx.Timeout(patience, connect=10),
        )
        try:
            response = await self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            return self._unheard(call, reserved, provider, error)
        try:
            if response.status_code >= 300:
                return await _failed(call, response, provider)
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                return await self._stream(call, reserved, response, flight)
            return await self._plain(call, reserved, response)
        except httpx.HTTPError as error:
            return self._unheard(call, reserved, provider, error)
        finally:
            await response.aclose()

    async def _plain(self, call: Call, reserved: Reserved, response: httpx.Response) -> Landing:
        body = await response.aread()
        model, worst = reserved.run.model, reserved.worst
        try:
            parsed: Any = json.loads(body)
        except ValueError:
            return _broken(call, self._meter.unheard(worst), "The provider's answer is not JSON.")
        metered = self._meter.complete(call.flavour, model, plain_usage(parsed), worst, len(body))
        answer = Answer(response.status_code, handed_back(response.headers), body)
        if call.flavour is Flavour.RESPONSES and parsed.get("status") in ("failed", "cancelled"):
            outcome = Outcome(State.INCOMPLETE, metered, answer.status, "The provider says that the answer failed.")
        else:
            outcome = Outcome(State.ANSWERED, metered, answer.status, "", answer, _last(call, metered))
        return Landing(outcome, answer.status, answer.headers, body)

    async def _stream(self, call: Call, reserved: Reserved, response: httpx.Response, flight: Flight) -> Landing:
        seen, headers, cause = _Stream(), handed_back(response.headers), ""
        flight.begin(response.status_code, headers)
        splitter = sse.Splitter()
        try:
            async for data in response.aiter_bytes():
                if fresh := _read(call, seen, splitter.feed(data)):
                    flight.add(fresh)
        except httpx.HTTPError as error:
            cause = f" ({type(error).__name__})"
        model, worst, said = reserved.run.model, reserved.worst, stream_usage(seen.said)
        if seen.ended:
            metered = self._meter.complete(call.flavour, model, said, worst, _written(seen, said))
            answer = Answer(response.status_code, headers, bytes(seen.whole))
            outcome = Outcome(State.ANSWERED, metered, answer.status, "", answer, _last(call, metered))
            return Landing(outcome, answer.status, headers, b"".join(seen.held))
        written = sse.written_bytes(bytes(seen.whole))
        if seen.failed and not said and not written:
            outcome = Outcome(State.FAILED, status=response.status_code, detail="The provider sent an error.")
            return Landing(outcome, response.status_code, headers, b"".join(seen.held))
        metered = self._meter.cut(call.flavour, model, said, worst, written, output_is_said=_output_is_said(seen))
        detail = (
            "The provider sent an error in mid-answer." if seen.failed else f"The provider's answer broke off{cause}."
        )
        error_event = b"".join(seen.held) or refusal_event(call.flavour, Kind.UPSTREAM_LOST, f"{detail} Ask again.")
        outcome = Outcome(State.INCOMPLETE, metered, response.status_code, detail)
        return Landing(outcome, response.status_code, headers, error_event)

    def _unheard(self, call: Call, reserved: Reserved, provider: Provider, error: httpx.HTTPError) -> Landing:
        """No answer, or not the whole of a plain one."""
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, _NEVER_SENT):
            detail = f"{provider.name} cannot be reached at {provider.base_url} ({reason})."
            return _landing(Outcome(State.FAILED, detail=detail), refusal(call.flavour, Kind.UPSTREAM_LOST, detail))
        metered = self._meter.unheard(reserved.worst)
        return _broken(call, metered, f"{provider.name} took the call and did not answer ({reason}).")


def _read(call: Call, seen: _Stream, events: list[bytes]) -> bytes:
    """Note what the events say; return those that can be handed on at once."""
    fresh: list[bytes] = []
    for event in events:
        if sse.is_telling(event):
            said = sse.payload(event)
            seen.said.append(said)
            seen.ended = seen.ended or sse.ends(call.flavour, said)
            seen.failed = seen.failed or sse.fails(call.flavour, said)
            if _is_extra(call, said):
                continue
        seen.whole += event
        (seen.held if seen.ended or seen.failed else fresh).append(event)
    return b"".join(fresh)


def _sent_body(call: Call) -> bytes:
    """The caller's own bytes; a Chat stream is asked for its usage, which it would keep to itself otherwise."""
    if call.flavour is not Flavour.CHAT or not call.stream or _asks_for_usage(call):
        return call.raw
    options = {**as_object(call.body.get("stream_options")), "include_usage": True}
    return json.dumps({**call.body, "stream_options": options}).encode()


def _is_extra(call: Call, said: Mapping[str, Any]) -> bool:
    return call.flavour is Flavour.CHAT and sse.is_usage_only(said) and not _asks_for_usage(call)


def _asks_for_usage(call: Call) -> bool:
    return bool(as_object(call.body.get("stream_options")).get("include_usage"))


def _output_is_said(seen: _Stream) -> bool:
    """Whether the provider said what it wrote. What Messages says at the start counts only what was written by then."""
    said = stream_usage(one for one in seen.said if one.get("type") != "message_start")
    return bool({"output_tokens", "completion_tokens"} & said.keys())


def _written(seen: _Stream, said: Mapping[str, Any]) -> int:
    """Only needed, and only worked out, when the provider said nothing of usage."""
    return 0 if said else sse.written_bytes(bytes(seen.whole))


def _last(call: Call, metered: Metered) -> LastCall:
    return LastCall(items=len(call.items), prefix=call.digest, size=call.size, tokens=metered.tokens)


async def _failed(call: Call, response: httpx.Response, provider: Provider) -> Landing:
    """An error reply is passed on as it is, except that our own key is not the caller's to mend. Nothing was bought."""
    body = await response.aread()
    text = body[:300].decode(errors="replace").replace(provider.key, "***")
    detail = f"The provider answered {response.status_code}: {text}"
    outcome = Outcome(State.FAILED, status=response.status_code, detail=detail)
    if response.status_code in (401, 403):
        cause = f"{provider.name} does not accept the gateway's {provider.key_variable} for this call ({text})."
        said = refusal(call.flavour, Kind.NO_CREDENTIALS, f"{cause} Set a valid one and start the gateway again.")
        return _landing(outcome, said)
    return Landing(outcome, response.status_code, handed_back(response.headers), body)


def _broken(call: Call, metered: Metered, detail: str) -> Landing:
    outcome = Outcome(State.INCOMPLETE, metered, detail=detail)
    return _landing(outcome, refusal(call.flavour, Kind.UPSTREAM_LOST, f"{detail} Ask again."))


def _landing(outcome: Outcome, said: Refusal) -> Landing:
    return Landing(outcome, said.status, said.headers, said.body)
