"""The hands of a person in Slack: what they do becomes what Slack sends, as a payload or signed."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from html import escape
from typing import NamedTuple
from urllib.parse import urlencode

from tests.fakes.slack import BOT, CHANNEL, SECRET, TEAM, FakeSlack
from tests.fakes.slack_rules import Json, user_object


class Signed(NamedTuple):
    headers: dict[str, str]
    body: bytes


def signed(body: bytes, kind: str = "application/json", *, secret: str = SECRET, at: float | None = None) -> Signed:
    stamp = str(int(at if at is not None else time.time()))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    names = {"content-type": kind, "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}
    return Signed(names, body)


def as_json(payload: Json) -> Signed:
    return signed(json.dumps(payload).encode())


def as_form(fields: dict[str, str]) -> Signed:
    return signed(urlencode(fields).encode(), "application/x-www-form-urlencoded")


def as_interaction(payload: Json) -> Signed:
    return as_form({"payload": json.dumps(payload)})


@dataclass
class Person:
    slack: FakeSlack
    id: str = "U0ADA"
    name: str = "ada"
    team: str = TEAM

    def __post_init__(self) -> None:
        elsewhere = {} if self.team == TEAM else {"is_stranger": True}
        self.slack.users.setdefault(self.id, user_object(self.id, self.name, self.team, **elsewhere))

    def is_now(self, **marks: bool) -> None:
        """What Slack says of them when it is asked, and in no payload."""
        self.slack.users[self.id] = user_object(self.id, self.name, self.team, **marks)

    def command(self, text: str, channel: str = CHANNEL, command: str = "/pawl") -> dict[str, str]:
        return {
            "command": command,
            "text": escape(text, quote=False),
            "team_id": self.team,
            "channel_id": channel,
            "user_id": self.id,
            "user_name": self.name,
            "trigger_id": self._trigger(),
            "response_url": f"{self.slack.url}/actions/1",
            "api_app_id": "A0PAWL",
        }

    def press(self, message: Json, action: str, channel: str = CHANNEL) -> Json:
        """Raises LookupError where there is no such button."""
        buttons = [(block, e) for block in message["blocks"] if block["type"] == "actions" for e in block["elements"]]
        block, button = next((b, e) for b, e in buttons if e["action_id"] == action)
        pressed = {name: button[name] for name in ("type", "action_id", "value")}
        return {
            "type": "block_actions",
            **self._who(),
            "trigger_id": self._trigger(),
            "response_url": f"{self.slack.url}/actions/1",
            "channel": {"id": channel, "name": "shop"},
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": channel},
            "message": message,
            "actions": [{**pressed, "block_id": block["block_id"], "action_ts": self.slack.tick()}],
        }

    def submit(self, view: Json, words: str) -> Json:
        box = next(block for block in view["blocks"] if block["type"] == "input")
        value = {"type": "plain_text_input", "value": words}
        state = {"values": {box["block_id"]: {box["element"]["action_id"]: value}}}
        return {"type": "view_submission", **self._who(), "view": {**view, "state": state}}

    def mention(self, text: str, channel: str = CHANNEL, thread: str = "") -> Json:
        """Says it to Pawl, in the channel or in a thread."""
        said = self.slack.say(channel, self.id, f"<@{BOT}> {text}", thread, team=self.team)
        return self._event({**said, "type": "app_mention", "channel": channel})

    def reply(self, text: str, thread: str, channel: str = CHANNEL) -> Json:
        said = self.slack.say(channel, self.id, text, thread, team=self.team)
        return self._event({**said, "channel": channel, "channel_type": "channel"})

    def _event(self, event: Json) -> Json:
        return {
            "type": "event_callback",
            "team_id": TEAM,
            "api_app_id": "A0PAWL",
            "event_id": f"Ev{event['ts']}{event['type']}",
            "event_time": int(float(event["ts"])),
            "event": event,
            "authorizations": [{"team_id": TEAM, "user_id": BOT, "is_bot": True}],
        }

    def _who(self) -> Json:
        user = {"id": self.id, "username": self.name, "name": self.name, "team_id": self.team}
        return {"user": user, "team": {"id": TEAM, "domain": "acme"}, "api_app_id": "A0PAWL"}

    def _trigger(self) -> str:
        trigger = f"{self.slack.tick()}.trigger"
        self.slack.triggers[trigger] = time.time()
        return trigger
