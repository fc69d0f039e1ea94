"""Calls are bought once: kept, joined, drained, and handed on whole only when they are durable."""

import asyncio
import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.answers import FakeAnswer
from tests.fakes.gateway import ANTHROPIC_KEY, GPT, OPENAI_KEY, Gateway, conversation, running_gateway
from tests.fakes.provider import FakeProvider, Fault, Rule
from workflows.domain.tokens import SEQ_HEADER

MESSAGES, RESPONSES, CHAT = "/anthropic/v1/messages", "/openai/v1/responses", "/openai/v1/chat/completions"
ROUTES = {
    MESSAGES: ("anthropic:claude-sonnet-4-6", {"max_tokens": 100}),
    RESPONSES: (GPT, {"max_output_tokens": 100}),
    CHAT: (GPT, {"max_completion_tokens": 100}),
}
ENDS = {MESSAGES: b"message_stop", RESPONSES: b"response.completed", CHAT: b"[DONE]"}


def request_for(path: str, **more: Any) -> dict[str, Any]:
    model, limit = ROUTES[path]
    return {"model": model.partition(":")[2], **limit, **conversation(path, "Hi"), **more}


def key(token: str, seq: int = 1) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", SEQ_HEADER: str(seq)}


async def streamed(gateway: Gateway, path: str, token: str, seq: int = 1, **more: Any) -> list[bytes]:
    """The chunks of a streamed call as they arrived."""
    body = request_for(path, stream=True, **more)
    async with gateway.http.stream("POST", path, json=body, headers=key(token, seq)) as response:
        assert response.status_code == 200
        return [chunk async for chunk in response.aiter_raw()]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_repeated_call_is_served_byte_for_byte_and_bought_once(
    gateway: Gateway, provider: FakeProvider, path: str, stream: bool
) -> None:
    token = await gateway.open(model=ROUTES[path][0])
    body = request_for(path, stream=stream)
    first = await gateway.http.post(path, json=body, headers=key(token))
    again = await gateway.http.post(path, json=body | {"metadata": {"user_id": "another"}}, headers=key(token))
    assert (first.status_code, first.headers["x-pawl-answer"]) == (200, "bought")
    assert (again.status_code, again.headers["x-pawl-answer"]) == (200, "kept")
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert provider.total == 1
    bill = await gateway.bill()
    assert (bill.calls, bill.spend.turns, bill.spend.input_tokens, bill.spend.output_tokens) == (1, 1, 100, 20)
    assert bill.reserved_usd == 0
    expected = {MESSAGES: "0.0006", RESPONSES: "0.000325", CHAT: "0.000325"}[path]
    assert bill.spend.usd == Decimal(expected)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_those_who_ask_while_it_is_in_flight_share_one_call(
    gateway: Gateway, provider: FakeProvider, stream: bool
) -> None:
    provider.latency, provider.chunk_delay = 0.2, 0.02
    token = await gateway.open()

    async def ask(wait: float) -> bytes:
        await asyncio.sleep(wait)
        body = request_for(MESSAGES, stream=stream)
        return (await gateway.http.post(MESSAGES, json=body, headers=key(token))).content

    answers = await asyncio.gather(*(ask(wait) for wait in (0, 0, 0.1, 0.25)))
    assert provider.total == 1
    assert len(set(answers)) == 1
    assert (await gateway.bill()).calls == 1


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_caller_that_leaves_finds_the_answer_later(
    gateway: Gateway, provider: FakeProvider, stream: bool
) -> None:
    provider.latency, provider.chunk_delay = 0.2, 0.05
    token = await gateway.open()
    body = request_for(MESSAGES, stream=stream)
    async with httpx.AsyncClient(base_url=gateway.url) as leaving:
        with pytest.raises(httpx.ReadTimeout):
            await leaving.post(MESSAGES, json=body, headers=key(token), timeout=0.1)
    async with asyncio.timeout(10):
        while provider.finished == 0:  # noqa: ASYNC110  # the provider is a stranger: it has no event for us
            await asyncio.sleep(0.02)
    answer = await gateway.http.post(MESSAGES, json=body, headers=key(token))
    assert answer.status_code == 200
    assert provider.total == 1


