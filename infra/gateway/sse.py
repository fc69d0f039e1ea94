"""Server-sent events as they pass by: whole events, the one that ends an answer, what was written so far."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.gateway.wire import Flavour, as_list, as_object

_BOUNDARY = re.compile(rb"\r?\n\r?\n")
_ENDS = {
    Flavour.MESSAGES: frozenset({"message_stop"}),
    Flavour.RESPONSES: frozenset({"response.completed", "response.incomplete"}),
}
_FAILS = {
    Flavour.MESSAGES: frozenset({"error"}),
    Flavour.RESPONSES: frozenset({"error", "response.failed"}),
}
_TELLING = re.compile(rb'"usage"|message_stop|response\.(?:completed|incomplete|failed)|"error"|\[DONE\]')
_WRITTEN = frozenset({"text", "partial_json", "thinking", "signature", "delta", "content", "arguments", "refusal"})


class Splitter:
    """Cuts a byte stream into whole events; what is not whole yet waits for the next bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        events: list[bytes] = []
        start = 0
        for boundary in _BOUNDARY.finditer(self._rest):
            events.append(self._rest[start : boundary.end()])
            start = boundary.end()
        self._rest = self._rest[start:]
        return events

    def flush(self) -> bytes:
        """What never became a whole event."""
        rest, self._rest = self._rest, b""
        return rest


def is_telling(event: bytes) -> bool:
    """Whether the event may carry usage, the end or an error; all others are passed on unread."""
    return _TELLING.search(event) is not None


def payload(event: bytes) -> Mapping[str, Any]:
    """The JSON object of an event; empty when it has none. `[DONE]` reads as {"type": "[DONE]"}."""
    data = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
    if data == b"[DONE]":
        return {"type": "[DONE]"}
    try:
        return as_object(json.loads(data))
    except ValueError:
        return {}


def ends(flavour: Flavour, said: Mapping[str, Any]) -> bool:
    """Whether this event completes an answer."""
    return said.get("type") == "[DONE]" if flavour is Flavour.CHAT else said.get("type") in _ENDS[flavour]


def fails(flavour: Flavour, said: Mapping[str, Any]) -> bool:
    """Whether this event says that no complete answer will come."""
    return bool(said.get("error")) if flavour is Flavour.CHAT else said.get("type") in _FAILS[flavour]


def is_usage_only(said: Mapping[str, Any]) -> bool:
    """Whether a Chat event is the extra one that the gateway asked for to learn the usage."""
    return said.get("choices") == [] and bool(said.get("usage"))


def written_bytes(events: bytes) -> int:
    """How much text, tool input and thinking a stream carried so far, in bytes."""
    return sum(_written(payload(event)) for event in Splitter().feed(events))


def _written(said: object) -> int:
    return sum(len(text.encode(errors="surrogatepass")) for text in _texts(said))


def _texts(value: object) -> Iterator[str]:
    for part in as_list(value):
        yield from _texts(part)
    for key, part in as_object(value).items():
        if not isinstance(part, str):
            yield from _texts(part)
        elif key in _WRITTEN:
            yield part
