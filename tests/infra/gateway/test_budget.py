"""Money cannot run away: a call whose worst case does not fit is not sent."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.gateway.budget import LastCall, WorstCase, worst_case
from infra.gateway.prices import PriceList
from infra.gateway.refusals import Refused
from infra.gateway.wire import Flavour, read_call
from tests.fakes.answers import FakeAnswer, Usage
from tests.fakes.gateway import CLAUDE, GPT, Gateway, conversation, running_gateway
from tests.fakes.provider import FakeProvider, Fault, Rule
from workflows.domain.tokens import SEQ_HEADER

PRICES = PriceList({})
LIMITS = {
    Flavour.MESSAGES: {"max_tokens": 100},
    Flavour.RESPONSES: {"max_output_tokens": 100},
    Flavour.CHAT: {"max_completion_tokens": 100},
}


def bound(body: dict[str, Any], flavour: Flavour = Flavour.MESSAGES, last: LastCall | None = None) -> WorstCase:
    route = "/responses" if flavour is Flavour.RESPONSES else ""
    request = {"model": "m", **LIMITS[flavour], **conversation(route, "Hi"), **body}
    model = CLAUDE if flavour is Flavour.MESSAGES else GPT
    call = read_call("s", 1, flavour, _json(request))
    return worst_case(call, model, last or LastCall(), True, PRICES)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("flavour", "body", "reason"),
    [
        (Flavour.MESSAGES, {"max_tokens": None}, "set max_tokens"),
        (Flavour.RESPONSES, {"max_output_tokens": None}, "set max_output_tokens"),
        (Flavour.CHAT, {"max_completion_tokens": None}, "set max_completion_tokens"),
        (Flavour.RESPONSES, {"previous_response_id": "resp_1"}, "previous_response_id"),
        (Flavour.RESPONSES, {"conversation": "conv_1"}, "conversation"),
        (Flavour.RESPONSES, {"service_tier": "priority"}, "'priority'"),
        (Flavour.RESPONSES, {"tools": [{"type": "web_search"}]}, "'web_search' runs at the provider"),
        (Flavour.RESPONSES, {"input": [{"type": "item_reference", "id": "x"}]}, "kept at the provider"),
        (Flavour.MESSAGES, {"tools": [{"type": "web_fetch_20250910", "name": "f"}]}, "runs at the provider"),
        (Flavour.MESSAGES, {"mcp_servers": [{"url": "https://x"}]}, "mcp_servers"),
        (Flavour.MESSAGES, {"speed": "fast"}, "speed"),
        (Flavour.CHAT, {"web_search_options": {}}, "web_search_options"),
        (Flavour.CHAT, {"modalities": ["text", "audio"]}, "spoken output"),
        (Flavour.CHAT, {"audio": {"voice": "alloy", "format": "wav"}}, "spoken output"),
        (
            Flavour.MESSAGES,
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64"}}]}]},
            "'document'",
        ),
        (
            Flavour.MESSAGES,
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://x"}}]}
                ]
            },
            "only referred to",
        ),
        (
            Flavour.CHAT,
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]},
            "only referred to",
        ),
    ],
)
def test_under_a_ceiling_what_has_no_bound_is_refused(flavour: Flavour, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        bound(body, flavour)


@pytest.mark.parametrize(
    ("flavour", "body"),
    [
        (
            Flavour.MESSAGES,
            {"tools": [{"name": "bash"}, {"type": "bash_20250124", "name": "bash"}]},
        ),
        (Flavour.RESPONSES, {"tools": [{"type": "function", "name": "f"}], "service_tier": "auto"}),
        (Flavour.CHAT, {"tools": [{"type": "function", "function": {"name": "f"}}], "max_tokens": 5}),
        (Flavour.CHAT, {"modalities": ["text"], "audio": None, "web_search_options": None}),
    ],
)
def test_tools_that_run_here_have_a_bound(flavour: Flavour, body: dict[str, Any]) -> None:
    assert bound(body, flavour).usd is not None


def test_a_picture_counts_more_than_its_bytes() -> None:
    def with_block(block: dict[str, Any]) -> WorstCase:
        return bound({"messages": [{"role": "user", "content": [block]}]})

    picture = with_block({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aaaa"}})
    assert picture.input_tokens - with_block({"type": "text", "text": "aaaa"}).input_tokens >= 5_000


def test_the_number_of_choices_multiplies_the_output() -> None:
    assert bound({"n": 3}, Flavour.CHAT).output_tokens == 300


@pytest.mark.parametrize("body", [{"max_tokens": -1}, {"max_tokens": True}, {"max_tokens": 1e6}, {"n": 2.0}, {"n": 0}])
def test_a_limit_that_bounds_nothing_is_none(body: dict[str, Any]) -> None:
    """Below zero it would even make room for other calls in a purse that is empty."""
    with pytest.raises(Refused, match="no output limit"):
        bound(body, Flavour.CHAT)


def test_of_two_limits_the_higher_one_is_reserved() -> None:
    assert bound({"max_completion_tokens": 1, "max_tokens": 700}, Flavour.CHAT).output_tokens == 700


def test_a_conversation_that_only_grew_is_bounded_by_its_last_count() -> None:
    first = {"role": "user", "content": "word " * 1_000}
    more = {"role": "assistant", "content": "yes"}
    call = read_call("s", 1, Flavour.MESSAGES, _json({"model": "m", "max_tokens": 100, "messages": [first]}))
    last = LastCall(items=1, prefix=call.digest, size=call.size, tokens=1_100)
    grown = bound({"messages": [first, more]}, last=last)
    assert 1_100 < grown.input_tokens < 1_200
    rewritten = bound({"messages": [{**first, "content": "Word " * 1_000}, more]}, last=last)
    assert rewritten.input_tokens > 5_000
    other_system = bound({"messages": [first, more], "system": "Another"}, last=last)
    assert other_system.input_tokens > 5_000


def test_the_worst_case_is_reckoned_at_the_dearest_price() -> None:
    assert PRICES.worst(CLAUDE, 1_000, 100) == Decimal("0.0075"), "an hour-long cache write at twice the input price"
    assert PRICES.worst("anthropic:claude-sonnet-4-5", 200_000, 0) == Decimal("1.2")
    assert PRICES.worst("anthropic:claude-sonnet-4-5", 200_001, 0) == Decimal("2.400012"), (
        "long requests cost more per token"
    )
    assert PRICES.worst("openai:gpt-99", 1, 1) is None


ROUTES = [
    ("/anthropic/v1/messages", CLAUDE, 402, "billing_error"),
    ("/openai/v1/responses", GPT, 429, "insufficient_quota"),
    ("/openai/v1/chat/completions", GPT, 429, "insufficient_quota"),
]


@pytest.mark.parametrize(("path", "model", "status", "kind"), ROUTES)
async def test_when_the_money_is_out_each_api_says_so_in_its_own_way(
    gateway: Gateway, provider: FakeProvider, path: str, model: str, status: int, kind: str
) -> None:
    token = await gateway.open(model=model, usd="0.0001")
    body = {"model": model.partition(":")[2], "max_tokens": 100, "max_output_tokens": 100} | conversation(path, "Hi")
    refused = await gateway.http.post(path, json=body, headers={"x-api-key": token, SEQ_HEADER: "1"})
    assert refused.status_code == status
    error = refused.json()["error"]
    assert error["type"] == kind
    assert error.get("code", "insufficient_quota") == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"
    for figure in ("$0.0001", "this account", "was not sent", "Raise the ceiling"):
        assert figure in error["message"]
    assert provider.total == 0
    assert await gateway.receipts() == []


async def test_the_same_call_goes_through_after_a_top_up(gateway: Gateway, provider: FakeProvider) -> None:
    token = await gateway.open(usd="0.0001")
    assert (await gateway.ask(token)).status_code == 402
    assert (await gateway.admin("PATCH", "/v1/accounts/t1", json={"usd": "1"})).status_code == 200
    assert (await gateway.ask(token)).status_code == 200
    assert provider.total == 1


@pytest.mark.parametrize(
    "ceiling", [{"session_usd": "0.0001"}, {"tokens": 50, "usd": None}, {"session_tokens": 50, "usd": None}]
)
async def test_session_and_token_ceilings_hold_too(
    gateway: Gateway, provider: FakeProvider, ceiling: dict[str, Any]
) -> None:
    refused = await gateway.ask(await gateway.open(**ceiling))
    assert refused.status_code == 402
    assert ("this session" if any(name.startswith("session") for name in ceiling) else "this account") in refused.text
    assert provider.total == 0


async def test_calls_at_once_never_exceed_the_ceiling(gateway: Gateway, provider: FakeProvider) -> None:
    """Each call costs $0.00135 here and may cost more, so of twenty at once only some may be sent."""
    provider.latency = 0.2
    provider.rules = [Rule(answer=FakeAnswer(usage=Usage(input_tokens=100, output_tokens=70)))]
    token = await gateway.open(usd="0.05")
    seen: list[Decimal] = []

    async def watch() -> None:
        while True:
            bill = await gateway.bill()
            seen.append(bill.spend.usd + bill.reserved_usd)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    answers = await asyncio.gather(*(gateway.ask(token, seq) for seq in range(1, 21)))
    watching.cancel()
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 402}
    bill = await gateway.bill()
    assert provider.total == statuses.count(200) == bill.calls
    assert max(seen) <= Decimal("0.05")
    assert bill.spend.usd == provider.total * Decimal("0.00135")
    assert bill.reserved_usd == 0


async def test_spending_stops_at_the_ceiling_over_many_calls(gateway: Gateway, provider: FakeProvider) -> None:
    token = await gateway.open(usd="0.02")
    seq = 1
    while (await gateway.ask(token, seq)).status_code == 200:
        seq += 1
    bill = await gateway.bill()
    assert provider.total == bill.calls == seq - 1 > 5
    assert bill.spend.usd <= Decimal("0.02")


async def test_a_growing_conversation_is_not_refused_for_its_bytes(gateway: Gateway, provider: FakeProvider) -> None:
    """By bytes alone the second call would need $0.12 (20 kB at the price of a cache write)."""
    provider.rules = [Rule(answer=FakeAnswer(usage=Usage(input_tokens=5_000, output_tokens=20)))]
    token = await gateway.open(usd="0.16")
    first = {"role": "user", "content": "word " * 4_000}
    assert (await gateway.ask(token, 1, messages=[first])).status_code == 200
    grown = [first, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Go on"}]
    for seq in range(2, 6):
        assert (await gateway.ask(token, seq, messages=grown)).status_code == 200
    assert (await gateway.ask(token, 7, messages=[{**first, "content": "Word " * 4_000}])).status_code == 402


async def test_own_prices_replace_and_complete_the_list(tmp_path: Path, provider: FakeProvider) -> None:
    own = {"openai:house-model": {"input_mtok": 1, "output_mtok": 10, "cache_read_mtok": "0.1"}}
    provider.rules = [Rule(answer=FakeAnswer(usage=Usage(input_tokens=1_000, cached_tokens=600, output_tokens=10)))]
    async with running_gateway(tmp_path, provider.url, prices=own) as gateway:
        token = await gateway.open(model="openai:house-model")
        path = "/openai/v1/chat/completions"
        assert (await gateway.ask(token, path=path, model="house-model")).status_code == 200
        [receipt] = await gateway.receipts()
        assert (receipt["usd"], receipt["price_source"]) == ("0.00056", "PAWL_PRICES")
        assert (receipt["input_tokens"], receipt["cached_tokens"]) == (1_000, 600)


async def test_without_a_dollar_ceiling_an_unknown_price_is_said_not_taken_for_nothing(
    gateway: Gateway, provider: FakeProvider
) -> None:
    token = await gateway.open(model="openai:gpt-99", usd=None, tokens=100_000)
    answer = await gateway.ask(token, path="/openai/v1/chat/completions", model="gpt-99")
    assert answer.status_code == 200
    [receipt] = await gateway.receipts()
    assert (receipt["usd"], receipt["price_source"]) == (None, "unknown")
    bill = await gateway.bill()
    assert (bill.spend.unpriced, bill.spend.usd, bill.spend.tokens) == (1, Decimal(0), 120)


async def test_an_answer_without_usage_is_charged_by_bound_and_bytes(gateway: Gateway, provider: FakeProvider) -> None:
    provider.rules = [Rule(answer=FakeAnswer(usage=None))]
    token = await gateway.open()
    assert (await gateway.ask(token)).status_code == 200
    [receipt] = await gateway.receipts()
    assert (receipt["state"], receipt["estimated"]) == ("answered", True)
    assert 20 < receipt["output_tokens"] <= 100, "a third of the answer's bytes, within the limit asked for"
    assert receipt["input_tokens"] > 1_000


async def test_receipts_purses_and_bill_agree(gateway: Gateway, provider: FakeProvider) -> None:
    provider.rules = [Rule(fault=Fault(status=500), times=1), Rule(fault=Fault(kind="cut"), times=1)]
    token = await gateway.open()
    for seq in (1, 1, 1, 2, 3):
        await gateway.ask(token, seq)
    bill, receipts = await gateway.bill(), await gateway.receipts()
    assert [receipt["state"] for receipt in receipts] == ["failed", "incomplete", "answered", "answered", "answered"]
    assert [receipt["attempts"] for receipt in receipts] == [1, 2, 3, 1, 1]
    assert bill.spend.usd == sum(Decimal(receipt["usd"]) for receipt in receipts)
    assert (bill.calls, bill.calls_bought_twice, bill.spend.turns) == (4, 1, 3)
