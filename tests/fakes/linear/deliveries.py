"""What Linear's webhooks tell of what happens in the double, signed as Linear signs. A test carries them to a door: as
often, in the order and as many of them as it likes."""

import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.fakes.linear.hands import Hands
from tests.fakes.linear.rows import Row

SECRET = "the-secret-of-the-webhook"
_REFERENCES = ("state", "delegate", "assignee", "team", "creator")


@dataclass(frozen=True)
class Delivery:
    id: str
    event: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {
            "content-type": "application/json; charset=utf-8",
            "linear-delivery": self.id,
            "linear-event": self.event,
            "linear-signature": hmac.new(SECRET.encode(), self.body, "sha256").hexdigest(),
        }


class Telling(Hands):
    """`deliveries`: all that happened, oldest first."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        super().__init__()

    def issue(self, team: Row, title: str, by: Row, **fields: Any) -> Row:
        row = super().issue(team, title, by, **fields)
        self._tell("Issue", "create", row["createdAt"], actor=_person(by), data=_issue(row))
        return row

    def change(self, issue: Row, by: Row, **fields: Any) -> None:
        """Tells what the fields that changed were before."""
        before, lines = dict(issue), len(issue["history"])
        super().change(issue, by, **fields)
        if len(issue["history"]) > lines:
            old = {name: value for name, value in _issue(before).items() if value != _issue(issue)[name]}
            self._tell("Issue", "update", issue["updatedAt"], actor=_person(by), data=_issue(issue), updatedFrom=old)

    def comment(self, issue: Row, by: Row | None, body: str, **fields: Any) -> Row:
        row = super().comment(issue, by, body, **fields)
        said = {"id": row["id"], "body": body, "createdAt": row["createdAt"], "issueId": issue["id"]}
        said |= {"issue": _named(issue), "externalUser": row["externalUser"], "user": _person(by) if by else None}
        said |= {"parent": _said(row["parent"]), "parentId": row["parent"]["id"] if row["parent"] else None}
        actor = _person(by) if by else {**row["externalUser"], "type": "externalUser"}
        self._tell("Comment", "create", row["createdAt"], actor=actor, data=said)
        return row

    def session(self, issue: Row, by: Row, comment: Row | None = None) -> Row:
        row = super().session(issue, by, comment)
        self._tell("AgentSessionEvent", "created", row["createdAt"], agentSession=_session(row), agentActivity=None)
        return row

    def act(self, session: Row, by: Row, content: Row, **fields: Any) -> Row:
        """Only people's prompts are told."""
        row = super().act(session, by, content, **fields)
        if content["type"] == "prompt":
            activity = {"id": row["id"], "createdAt": row["createdAt"], "content": content, "signal": row.get("signal")}
            source = fields.get("sourceComment")
            activity |= {"user": _person(by), "userId": by["id"], "sourceCommentId": source["id"] if source else None}
            told = {"agentSession": _session(session), "agentActivity": activity}
            self._tell("AgentSessionEvent", "prompted", row["createdAt"], **told)
        return row

    def _tell(self, kind: str, action: str, at: str, **parts: Any) -> None:
        envelope = {"type": kind, "action": action, "createdAt": at, "webhookTimestamp": time.time() * 1000}
        body = json.dumps({**envelope, **parts}, ensure_ascii=False).encode()
        self.deliveries.append(Delivery(str(uuid4()), kind, body))


def _issue(row: Row) -> Row:
    plain = {name: row[name] for name in ("createdAt", "updatedAt", "archivedAt", "priority", "number")}
    ids = {f"{name}Id": row[name]["id"] if row[name] else None for name in _REFERENCES}
    labels = [{"id": label["id"], "name": label["name"]} for label in row["labels"]]
    state = {name: row["state"][name] for name in ("id", "name", "type")}
    known = {**_named(row), **plain, **ids, "state": state, "labels": labels}
    return {**known, "labelIds": [label["id"] for label in labels]}


def _named(row: Row) -> Row:
    team = {name: row["team"][name] for name in ("id", "key", "name")}
    return {**{name: row[name] for name in ("id", "identifier", "title", "description", "url")}, "team": team}


def _session(row: Row) -> Row:
    plain = {name: row[name] for name in ("id", "createdAt", "updatedAt", "status")}
    known = {"issueId": row["issue"]["id"], "issue": _named(row["issue"]), "appUserId": row["appUser"]["id"]}
    return {**plain, **known, "creator": _person(row["creator"]), "comment": _said(row["comment"])}


def _said(row: Row | None) -> Row | None:
    """A comment as others name it."""
    return row and {"id": row["id"], "body": row["body"], "userId": row["user"]["id"] if row["user"] else None}


def _person(row: Row) -> Row:
    return {**{name: row[name] for name in ("id", "name", "email", "url")}, "type": "user"}