@pytest.mark.parametrize("path", ROUTES)
async def test_a_stream_is_passed_on_at_once_but_its_end_waits_until_it_is_durable(
    tmp_path: Path, gateway: Gateway, provider: FakeProvider, path: str
) -> None:
    """Another process holds the database's write lock while the answer ends: the end must wait for it."""
    provider.chunk_delay = 0.05
    token = await gateway.open(model=ROUTES[path][0])
    seen = bytearray()

    async def read() -> None:
        body = request_for(path, stream=True)
        async with gateway.http.stream("POST", path, json=body, headers=key(token)) as response:
            async for chunk in response.aiter_raw():
                seen.extend(chunk)

    reading = asyncio.create_task(read())
    while not seen:  # noqa: ASYNC110  # filled by the network
        await asyncio.sleep(0.005)
    lock = sqlite3.connect(tmp_path / "home" / "gateway.db", isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
        assert provider.finished == 0, "the first chunk came before the provider was done"
        await _until_finished(provider)
        await asyncio.sleep(0.2)
        assert not reading.done()
        assert ENDS[path] not in seen
        lock.execute("ROLLBACK")
    finally:
        lock.close()
    await reading
    assert ENDS[path] in seen
    assert [receipt["state"] for receipt in await gateway.receipts()] == ["answered"]


async def _until_finished(provider: FakeProvider) -> None:
    async with asyncio.timeout(10):
        while provider.finished == 0:  # noqa: ASYNC110  # the provider is a stranger: it has no event for us
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ROUTES)
async def test_a_cut_stream_is_charged_its_whole_output_limit_and_never_replayed(
    gateway: Gateway, provider: FakeProvider, path: str
) -> None:
    """Reasoning is billed and not always streamed, so the bytes that came do not bound what it cost."""
    provider.rules = [Rule(answer=FakeAnswer.text("word " * 60), fault=Fault(kind="cut", events=6), times=1)]
    token = await gateway.open(model=ROUTES[path][0])
    cut = b"".join(await streamed(gateway, path, token))
    assert b"word" in cut
    assert ENDS[path] not in cut
    assert b"error" in cut
    [receipt] = await gateway.receipts()
    assert (receipt["state"], receipt["estimated"]) == ("incomplete", True)
    assert receipt["output_tokens"] == 100
    assert Decimal(receipt["usd"]) > 0
    whole = b"".join(await streamed(gateway, path, token))
    assert ENDS[path] in whole
    assert provider.total == 2
    bill = await gateway.bill()
    assert (bill.calls, bill.spend.turns, bill.calls_bought_twice, bill.reserved_usd) == (2, 1, 1, Decimal(0))


async def test_a_cut_stream_whose_output_was_said_is_charged_that(gateway: Gateway, provider: FakeProvider) -> None:
    """Cut between Anthropic's last word on the usage and the end of the message."""
    provider.rules = [Rule(answer=FakeAnswer.text("word " * 60), fault=Fault(kind="cut", events=9), times=1)]
    cut = b"".join(await streamed(gateway, MESSAGES, await gateway.open()))
    assert b"message_delta" in cut
    assert b"message_stop" not in cut
    [receipt] = await gateway.receipts()
    assert (receipt["state"], receipt["input_tokens"], receipt["output_tokens"]) == ("incomplete", 100, 20)


async def test_an_error_inside_a_stream_reaches_the_caller_and_is_not_an_answer(
    gateway: Gateway, provider: FakeProvider
) -> None:
    provider.rules = [Rule(fault=Fault(kind="error", events=0), times=1), Rule(fault=Fault(kind="error", events=4))]
    token = await gateway.open()
    assert b"overloaded_error" in b"".join(await streamed(gateway, MESSAGES, token))
    assert b"overloaded_error" in b"".join(await streamed(gateway, MESSAGES, token))
    at_once, later = await gateway.receipts()
    assert (at_once["state"], at_once["usd"]) == ("failed", "0")
    assert later["state"] == "incomplete"


@pytest.mark.parametrize("events", [0, 3])
async def test_a_silent_stream_ends_and_is_charged_its_worst_case(
    tmp_path: Path, provider: FakeProvider, events: int
) -> None:
    provider.rules = [Rule(fault=Fault(kind="hang", events=events))]
    async with running_gateway(tmp_path / "impatient", provider.url, idle_seconds=0.2) as gateway:
        chunks = await streamed(gateway, MESSAGES, await gateway.open())
        assert b"broke off (ReadTimeout)" in chunks[-1]
        [receipt] = await gateway.receipts()
        assert receipt["output_tokens"] == 100


async def test_a_plain_answer_cut_short_is_charged_at_its_worst_case(gateway: Gateway, provider: FakeProvider) -> None:
    provider.rules = [Rule(fault=Fault(kind="cut"), times=1)]
    token = await gateway.open()
    answer = await gateway.ask(token)
    assert answer.status_code == 502
    assert "did not answer" in answer.json()["error"]["message"]
    [receipt] = await gateway.receipts()
    assert (receipt["state"], receipt["output_tokens"]) == ("incomplete", 100)
    assert (await gateway.ask(token)).status_code == 200
    assert (await gateway.bill()).calls_bought_twice == 1


