"""What is sent: deliveries of a busy Linear workspace, a part of them more than once."""

import hashlib
import hmac
import json
import random
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from workflows.domain.model import Record

SECRET = "the-secret-of-the-benchmark"  # noqa: S105  # of a door that lives for a minute
_MIX = ("start", "words", "words", "move", "words", "other", "words", "again", "words", "renamed")
"""Ten deliveries: one new ticket, six things said or done to tickets under way, one that concerns none, two that were
sent before."""


class Kind(StrEnum):
    START = "start"
    WORDS = "words"
    MOVE = "move"
    OTHER = "other"


class Sent(Record):
    """One delivery."""

    kind: Kind
    delivery: str
    issue: str
    happening: str = ""
    """The id of what the ticket is told."""
    body: bytes = b""
    again: bool = False
    """Sent before."""

    @property
    def headers(self) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "linear-delivery": self.delivery,
            "linear-signature": hmac.new(SECRET.encode(), self.body, "sha256").hexdigest(),
        }


class Plan:
    """An endless row of deliveries. Words and moves go to tickets whose start was taken: `started` says which."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)  # noqa: S311
        self._seed, self._made = seed, 0
        self._started: list[str] = []
        self._sent: list[Sent] = []

    def started(self, issue: str) -> None:
        self._started.append(issue)

    def deliveries(self, count: int) -> Iterator[Sent]:
        for place in range(count):
            yield self._next(_MIX[place % len(_MIX)])

    def _next(self, wanted: str) -> Sent:
        self._made += 1
        starts = [one for one in self._sent[-100:] if one.kind is Kind.START]
        match wanted:
            case "again" if self._sent:
                return self._dice.choice(self._sent[-100:]).model_copy(update={"again": True})
            case "renamed" if starts:  # the same happening as a delivery of its own
                once_more = {"delivery": self._id("delivery"), "again": True}
                return self._dice.choice(starts).model_copy(update=once_more)
            case "words" | "move" if self._started:
                made = self._told(Kind(wanted), self._dice.choice(self._started))
            case "other":
                body = _body("Project", "update", {"id": self._id("project"), "name": "Next"})
                made = Sent(kind=Kind.OTHER, delivery=self._id("delivery"), issue="", body=body)
            case _:
                made = self._start()
        self._sent = [*self._sent[-99:], made]
        return made

    def _start(self) -> Sent:
        issue, at = self._id("issue"), _now()
        data: dict[str, Any] = {
            **_named(issue),
            "state": {"name": "Agent Todo", "type": "unstarted"},
            "labels": [],
            "updatedAt": at,
        }
        body = _body("Issue", "create", data)
        return Sent(kind=Kind.START, delivery=self._id("delivery"), issue=issue, body=body)

    def _told(self, kind: Kind, issue: str) -> Sent:
        happening, at = self._id("happening"), _now()
        data: dict[str, Any]
        if kind is Kind.WORDS:
            data = {"id": happening, "body": "@pawl and the tests", "createdAt": at, "issueId": issue, "user": _ADA}
            body, id_ = _body("Comment", "create", data), f"comment:{happening}"
        else:
            state = {"name": f"Column {happening}"[:40], "type": "started"}
            data = {**_named(issue), "state": state, "labels": [], "updatedAt": at}
            body, id_ = _body("Issue", "update", data, updatedFrom={"stateId": "before"}), f"{state['name']}@{at}"
        return Sent(kind=kind, delivery=self._id("delivery"), issue=issue, happening=id_, body=body)

    def _id(self, what: str) -> str:
        return hashlib.sha256(f"{self._seed} {what} {self._made}".encode()).hexdigest()[:32]


_ADA = {"id": "user-ada", "name": "Ada", "email": "ada@acme.example", "type": "user"}


def _named(issue: str) -> dict[str, Any]:
    return {
        "id": issue,
        "identifier": f"ENG-{issue[:6]}",
        "title": "Fix the login loop",
        "description": "It loops. " * 50,
        "url": f"https://linear.app/acme/issue/{issue}",
        "team": {"id": "team", "key": "ENG", "name": "Engineering"},
    }


def _body(kind: str, action: str, data: dict[str, Any], **more: Any) -> bytes:
    sent = {"type": kind, "action": action, "createdAt": _now(), "actor": _ADA, "data": data, **more}
    return json.dumps({**sent, "webhookTimestamp": time.time() * 1000}).encode()


def _now() -> str:
    now = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03d}Z"
