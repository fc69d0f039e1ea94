"""A loopback HTTP server that speaks Anthropic Messages as a stream, with the answers a test gives it."""

import json
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


@dataclass(frozen=True)
class Reply:
    """An answer's content blocks, or an error reply when `status` is not 200."""

    content: Sequence[dict[str, Any]] = ()
    stop_reason: str = "end_turn"
    input_tokens: int = 100
    status: int = 200
    error: dict[str, Any] = field(default_factory=dict[str, Any])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    breaks_off: bool = False
    """The connection ends in the middle of the stream."""


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def use(tool: str, number: int = 0, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"call_{number}", "name": tool, "input": arguments}


@dataclass
class Seen:
    """One request as it arrived."""

    body: dict[str, Any]
    headers: dict[str, str]


class MessagesApi:
    """Gives the replies in order; the last one is given again and again."""

    def __init__(self, url: str, replies: Sequence[Reply]) -> None:
        self.url = url
        self.replies = list(replies)
        self.seen: list[Seen] = []

    def reply(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def messages_api(*replies: Reply) -> Generator[MessagesApi]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        api: ClassVar[MessagesApi]

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            reply = self.api.reply(Seen(json.loads(raw), {k.lower(): v for k, v in self.headers.items()}))
            body = _stream(reply) if reply.status == 200 else json.dumps(reply.error).encode()
            self.send_response(reply.status)
            self.send_header("content-type", "text/event-stream" if reply.status == 200 else "application/json")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if reply.breaks_off else body)
            self.close_connection = reply.breaks_off

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.api = MessagesApi(f"http://127.0.0.1:{server.server_port}", replies)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Handler.api
        finally:
            server.shutdown()
            thread.join()


def _stream(reply: Reply) -> bytes:
    usage = {"input_tokens": reply.input_tokens, "cache_read_input_tokens": 40, "output_tokens": 1}
    start: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "scripted"}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {**start, "usage": usage}}]
    for index, block in enumerate(reply.content):
        empty: dict[str, Any]
        delta: dict[str, Any]
        if block["type"] == "text":
            empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            given = block["input"]
            partial = given if isinstance(given, str) else json.dumps(given)
            empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": partial}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    tools = any(block["type"] == "tool_use" for block in reply.content)
    reason = "tool_use" if tools and reply.stop_reason == "end_turn" else reply.stop_reason
    done = {"stop_reason": reason, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": done, "usage": {"output_tokens": 20}})
    events.append({"type": "message_stop"})
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
