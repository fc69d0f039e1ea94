"""Events out of bytes, however the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.gateway import sse
from infra.gateway.providers import counted, stream_usage
from infra.gateway.wire import Flavour
from tests.fakes import answers
from tests.fakes.answers import FakeAnswer, Usage

TRICKY = FakeAnswer(
    content=[
        {"type": "text", "text": "message_stop, [DONE] and response.completed in \n\n plain words \N{SNOWMAN}"},
        {"type": "tool_use", "name": "bash", "input": {"command": 'echo "error" "usage"'}},
    ],
    usage=Usage(input_tokens=1_500, cached_tokens=1_024, output_tokens=60),
)


def events(flavour: Flavour) -> list[bytes]:
    return answers.stream(flavour.value, TRICKY, "m", 1, 7, with_usage=True)


@given(st.sampled_from(list(Flavour)), st.lists(st.integers(0, 6_000), max_size=20), st.booleans())
def test_events_come_out_whole_wherever_the_bytes_are_cut(flavour: Flavour, cuts: list[int], crlf: bool) -> None:
    whole = b"".join(events(flavour))
    if crlf:
        whole = whole.replace(b"\n", b"\r\n")
    splitter, found, start = sse.Splitter(), list[bytes](), 0
    for cut in [*sorted(cuts), len(whole)]:
        found += splitter.feed(whole[start : max(start, cut)])
        start = max(start, cut)
    assert b"".join(found) == whole
    assert len(found) == len(events(flavour))


@pytest.mark.parametrize("flavour", list(Flavour))
def test_only_the_last_event_ends_an_answer(flavour: Flavour) -> None:
    said = [sse.payload(event) for event in events(flavour)]
    assert [sse.ends(flavour, one) for one in said] == [False] * (len(said) - 1) + [True]
    assert not any(sse.fails(flavour, one) for one in said)
    assert sse.is_telling(events(flavour)[-1])


@pytest.mark.parametrize("flavour", list(Flavour))
def test_usage_is_read_from_the_events_that_tell_it(flavour: Flavour) -> None:
    said = [sse.payload(event) for event in events(flavour) if sse.is_telling(event)]
    usage = counted(flavour, stream_usage(said))
    assert usage is not None
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (1_500, 1_024, 60)


@pytest.mark.parametrize("flavour", list(Flavour))
def test_written_bytes_are_at_least_the_texts(flavour: Flavour) -> None:
    sent = len(TRICKY.content[0]["text"].encode())
    unfinished = b"".join(events(flavour)[:-2])
    assert sent <= sse.written_bytes(unfinished) <= 8 * sent


@pytest.mark.parametrize(
    ("flavour", "event"),
    [
        (Flavour.MESSAGES, b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'),
        (Flavour.RESPONSES, b'event: error\ndata: {"type": "error", "message": "x"}\n\n'),
        (Flavour.RESPONSES, b'data: {"type": "response.failed", "response": {}}\n\n'),
        (Flavour.CHAT, b'data: {"error": {"message": "x"}}\n\n'),
    ],
)
def test_errors_inside_a_stream_are_seen(flavour: Flavour, event: bytes) -> None:
    assert sse.is_telling(event)
    assert sse.fails(flavour, sse.payload(event))


@pytest.mark.parametrize("event", [b": ping\n\n", b"data: {broken\n\n", b"data: [1]\n\n", b"\n\n"])
def test_what_is_no_object_says_nothing(event: bytes) -> None:
    assert sse.payload(event) == {}
