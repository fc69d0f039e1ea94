"""Tapes answer turn by turn, cost nothing now, and stop when they no longer fit."""

import json
from decimal import Decimal
from typing import Any

import anthropic
import pytest

from infra.gateway.tape import read_tape
from tests.fakes.gateway import CLAUDE, Gateway
from tests.fakes.provider import FakeProvider
from workflows.domain.session import Role

MANIFEST: dict[str, Any] = {
    "tape": 1,
    "title": "Fix the slug",
    "kind": "scripted",
    "by": "A tester",
    "date": "2025-11-21",
    "model": CLAUDE,
    "repository": {"name": "slugify"},
}
LOOK: dict[str, Any] = {
    "role": "builder",
    "part": 1,
    "content": [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "name": "bash", "input": {"command": "ls"}},
    ],
}
DONE: dict[str, Any] = {
    "role": "builder",
    "part": 1,
    "content": [{"type": "text", "text": "Done."}],
    "usage": {"input_tokens": 1_000, "cache_read_input_tokens": 2_000, "output_tokens": 50},
    "expect": ["1 passed", "README"],
}


def tape(*lines: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(line).encode() for line in lines) + b"\n"


async def handed_in(gateway: Gateway, *lines: dict[str, Any]) -> str:
    response = await gateway.admin("PUT", "/v1/tapes", content=tape(*lines))
    assert response.status_code == 200, response.text
    return response.json()["model"]


RESULT = {
    "role": "user",
    "content": [
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "README.md"}]},
        {"type": "tool_result", "tool_use_id": "u", "content": "1 passed"},
    ],
}


async def test_a_tape_plays_in_order_and_its_price_is_only_recorded(gateway: Gateway, provider: FakeProvider) -> None:
    model = await handed_in(gateway, MANIFEST, LOOK, DONE)
    token = await gateway.open(model=model, usd="0")
    first = await gateway.ask(token, 1, model=model)
    again = await gateway.ask(token, 1, model=model)
    second = await gateway.ask(token, 2, model=model, messages=[RESULT])
    assert (first.headers["x-pawl-answer"], again.headers["x-pawl-answer"]) == ("tape", "kept")
    assert again.content == first.content
    message = first.json()
    assert (message["model"], message["stop_reason"]) == (model, "tool_use")
    assert message["content"][1] == {"id": "toolu_builder1_1_2", **LOOK["content"][1]}
    assert second.json()["stop_reason"] == "end_turn"
    assert provider.total == 0
    bill = await gateway.bill()
    assert (bill.spend.usd, bill.calls, bill.spend.turns) == (Decimal(0), 2, 2)
    estimated, said = await gateway.receipts()
    assert (estimated["estimated"], said["estimated"], said["price_source"]) == (True, False, "tape")
    assert (said["input_tokens"], said["cached_tokens"], said["recorded_usd"]) == (3_000, 2_000, "0.00435")
    assert bill.spend.recorded_usd == Decimal(estimated["recorded_usd"]) + Decimal("0.00435")


async def test_a_stream_of_a_tape_says_the_same(gateway: Gateway) -> None:
    model = await handed_in(gateway, MANIFEST, LOOK)
    token = await gateway.open(model=model)
    plain = (await gateway.ask(token, model=model)).json()
    client = anthropic.AsyncAnthropic(base_url=f"{gateway.url}/anthropic", api_key=token, max_retries=0)
    ask = client.messages.stream(
        model=model,
        max_tokens=100,
        messages=[{"role": "user", "content": "Hi"}],
        extra_headers={"X-Pawl-Seq": "1"},
    )
    async with client, ask as stream:
        message = await stream.get_final_message()
    streamed = message.model_dump(mode="json", include={"id", "model", "content", "stop_reason"}, exclude_none=True)
    for name, value in streamed.items():
        if name == "content":
            assert [block | {"caller": None} for block in value] == [block | {"caller": None} for block in plain[name]]
        else:
            assert value == plain[name]


