"""Which requests are the same call, to be bought once, and which are another one."""

import pytest

from tests.fakes.gateway import CLAUDE, Gateway, conversation
from tests.fakes.provider import FakeProvider
from workflows.domain.tokens import SEQ_HEADER

PATH = "/anthropic/v1/messages"
REQUEST = {"model": CLAUDE.partition(":")[2], "max_tokens": 100, **conversation(PATH, "Hi")}


def key(token: str) -> dict[str, str]:
    return {"x-api-key": token, SEQ_HEADER: "1"}


async def test_another_turn_or_another_request_is_another_call(gateway: Gateway, provider: FakeProvider) -> None:
    token = await gateway.open()
    for seq, text in ((1, "Hi"), (2, "Hi"), (2, "Ho")):
        assert (await gateway.ask(token, seq, text=text)).status_code == 200
    assert provider.total == 3
    assert (await gateway.bill()).calls_bought_twice == 0


async def test_cache_marks_and_billing_headers_do_not_make_another_call(
    gateway: Gateway, provider: FakeProvider
) -> None:
    token = await gateway.open()
    mark = {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "Hi"}
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=abc"}
    for system, content in (([text], [text]), ([billing, text | mark], [text | mark])):
        answer = await gateway.ask(token, system=system, messages=[{"role": "user", "content": content}])
        assert answer.status_code == 200
    assert provider.total == 1


@pytest.mark.parametrize(
    ("first", "then", "calls"),
    [
        ({"anthropic-beta": "a,b"}, {"anthropic-beta": "b , a,"}, 1),
        ({"anthropic-beta": "a"}, {"anthropic-beta": ""}, 2),
        ({"anthropic-beta": "a"}, {"anthropic-beta": "a,c"}, 2),
        ({"openai-beta": "a"}, {}, 2),
        ({"anthropic-version": "2023-06-01"}, {"anthropic-version": "2023-01-01"}, 2),
        ({"user-agent": "one", "accept": "*/*"}, {"user-agent": "another", "accept": "application/json"}, 1),
    ],
)
async def test_headers_that_change_the_answer_make_another_call(
    gateway: Gateway, provider: FakeProvider, first: dict[str, str], then: dict[str, str], calls: int
) -> None:
    token = await gateway.open()
    for headers in (first, then):
        answer = await gateway.http.post(PATH, json=REQUEST, headers=key(token) | headers)
        assert answer.status_code == 200
    assert provider.total == calls


async def test_a_query_that_changes_the_answer_makes_another_call(gateway: Gateway, provider: FakeProvider) -> None:
    token = await gateway.open()
    for query in ("", "?beta=true&v=1", "?v=1&beta=true"):
        answer = await gateway.http.post(f"{PATH}{query}", json=REQUEST, headers=key(token))
        assert answer.status_code == 200
    assert provider.total == 2


async def test_a_header_in_two_lines_is_sent_whole(gateway: Gateway, provider: FakeProvider) -> None:
    token = await gateway.open()
    headers = [*key(token).items(), ("anthropic-beta", "a"), ("anthropic-beta", "b")]
    await gateway.http.post(PATH, json=REQUEST, headers=headers)
    assert provider.log[0].headers["anthropic-beta"] == "a, b"
