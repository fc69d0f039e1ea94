"""A model provider that counts: Anthropic Messages, OpenAI Responses and Chat over real HTTP, with faults on demand.

Every request is answered by the first rule that matches it (see `Rule`); without one, by "Hello.". Requests are
counted by the SHA-256 of their body, so two equal bodies are one call bought twice.

As a process: `python -m tests.fakes.provider [--port 0] [--rules FILE.json] [--latency S] [--chunk-delay S]`. It prints
its base URL on the first line, for PAWL_ANTHROPIC_BASE_URL and PAWL_OPENAI_BASE_URL. In a test: `async with
running(FakeProvider(...)) as provider`. While it runs: GET /_count, GET /_log, PUT /_rules.
"""

import argparse
import asyncio
import hashlib
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.fakes import answers
from tests.fakes.answers import FakeAnswer

_PATHS = {"/v1/messages": "messages", "/v1/responses": "responses", "/v1/chat/completions": "chat"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Match(_Strict):
    """Which requests a rule answers. An empty match answers all."""

    contains: list[str] = Field(default_factory=list[str])
    """Texts that must all occur somewhere in the request body, as JSON writes them."""
    turns: int | None = None
    """How many answers the conversation must hold already: 0 for the first turn."""


class Fault(_Strict):
    """What goes wrong. `status`: an error reply. `cut`: the connection breaks after `events` events of a stream (at
    once for a plain answer). `hang`: nothing more comes after `events` events. `error`: the stream ends with an error
    event after `events` events."""

    kind: Literal["status", "cut", "hang", "error"] = "status"
    status: int = 500
    retry_after: int | None = None
    events: int = 3
    message: str = ""
    """What the error reply says."""


class Rule(_Strict):
    """Rules are tried in order. One with `times` is used so often and then passed over."""

    match: Match = Field(default_factory=Match)
    answer: FakeAnswer = Field(default_factory=FakeAnswer)
    fault: Fault | None = None
    times: int | None = None


class Seen(BaseModel):
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    digest: str
    body: dict[str, Any]


Answerer = Callable[[dict[str, Any]], FakeAnswer | Fault]


class FakeProvider:
    def __init__(
        self,
        rules: list[Rule] | None = None,
        *,
        answer: Answerer | None = None,
        latency: float = 0.0,
        chunk_delay: float = 0.0,
        pieces: int = 5,
        keep_log: bool = True,
    ) -> None:
        """`answer`, when given, is asked first for everything. `latency`: seconds before the first byte. `chunk_delay`:
        seconds between events. `pieces`: into how many deltas a text is cut. Without `keep_log` it only counts."""
        self.rules = rules or []
        self.log: list[Seen] = []
        self.counts: Counter[str] = Counter()
        self.latency = latency
        self.chunk_delay = chunk_delay
        self.pieces = pieces
        self.in_flight = 0
        self.finished = 0
        """Answers that were sent to their end."""
        self.url = ""
        self._answer = answer
        self._keep_log = keep_log

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def app(self) -> Starlette:
        model = [Route(path, self._model, methods=["POST"]) for path in _PATHS]
        return Starlette(
            routes=[
                *model,
                Route("/_count", self._count),
                Route("/_log", self._log),
                Route("/_rules", self._set_rules, methods=["PUT"]),
            ]
        )

    async def _count(self, _request: Request) -> Response:
        return JSONResponse({**self.counts, "total": self.total})

    async def _log(self, _request: Request) -> Response:
        return JSONResponse([seen.model_dump() for seen in self.log])

    async def _set_rules(self, request: Request) -> Response:
        self.rules = read_rules(await request.body())
        return JSONResponse({"rules": len(self.rules)})

    async def _model(self, request: Request) -> Response:
        raw = await request.body()
        digest = hashlib.sha256(raw).hexdigest()
        self.counts[digest] += 1
        number = self.total
        body: dict[str, Any] = json.loads(raw)
        if self._keep_log:
            seen = Seen(
                method=request.method, path=request.url.path, headers=dict(request.headers), digest=digest, body=body
            )
            self.log.append(seen)
        self.in_flight += 1
        try:
            answer, fault = self._decide(raw, body)
            await asyncio.sleep(self.latency)
            if fault and fault.kind == "status":
                return _error(fault)
            return await self._reply(_PATHS[request.url.path], body, answer, fault, number)
        finally:
            self.in_flight -= 1

    def _decide(self, raw: bytes, body: dict[str, Any]) -> tuple[FakeAnswer, Fault | None]:
        if self._answer is not None:
            decided = self._answer(body)
            return (FakeAnswer(), decided) if isinstance(decided, Fault) else (decided, None)
        text = raw.decode()
        for rule in self.rules:
            if rule.times == 0 or not _matches(rule.match, text, body):
                continue
            if rule.times is not None:
                rule.times -= 1
            return rule.answer, rule.fault
        return FakeAnswer(), None

    async def _reply(
        self, api: str, body: dict[str, Any], answer: FakeAnswer, fault: Fault | None, number: int
    ) -> Response:
        model = str(body.get("model"))
        if body.get("stream"):
            options: dict[str, Any] = body.get("stream_options") or {}
            with_usage = bool(options.get("include_usage"))
            events = answers.stream(api, answer, model, number, self.pieces, with_usage)
            return StreamingResponse(self._streamed(events, fault), media_type="text/event-stream")
        if fault is not None:
            if fault.kind == "hang":
                await asyncio.sleep(3_600)
            whole = json.dumps(answers.plain(api, answer, model, number)).encode()
            headers = {"content-type": "application/json", "content-length": str(len(whole))}
            return StreamingResponse(_cut_off(whole[: len(whole) // 2]), headers=headers)
        self.finished += 1
        return JSONResponse(answers.plain(api, answer, model, number), headers={"request-id": f"req_{number}"})

    async def _streamed(self, events: list[bytes], fault: Fault | None) -> AsyncIterator[bytes]:
        for sent, event in enumerate(events):
            if fault is not None and sent == fault.events:
                if fault.kind == "hang":
                    await asyncio.sleep(3_600)
                if fault.kind == "error":
                    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
                    yield f"event: error\ndata: {json.dumps(error)}\n\n".encode()
                    return
                raise ConnectionResetError("cut on purpose")
            yield event
            await asyncio.sleep(self.chunk_delay)
        self.finished += 1


async def _cut_off(part: bytes) -> AsyncIterator[bytes]:
    yield part
    raise ConnectionResetError("cut on purpose")


def _matches(match: Match, text: str, body: dict[str, Any]) -> bool:
    if match.turns is not None and match.turns != _turns(body):
        return False
    return all(json.dumps(wanted)[1:-1] in text or wanted in text for wanted in match.contains)


def _turns(body: dict[str, Any]) -> int:
    """How many answers the conversation holds. A Responses answer is one or more items in a row."""
    items: list[dict[str, Any]] | str = body.get("messages") or body.get("input") or []
    if isinstance(items, str):
        return 0
    ours = [item.get("role") == "assistant" or item.get("type") in ("function_call", "reasoning") for item in items]
    return sum(now and not before for before, now in zip([False, *ours], ours, strict=False))


def _error(fault: Fault) -> Response:
    names = {429: "rate_limit_error", 529: "overloaded_error"}
    kind = names.get(fault.status, "api_error")
    headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
    error = {"type": kind, "message": fault.message or f"fake {fault.status}", "code": kind}
    return JSONResponse({"type": "error", "error": error}, fault.status, headers)


def read_rules(data: bytes) -> list[Rule]:
    return TypeAdapter(list[Rule]).validate_json(data)


class LoopServer(uvicorn.Server):
    """A server inside the test's event loop: signals belong to the process around it, and it stops within a moment."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # noqa: ASYNC110  # uvicorn tells its end by asking only
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(provider: FakeProvider, port: int = 0) -> AsyncGenerator[FakeProvider]:
    """The provider on a free loopback port, in this event loop."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1_024)
    provider.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        provider.app(),
        log_config=None,
        log_level="critical",  # a cut connection is an exception to it, and a fault on purpose to us
        access_log=False,
        lifespan="off",
        timeout_keep_alive=60,  # longer than the gateway keeps one: closed while it is used, a call counts as paid
        timeout_graceful_shutdown=1,
    )
    server = LoopServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield provider
    finally:
        server.should_exit = True
        await task


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A model provider that counts.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rules", type=Path, help="JSON list of rules")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--chunk-delay", type=float, default=0.0)
    parser.add_argument("--no-log", action="store_true", help="count only; for long runs")
    told = parser.parse_args()
    provider = FakeProvider(
        read_rules(told.rules.read_bytes()) if told.rules else None,
        latency=told.latency,
        chunk_delay=told.chunk_delay,
        keep_log=not told.no_log,
    )
    async with running(provider, told.port):
        sys.stdout.write(f"{provider.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
