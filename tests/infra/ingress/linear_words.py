"""Deliveries as Linear writes them, by the webhook payload types of its schema."""

import hmac
import json
import time
from typing import Any

SECRET = "a-secret-of-the-tests"
ISSUE = "9f1c2d3e-0000-4000-8000-000000000001"
ADA = {"id": "user-ada", "name": "Ada", "email": "ada@acme.example", "type": "user", "url": "https://linear.app/u"}
PAWL = {"id": "user-pawl", "name": "Pawl", "email": "pawl@acme.example", "type": "user", "url": "https://linear.app/p"}
CLIENT = {"id": "client-pawl", "name": "Pawl", "type": "OauthClient"}
AT = "2026-11-21T12:00:00.123Z"


def issue(**more: Any) -> dict[str, Any]:
    return {
        "id": ISSUE,
        "identifier": "ENG-1",
        "title": "Fix the login loop",
        "description": "It loops. Ünïcödé.",
        "url": "https://linear.app/acme/issue/ENG-1",
        "createdAt": AT,
        "updatedAt": AT,
        "number": 1,
        "priority": 0,
        "stateId": "state-todo",
        "state": {"id": "state-todo", "name": "Agent Todo", "type": "unstarted", "color": "#fff"},
        "teamId": "team-1",
        "team": {"id": "team-1", "key": "ENG", "name": "Engineering"},
        "labels": [{"id": "l", "name": "bug", "color": "#fff"}],
        "labelIds": ["l"],
        **more,
    }


def named_issue() -> dict[str, Any]:
    return {name: value for name, value in issue().items() if name not in ("state", "labels", "updatedAt")}


def delivery(kind: str, action: str, **more: Any) -> dict[str, Any]:
    return {
        "action": action,
        "type": kind,
        "createdAt": AT,
        "organizationId": "org",
        "webhookId": "hook",
        "webhookTimestamp": time.time() * 1000,
        **more,
    }


def issue_delivery(action: str = "update", actor: Any = ADA, updated_from: Any = None, **more: Any) -> dict[str, Any]:
    """`more` are fields of the issue."""
    sent = delivery("Issue", action, actor=actor, data=issue(**more), url="https://linear.app/x")
    return sent if updated_from is None else {**sent, "updatedFrom": updated_from}


def comment_delivery(body: str, actor: Any = ADA, **more: Any) -> dict[str, Any]:
    comment = {"id": "c-1", "body": body, "createdAt": AT, "updatedAt": AT, "issueId": ISSUE, "issue": named_issue()}
    return delivery("Comment", "create", actor=actor, data={**comment, "user": actor, **more})


def session_delivery(action: str, activity: Any = None, previous: Any = None, **more: Any) -> dict[str, Any]:
    session = {
        "id": "s-1",
        "createdAt": AT,
        "updatedAt": AT,
        "appUserId": PAWL["id"],
        "organizationId": "org",
        "status": "pending",
        "type": "commentThread",
        "creator": ADA,
        "creatorId": ADA["id"],
        "issueId": ISSUE,
        "issue": named_issue(),
        **more,
    }
    return {
        **delivery("AgentSessionEvent", action, appUserId=PAWL["id"], oauthClientId=CLIENT["id"]),
        **{"agentSession": session, "agentActivity": activity, "previousComments": previous},
        "promptContext": "<issue/>",
    }


def prompt(**more: Any) -> dict[str, Any]:
    content = {"type": "prompt", "body": "and the tests"}
    return {"id": "a-1", "createdAt": AT, "content": content, "user": ADA, "userId": ADA["id"], **more}


def signed(payload: Any, secret: str = SECRET, delivery_id: str = "d-1") -> tuple[dict[str, str], bytes]:
    """Headers and body. Bytes are sent as they are."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    return {
        "content-type": "application/json; charset=utf-8",
        "linear-delivery": delivery_id,
        "linear-event": "Issue",
        "linear-signature": hmac.new(secret.encode(), body, "sha256").hexdigest(),
    }, body