@pytest.mark.parametrize(("status", "retry_after"), [(429, 7), (500, None), (529, None)])
async def test_errors_are_passed_on_and_cost_nothing(
    gateway: Gateway, provider: FakeProvider, status: int, retry_after: int | None
) -> None:
    provider.rules = [Rule(fault=Fault(status=status, retry_after=retry_after), times=1)]
    token = await gateway.open()
    refused = await gateway.ask(token)
    assert refused.status_code == status
    assert refused.headers.get("retry-after") == (None if retry_after is None else str(retry_after))
    assert f"fake {status}" in refused.text
    assert (await gateway.ask(token)).status_code == 200
    bill = await gateway.bill()
    assert (bill.calls, bill.calls_bought_twice, bill.reserved_usd, provider.total) == (1, 0, Decimal(0), 2)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_the_provider_refuses_is_the_operators_to_mend(
    gateway: Gateway, provider: FakeProvider, status: int
) -> None:
    provider.rules = [Rule(fault=Fault(status=status))]
    refused = await gateway.ask(await gateway.open())
    assert refused.status_code == 403
    assert refused.json()["error"]["type"] == "no_credentials"
    assert "ANTHROPIC_API_KEY" in refused.json()["error"]["message"]


async def test_a_provider_out_of_reach_costs_nothing(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, "http://127.0.0.1:9") as gateway:
        refused = await gateway.ask(await gateway.open())
        assert refused.status_code == 502
        assert "cannot be reached at http://127.0.0.1:9" in refused.json()["error"]["message"]
        bill = await gateway.bill()
        assert (bill.calls, bill.spend.usd, bill.reserved_usd) == (0, Decimal(0), Decimal(0))


async def test_a_large_answer_is_kept_outside_the_database(
    tmp_path: Path, gateway: Gateway, provider: FakeProvider
) -> None:
    incompressible = "".join(f"{number * 2654435761 % 2**32:08x}" for number in range(20_000))
    provider.rules = [Rule(answer=FakeAnswer.text(incompressible))]
    token = await gateway.open()
    first, again = await gateway.ask(token), await gateway.ask(token)
    assert again.content == first.content
    assert provider.total == 1
    assert [path for path in (tmp_path / "home" / "objects").rglob("*") if path.is_file()]


async def test_only_the_provider_gets_the_key_and_only_the_callers_api_headers(
    gateway: Gateway, provider: FakeProvider
) -> None:
    token = await gateway.open()
    extra = {"anthropic-version": "2023-06-01", "anthropic-beta": "x", "x-forwarded-for": "10.0.0.1", "cookie": "a=b"}
    await gateway.http.post(f"{MESSAGES}?beta=true", json=request_for(MESSAGES), headers=key(token) | extra)
    gpt = await gateway.open("t1.reviewer1", model=GPT)
    await gateway.http.post(CHAT, json=request_for(CHAT), headers=key(gpt))
    claude_call, gpt_call = provider.log
    assert claude_call.headers["x-api-key"] == ANTHROPIC_KEY
    assert (claude_call.headers["anthropic-version"], claude_call.headers["anthropic-beta"]) == ("2023-06-01", "x")
    assert gpt_call.headers["authorization"] == f"Bearer {OPENAI_KEY}"
    for call in provider.log:
        told = json.dumps(call.headers)
        assert "pawl" not in told
        assert "10.0.0.1" not in told
        assert "a=b" not in told


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"headers": {SEQ_HEADER: ""}}, 400, "it is missing"),
        ({"headers": {SEQ_HEADER: "two"}}, 400, "'two'"),
        ({"headers": {"authorization": "Bearer pawl.bm9ib2R5.00"}}, 403, "not a run token"),
        ({"headers": {"authorization": "Bearer \N{SNOWMAN}".encode()}}, 403, "not a run token"),
        ({"headers": {"authorization": ""}}, 403, "No run token"),
        ({"headers": {"content-encoding": "zstd"}}, 400, "uncompressed"),
        ({"content": b"{"}, 400, "not JSON"),
        ({"content": b"[]"}, 400, "must be a JSON object"),
        ({"content": b'{"max_tokens": 1, "messages": [], "max_tokens": 9}'}, 400, "the key 'max_tokens' twice"),
        ({"content": b'{"messages": [{"role": "user", "\\u0072ole": "user"}]}'}, 400, "the key 'role' twice"),
        ({"content": b'{"model": "claude-sonnet-4-6"}'}, 400, "no messages"),
        ({"content": json.dumps(request_for(MESSAGES, model="claude-opus-4-1")).encode()}, 400, "may use anthropic:"),
    ],
)
async def test_what_cannot_be_a_call_is_refused_in_words(
    gateway: Gateway, provider: FakeProvider, change: dict[str, Any], status: int, says: str
) -> None:
    token = await gateway.open()
    content: bytes = change.get("content") or json.dumps(request_for(MESSAGES)).encode()
    headers: dict[str, Any] = key(token) | change.get("headers", {})
    refused = await gateway.http.post(MESSAGES, content=content, headers=headers)
    assert refused.status_code == status
    assert says in refused.json()["error"]["message"]
    assert provider.total == 0
