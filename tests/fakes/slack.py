"""A double of Slack on loopback: the methods of its Web API that Pawl uses, socket mode, and answers to buttons. What a
person does is in slack_person.py, what Slack refuses in slack_rules.py."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.fakes.service import Faults, serving
from tests.fakes.slack_rules import Json, No, called_by, check_message, check_view, user_object

TEAM, BOT, CHANNEL, OPS = "T0PAWL", "U0PAWL", "C0SHOP", "C0OPS"
BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-double", "xapp-double", "the signing secret"


@dataclass
class FakeSlack:
    channels: dict[str, list[Json]] = field(default_factory=lambda: {CHANNEL: [], OPS: []})
    url: str = ""
    called: list[Json] = field(default_factory=list[Json])
    """Messages that would call people."""
    views: list[Json] = field(default_factory=list[Json])
    triggers: dict[str, float] = field(default_factory=dict[str, float])
    whispers: list[Json] = field(default_factory=list[Json])
    """What was answered to buttons."""
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """Methods that are over their limit for the next call, and the seconds to wait."""
    users: dict[str, Json] = field(default_factory=lambda: {BOT: user_object(BOT, "pawl", is_bot=True)})
    scopes: set[str] = field(default_factory=lambda: {"users:read"})
    """Of the bot token, as far as methods differ."""
    page: int = 200
    unacked: dict[str, Json] = field(default_factory=dict[str, Json])
    acked: dict[str, Json] = field(default_factory=dict[str, Json])
    sockets: list[WebSocket] = field(default_factory=list[WebSocket])
    opened: int = 0
    """How many connections of socket mode there were."""
    _last: int = 0
    _ticks: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.faults = Faults(
            Starlette(
                routes=[
                    Route("/api/{method}", self._call, methods=["GET", "POST"]),
                    Route("/actions/{id}", self._answered, methods=["POST"]),
                    WebSocketRoute("/socket", self._socket),
                ]
            )
        )

    @property
    def api(self) -> str:
        return f"{self.url}/api/"

    def tick(self) -> str:
        """A new message's timestamp: of now, and of no other message."""
        self._last = max(self._last + 1, int(time.time() * 1_000_000))
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06}"

    def say(self, channel: str, user: str, text: str, thread: str = "", **more: Any) -> Json:
        said: Json = {"type": "message", "user": user, "text": text, "ts": self.tick(), **more}
        if thread:
            self.message(channel, thread)
            said["thread_ts"] = thread
        self.channels[channel].append(said)
        return said

    def message(self, channel: str, ts: str) -> Json:
        for one in self.channels[channel]:
            if one["ts"] == ts:
                return one
        raise No("message_not_found")

    def replies(self, channel: str, ts: str) -> list[Json]:
        return [one for one in self.channels[channel] if one.get("thread_ts") == ts and one["ts"] != ts]

    def roots(self, channel: str = CHANNEL) -> list[Json]:
        return [one for one in self.channels[channel] if not one.get("thread_ts")]

    # The Web API

    async def _call(self, request: Request) -> Response:
        method = request.path_params["method"]
        handler = getattr(self, f"_{method.replace('.', '_')}", None)
        if handler is None:
            return JSONResponse({"ok": False, "error": "unknown_method"}, 501)
        if method in self.limits:
            wait = {"Retry-After": str(self.limits.pop(method))}
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, wait)
        token = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if request.headers.get("authorization") != f"Bearer {token}":
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        try:
            return JSONResponse({"ok": True, **handler(await _asked(request))})
        except No as no:
            told = {"ok": False, "error": no.code, "response_metadata": {"messages": [no.why]}}
            return JSONResponse(told | ({"needed": no.why, "provided": ""} if no.code == "missing_scope" else {}))

    def _auth_test(self, _: Json) -> Json:
        return {"user_id": BOT, "team_id": TEAM, "bot_id": "B0PAWL"}

    def _chat_postMessage(self, asked: Json) -> Json:
        check_message(asked)
        self._channel(asked)
        thread = asked.get("thread_ts") or ""
        if thread and thread not in {one["ts"] for one in self.channels[asked["channel"]]}:
            raise No("thread_not_found")
        kept = {name: asked[name] for name in ("blocks", "metadata") if asked.get(name)}
        said = self.say(asked["channel"], BOT, asked.get("text") or "", thread, bot_id="B0PAWL", **kept)
        self.called += [said] if called_by(asked) else []
        return {"channel": asked["channel"], "ts": said["ts"], "message": said}

    def _chat_update(self, asked: Json) -> Json:
        check_message(asked)
        said = self.message(self._channel(asked), asked["ts"])
        if said.get("user") != BOT:
            raise No("cant_update_message")
        said["edited"] = {"user": BOT, "ts": self.tick()}
        said |= {name: asked[name] for name in ("text", "blocks", "metadata") if name in asked}
        self.called += [said] if called_by(asked) else []
        return {"channel": asked["channel"], "ts": said["ts"]}

    def _users_info(self, asked: Json) -> Json:
        if "users:read" not in self.scopes:
            raise No("missing_scope", "users:read")
        if asked.get("user") not in self.users:
            raise No("user_not_found")
        return {"user": self.users[asked["user"]]}

    def _chat_postEphemeral(self, asked: Json) -> Json:
        check_message(asked)
        self._channel(asked)
        reader = self.users.get(asked.get("user") or "", {"deleted": True})
        if reader["deleted"] or reader["is_bot"]:
            raise No("user_not_in_channel")
        self.called += [asked] if called_by(asked) else []
        self.whispers.append(asked)
        return {"message_ts": self.tick()}

    def _conversations_history(self, asked: Json) -> Json:
        roots = [self._with_thread(asked["channel"], one) for one in self.roots(self._channel(asked))]
        since = [one for one in roots if float(one["ts"]) > float(asked.get("oldest") or 0)]
        return self._paged(since[::-1], asked)

    def _with_thread(self, channel: str, root: Json) -> Json:
        replies = self.replies(channel, root["ts"])
        return {**root, "reply_count": len(replies), "latest_reply": replies[-1]["ts"]} if replies else root

    def _conversations_replies(self, asked: Json) -> Json:
        if asked["ts"] not in {one["ts"] for one in self.channels[self._channel(asked)]}:
            raise No("thread_not_found")
        root = self.message(asked["channel"], asked["ts"])
        return self._paged([root, *self.replies(asked["channel"], root["ts"])], asked)

    def _paged(self, found: list[Json], asked: Json) -> Json:
        start = int(asked.get("cursor") or 0)
        end = start + min(self.page, int(asked.get("limit") or 100))
        whole = asked.get("include_all_metadata") in ("true", "1", True)
        shown = [one if whole else {k: v for k, v in one.items() if k != "metadata"} for one in found[start:end]]
        more = str(end) if end < len(found) else ""
        return {"messages": shown, "has_more": bool(more), "response_metadata": {"next_cursor": more}}

    def _channel(self, asked: Json) -> str:
        if asked.get("channel") not in self.channels:
            raise No("channel_not_found")
        return asked["channel"]

    def _views_open(self, asked: Json) -> Json:
        at = self.triggers.pop(asked["trigger_id"], None)
        if at is None:
            raise No("exchanged_trigger_id")
        if time.time() - at > 3:
            raise No("expired_trigger_id")
        view = json.loads(asked["view"]) if isinstance(asked["view"], str) else asked["view"]
        check_view(view)
        self.views.append({**view, "id": f"V{self.tick().replace('.', '')}"})
        return {"view": self.views[-1]}

    # Answers to buttons and commands

    async def _answered(self, request: Request) -> Response:
        self.whispers.append(await request.json())
        return PlainTextResponse("ok")

    # Socket mode

    def _apps_connections_open(self, _: Json) -> Json:
        return {"url": f"ws{self.url.removeprefix('http')}/socket"}

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        self.opened += 1
        self.sockets.append(socket)
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets)})
        try:
            for envelope in list(self.unacked.values()):
                await socket.send_json(envelope)
            while True:
                ack = await socket.receive_json()
                self.unacked.pop(ack["envelope_id"], None)
                self.acked[ack["envelope_id"]] = ack
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self.sockets.remove(socket)

    async def push(self, kind: str, payload: Json) -> str:
        """Send an envelope to one connection; it is sent again by `resend` until it is acknowledged."""
        envelope = f"E{next(self._ticks)}"
        self.unacked[envelope] = {"type": kind, "envelope_id": envelope, "payload": payload}
        await self.sockets[-1].send_json(self.unacked[envelope])
        return envelope

    async def resend(self) -> None:
        for envelope in list(self.unacked.values()):
            await self.sockets[-1].send_json({**envelope, "retry_attempt": 1})

    async def ask_to_reconnect(self) -> None:
        await self.sockets[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})


def shown_of(message: Json) -> str:
    """What people read of a message: its sections, else its text."""
    blocks = [block for block in message.get("blocks", []) if block["type"] == "section"]
    return "\n".join(block["text"]["text"] for block in blocks) or message["text"]


async def _asked(request: Request) -> Json:
    asked: Json = dict(request.query_params)
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        return asked | json.loads(body)
    return asked | dict(parse_qsl(body.decode()))


@asynccontextmanager
async def running() -> AsyncGenerator[FakeSlack]:
    """Slack on a free loopback port, in this event loop. No call was made that it cannot answer."""
    slack = FakeSlack()
    async with serving(slack.faults) as slack.url:
        yield slack
        for socket in list(slack.sockets):
            await socket.close()
        await asyncio.sleep(0)
    assert not slack.faults.unforeseen
