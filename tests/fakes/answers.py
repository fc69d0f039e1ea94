"""Fake model answers, written once and rendered as each of the three APIs would give them."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Usage(BaseModel):
    """`input_tokens` is all input; the cached part is in it."""

    input_tokens: int = 100
    cached_tokens: int = 0
    output_tokens: int = 20


class FakeAnswer(BaseModel):
    """What the model says: content blocks as the Messages API writes them (`text` and `tool_use`)."""

    model_config = ConfigDict(extra="forbid")

    content: list[dict[str, Any]] = Field(default_factory=lambda: [{"type": "text", "text": "Hello."}])
    usage: Usage | None = Field(default_factory=Usage)
    """None: the provider says nothing of usage."""
    stop: Literal["end_turn", "tool_use", "max_tokens", "refusal"] | None = None

    @classmethod
    def text(cls, text: str) -> "FakeAnswer":
        return cls(content=[{"type": "text", "text": text}])

    @classmethod
    def tool(cls, name: str, arguments: dict[str, Any]) -> "FakeAnswer":
        return cls(content=[{"type": "tool_use", "name": name, "input": arguments}])

    @property
    def stopped(self) -> str:
        return self.stop or ("tool_use" if any(block["type"] == "tool_use" for block in self.content) else "end_turn")


def plain(api: str, answer: FakeAnswer, model: str, number: int) -> dict[str, Any]:
    """The JSON body. `number` makes ids unique."""
    return {"messages": _message, "responses": _response, "chat": _completion}[api](answer, model, number)


def stream(api: str, answer: FakeAnswer, model: str, number: int, pieces: int, with_usage: bool) -> list[bytes]:
    """The server-sent events, each text in so many pieces. `with_usage`: for Chat, whether the caller asked for it."""
    if api == "messages":
        return [_named(event) for event in _message_events(_message(answer, model, number), pieces)]
    if api == "responses":
        return [_named(event) for event in _response_events(_response(answer, model, number), pieces)]
    chunks = _completion_events(_completion(answer, model, number), pieces, with_usage)
    return [*(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks), b"data: [DONE]\n\n"]


def _named(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _cut(text: str, pieces: int) -> list[str]:
    size = max(1, -(-len(text) // pieces))
    return [text[at : at + size] for at in range(0, len(text), size)]


def _message(answer: FakeAnswer, model: str, number: int) -> dict[str, Any]:
    content = [
        {"id": f"toolu_{number}_{index}", **block} if block["type"] == "tool_use" else block
        for index, block in enumerate(answer.content)
    ]
    message: dict[str, Any] = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": answer.stopped,
        "stop_sequence": None,
    }
    if answer.usage:
        message["usage"] = {
            "input_tokens": answer.usage.input_tokens - answer.usage.cached_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": answer.usage.cached_tokens,
            "output_tokens": answer.usage.output_tokens,
        }
    return message


def _message_events(message: dict[str, Any], pieces: int) -> Iterator[dict[str, Any]]:
    usage: dict[str, Any] | None = message.get("usage")
    opening: dict[str, Any] = {**message, "content": [], "stop_reason": None}
    yield {
        "type": "message_start",
        "message": {**opening, **({"usage": {**usage, "output_tokens": 1}} if usage else {})},
    }
    for index, block in enumerate(message["content"]):
        is_text = block["type"] == "text"
        empty: dict[str, Any] = {**block, "text": ""} if is_text else {**block, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for piece in _cut(block["text"] if is_text else json.dumps(block["input"]), pieces):
            delta = (
                {"type": "text_delta", "text": piece}
                if is_text
                else {"type": "input_json_delta", "partial_json": piece}
            )
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    told = {"usage": {"output_tokens": usage["output_tokens"]}} if usage else {}
    yield {"type": "message_delta", "delta": ending, **told}
    yield {"type": "message_stop"}


def _response(answer: FakeAnswer, model: str, number: int) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    for index, block in enumerate(answer.content):
        if block["type"] == "text":
            part: dict[str, Any] = {"type": "output_text", "text": block["text"], "annotations": []}
            output.append(
                {
                    "id": f"msg_{number}_{index}",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [part],
                }
            )
        else:
            output.append(
                {
                    "id": f"fc_{number}_{index}",
                    "type": "function_call",
                    "status": "completed",
                    "call_id": f"call_{number}_{index}",
                    "name": block["name"],
                    "arguments": json.dumps(block["input"]),
                }
            )
    usage = answer.usage and {
        "input_tokens": answer.usage.input_tokens,
        "input_tokens_details": {"cached_tokens": answer.usage.cached_tokens},
        "output_tokens": answer.usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.usage.input_tokens + answer.usage.output_tokens,
    }
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "incomplete" if answer.stopped == "max_tokens" else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if answer.stopped == "max_tokens" else None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": usage,
    }


def _response_events(response: dict[str, Any], pieces: int) -> Iterator[dict[str, Any]]:
    opening: dict[str, Any] = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": opening}]
    for index, item in enumerate(response["output"]):
        place = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            part, text = item["content"][0], item["content"][0]["text"]
            where = {**place, "content_index": 0}
            events.append(
                {"type": "response.output_item.added", "output_index": index, "item": {**item, "content": []}}
            )
            events.append({"type": "response.content_part.added", **where, "part": {**part, "text": ""}})
            told: dict[str, Any] = {"type": "response.output_text.delta", **where, "logprobs": []}
            events += [{**told, "delta": piece} for piece in _cut(text, pieces)]
            events.append({"type": "response.output_text.done", **where, "text": text, "logprobs": []})
            events.append({"type": "response.content_part.done", **where, "part": part})
        else:
            added = {**item, "arguments": ""}
            events.append({"type": "response.output_item.added", "output_index": index, "item": added})
            told = {"type": "response.function_call_arguments.delta", **place}
            events += [{**told, "delta": piece} for piece in _cut(item["arguments"], pieces)]
            done = {"type": "response.function_call_arguments.done", **place, "name": item["name"]}
            events.append({**done, "arguments": item["arguments"]})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": f"response.{response['status']}", "response": response})
    yield from ({**event, "sequence_number": number} for number, event in enumerate(events))


def _completion(answer: FakeAnswer, model: str, number: int) -> dict[str, Any]:
    reasons = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"}
    calls = [
        {
            "id": f"call_{number}_{index}",
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
        }
        for index, block in enumerate(answer.content)
        if block["type"] == "tool_use"
    ]
    text = "".join(block["text"] for block in answer.content if block["type"] == "text")
    message: dict[str, Any] = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}
    usage = answer.usage and {
        "prompt_tokens": answer.usage.input_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.usage.cached_tokens},
        "completion_tokens": answer.usage.output_tokens,
        "total_tokens": answer.usage.input_tokens + answer.usage.output_tokens,
    }
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reasons[answer.stopped]}],
        **({"usage": usage} if usage else {}),
    }


def _completion_events(completion: dict[str, Any], pieces: int, with_usage: bool) -> Iterator[dict[str, Any]]:
    choice = completion["choices"][0]
    frame = {key: completion[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in _cut(choice["message"]["content"] or "", pieces):
        yield chunk({"content": piece})
    for index, call in enumerate(choice["message"].get("tool_calls", ())):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield chunk({}, choice["finish_reason"])
    if with_usage and "usage" in completion:
        yield {**frame, "choices": [], "usage": completion["usage"]}
