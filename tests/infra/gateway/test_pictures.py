"""Pictures in a call: reserved as providers count them, not by their bytes; played over by tapes."""

import json
from typing import Any

import pytest

from infra.gateway.budget import LastCall, WorstCase, worst_case
from infra.gateway.prices import PriceList
from infra.gateway.wire import Call, Flavour, read_call
from tests.fakes.gateway import CLAUDE, GPT, Gateway
from tests.infra.gateway.test_tape import LOOK, MANIFEST, handed_in

DATA = "A" * 3_000_000
INLINE = f"data:image/png;base64,{DATA}"
BLOCKS: dict[Flavour, dict[str, Any]] = {
    Flavour.MESSAGES: {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
    Flavour.RESPONSES: {"type": "input_image", "detail": "auto", "image_url": INLINE},
    Flavour.CHAT: {"type": "image_url", "image_url": {"url": INLINE}},
}


def asked(flavour: Flavour, *items: dict[str, Any]) -> Call:
    key, limit = ("input", "max_output_tokens") if flavour is Flavour.RESPONSES else ("messages", "max_tokens")
    return read_call("s", 1, flavour, json.dumps({"model": "m", limit: 100, key: items}).encode())


@pytest.mark.parametrize(
    ("flavour", "model", "each"),
    [
        (Flavour.MESSAGES, CLAUDE, 5_000),
        (Flavour.RESPONSES, GPT, 15_000),
        (Flavour.CHAT, GPT, 15_000),
        (Flavour.CHAT, "openai:gpt-4o-mini", 50_000),
    ],
)
def test_a_large_picture_is_reserved_for_as_providers_count_it(flavour: Flavour, model: str, each: int) -> None:
    def worst(last: LastCall, *items: dict[str, Any]) -> WorstCase:
        return worst_case(asked(flavour, *items), model, last, True, PriceList({}))

    first = {"role": "user", "content": [{"type": "text", "text": "Look."}, BLOCKS[flavour]]}
    more = {"role": "assistant", "content": "yes"}
    assert each < worst(LastCall(), first).input_tokens < each + 2_000
    begun = asked(flavour, first)
    last = LastCall(items=1, prefix=begun.digest, size=begun.size, tokens=1_700)
    assert worst(last, first, more).input_tokens < 1_900, "what is in that count is not reserved for again"
    assert each + 1_700 < worst(last, first, more, first).input_tokens < each + 2_300


async def test_a_tape_counts_a_picture_about_as_a_model_would(gateway: Gateway) -> None:
    model = await handed_in(gateway, MANIFEST, LOOK)
    token = await gateway.open(model=model, usd="0")
    told = {"role": "user", "content": [{"type": "text", "text": "Look."}, BLOCKS[Flavour.MESSAGES]]}
    answer = await gateway.ask(token, 1, model=model, messages=[told])
    assert 1_500 < answer.json()["usage"]["input_tokens"] < 1_700