@pytest.mark.parametrize(
    ("seq", "part", "text", "says"),
    [
        (2, 1, "2 failed", "builder 1, turn 2 expects '1 passed' in the last message, but found '2 failed'"),
        (3, 1, "Hi", "it has no answer for builder 1, turn 3 (answers it has for this role: builder 1: 2)"),
        (1, 2, "Hi", "it has no answer for builder 2, turn 1 (answers it has for this role: builder 1: 2)"),
    ],
)
async def test_a_tape_that_no_longer_fits_says_where(
    gateway: Gateway, seq: int, part: int, text: str, says: str
) -> None:
    model = await handed_in(gateway, MANIFEST, LOOK, DONE)
    token = await gateway.open(f"t1.builder{part}", model=model, part=part)
    refused = await gateway.ask(token, seq, model=model, text=text)
    assert refused.status_code == 409
    error = refused.json()
    assert (error["type"], error["error"]["type"]) == ("error", "tape_mismatch")
    assert error["error"]["message"].startswith("The tape no longer fits: ")
    assert says in error["error"]["message"]
    assert (await gateway.bill()).calls == 0


async def test_a_tape_keeps_to_token_ceilings(gateway: Gateway) -> None:
    model = await handed_in(gateway, MANIFEST, {**DONE, "expect": []})
    refused = await gateway.ask(await gateway.open(model=model, tokens=3_000), model=model)
    assert refused.status_code == 402
    assert "3,050 tokens" in refused.json()["error"]["message"]


async def test_a_tape_answers_on_the_messages_route_only(gateway: Gateway) -> None:
    model = await handed_in(gateway, MANIFEST, LOOK)
    token = await gateway.open(model=model)
    refused = await gateway.ask(token, path="/openai/v1/responses", model=model)
    assert refused.status_code == 400
    assert "/anthropic/v1/messages" in refused.json()["error"]["message"]


async def test_handing_a_tape_in_twice_is_the_same_tape(gateway: Gateway) -> None:
    assert await handed_in(gateway, MANIFEST, LOOK) == await handed_in(gateway, MANIFEST, LOOK)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "The tape is empty"),
        (tape(MANIFEST), "no answers"),
        (tape(LOOK), "line 1: tape: Field required"),
        (tape({**MANIFEST, "tape": 2}, LOOK), "line 1: tape: "),
        (tape({**MANIFEST, "model": "claude"}, LOOK), "line 1: model: "),
        (tape(MANIFEST, LOOK, {**LOOK, "rôle": 1}), "line 3: rôle: Extra inputs are not permitted"),
        (tape(MANIFEST, {**LOOK, "role": "tester"}), "line 2: role: "),
        (tape(MANIFEST, {**LOOK, "content": []}), "line 2: content: "),
        (tape(MANIFEST, {**LOOK, "content": [{"type": "text"}]}), "line 2: content.0.text.text: Field required"),
        (tape(MANIFEST) + b"\n{", "line 3: Invalid JSON"),
        (tape({**MANIFEST, "kind": "recorded"}, DONE, LOOK), "line 3: a recorded tape needs the usage"),
    ],
)
async def test_a_tape_that_cannot_be_read_names_the_line(gateway: Gateway, data: bytes, says: str) -> None:
    refused = await gateway.admin("PUT", "/v1/tapes", content=data)
    assert (refused.status_code, refused.json()["type"]) == (422, "bad_tape")
    assert says in refused.json()["message"]


def test_answers_of_roles_and_parts_may_be_mixed_on_a_tape() -> None:
    mixed = read_tape(tape(MANIFEST, LOOK, {**DONE, "role": "reviewer", "part": 2}, {**DONE, "stop_reason": "refusal"}))
    assert mixed.answer(Role.BUILDER, 1, 2) == mixed.answers[2]
    assert mixed.answer(Role.REVIEWER, 2, 1) == mixed.answers[1]
    assert mixed.answer(Role.REVIEWER, 1, 1) is None
    assert mixed.answers[2].stopped == "refusal"
