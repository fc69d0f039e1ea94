"""Plays tapes: the answer for a turn in the form of the Messages API, whole or as a stream."""

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from genai_prices import Usage

from infra.gateway.budget import WorstCase
from infra.gateway.ledger import Quote
from infra.gateway.prices import PriceList
from infra.gateway.refusals import Kind, Refused
from infra.gateway.tables import Answer, Metered, Outcome, Run, State
from infra.gateway.tape import Tape, TapeAnswer, TapeUsage, TextBlock, read_tape
from infra.gateway.wire import Call, Flavour, as_list, as_object
from infra.storage import Objects

TAPE = "tape"
_BYTES_PER_TOKEN, _PICTURE_TOKENS = 4, 1_500
_KEPT_IN_MEMORY = 16
_SHOWN = 300


class Tapes:
    """The tapes that were handed in, under their digests."""

    def __init__(self, objects: Objects, prices: PriceList) -> None:
        self._objects = objects
        self._prices = prices
        self._load = lru_cache(maxsize=_KEPT_IN_MEMORY)(self._read)

    def keep(self, data: bytes) -> Tape:
        """Raises TapeError."""
        tape = read_tape(data)
        self._objects.keep(data)
        return tape

    def find(self, digest: str) -> Tape | None:
        try:
            return self._load(digest)
        except KeyError:
            return None

    def _read(self, digest: str) -> Tape:
        return read_tape(self._objects.load(digest))

    def quote(self, call: Call, run: Run) -> Quote:
        """The answer to this turn, costing nothing now. Raises Refused when the tape has none that fits."""
        digest = run.model.partition(":")[2]
        tape = self.find(digest)
        if tape is None:
            raise Refused(Kind.TAPE_MISMATCH, f"The gateway has no tape {digest!r}. Hand it in again.")
        if call.flavour is not Flavour.MESSAGES:
            raise Refused(Kind.BAD_REQUEST, "A tape answers on /anthropic/v1/messages only.")
        answer = _fitting(tape, run, call)
        usage = answer.usage or _estimate(call, answer)
        message = _message(tape, run, call, answer, usage)
        body = _stream(message) if call.stream else _plain(message)
        kind = "text/event-stream" if call.stream else "application/json"
        metered = self._metered(tape, usage, estimated=answer.usage is None)
        outcome = Outcome(State.ANSWERED, metered, 200, "", Answer(200, {"content-type": kind}, body))
        worst = WorstCase(input_tokens=metered.input_tokens, output_tokens=metered.output_tokens, usd=Decimal(0))
        return Quote(worst, outcome)

    def _metered(self, tape: Tape, usage: TapeUsage, *, estimated: bool) -> Metered:
        total = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
        price = self._prices.of(
            tape.manifest.model,
            Usage(
                input_tokens=total,
                cache_read_tokens=usage.cache_read_input_tokens,
                cache_write_tokens=usage.cache_creation_input_tokens,
                output_tokens=usage.output_tokens,
            ),
        )
        return Metered(
            input_tokens=total,
            cached_tokens=usage.cache_read_input_tokens,
            cache_write_tokens=usage.cache_creation_input_tokens,
            output_tokens=usage.output_tokens,
            estimated=estimated,
            usd=Decimal(0),
            recorded_usd=price.usd if price else Decimal(0),
            price_source=TAPE,
            price_version=price.version if price else "",
        )


def _fitting(tape: Tape, run: Run, call: Call) -> TapeAnswer:
    who = f"{run.role} {run.part}, turn {call.seq}"
    answer = tape.answer(run.role, run.part, call.seq)
    if answer is None:
        held = ", ".join(f"{run.role} {part}: {count}" for part, count in tape.parts(run.role)) or "none"
        raise Refused(
            Kind.TAPE_MISMATCH,
            f"The tape no longer fits: it has no answer for {who} (answers it has for this role: {held}).",
        )
    said = last_message(call)
    for wanted in answer.expect:
        if wanted not in said:
            shown = said if len(said) <= _SHOWN else f"{said[: _SHOWN // 2]} ... {said[-_SHOWN // 2 :]}"
            raise Refused(
                Kind.TAPE_MISMATCH,
                f"The tape no longer fits: {who} expects {wanted!r} in the last message, but found {shown!r}.",
            )
    return answer


def last_message(call: Call) -> str:
    """The text of the request's last message, tool results included."""
    messages = call.body["messages"]
    return "\n".join(_texts(messages[-1].get("content"))) if messages else ""


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for block in as_list(content):
        yield from _texts(as_object(block).get("text"))
        yield from _texts(as_object(block).get("content"))


def _estimate(call: Call, answer: TapeAnswer) -> TapeUsage:
    read = -(-call.size // _BYTES_PER_TOKEN) + _PICTURE_TOKENS * len(call.pictures())
    return TapeUsage(input_tokens=read, output_tokens=-(-answer.size // _BYTES_PER_TOKEN))


def _message(tape: Tape, run: Run, call: Call, answer: TapeAnswer, usage: TapeUsage) -> dict[str, Any]:
    """The answer as the Messages API would give it. The same place on the same tape always gives the same bytes."""
    place = f"{run.role}{run.part}_{call.seq}"
    content: list[dict[str, Any]] = []
    for number, block in enumerate(answer.content, start=1):
        if isinstance(block, TextBlock):
            content.append({"type": "text", "text": block.text})
        else:
            use_id = block.id or f"toolu_{place}_{number}"
            content.append({"type": "tool_use", "id": use_id, "name": block.name, "input": block.input})
    return {
        "id": f"msg_{tape.digest[:12]}_{place}",
        "type": "message",
        "role": "assistant",
        "model": run.model,
        "content": content,
        "stop_reason": answer.stopped,
        "stop_sequence": None,
        "usage": usage.model_dump(),
    }


def _plain(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def _stream(message: dict[str, Any]) -> bytes:
    """The message as the Messages API streams it, one delta per block."""
    usage = message["usage"]
    opening: dict[str, Any] = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": opening}]
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            delta = {"type": "text_delta", "text": block["text"]}
            empty: dict[str, Any] = {**block, "text": ""}
        else:
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            empty = {**block, "input": {}}
        events += [
            {"type": "content_block_start", "index": index, "content_block": empty},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": ending, "usage": usage}, {"type": "message_stop"}]
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
