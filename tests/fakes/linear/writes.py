"""The mutations Pawl and Linear's own client make on the double."""

from collections.abc import Callable
from typing import Any, ClassVar

from tests.fakes.linear.rows import Refused, Row
from tests.fakes.linear.world import World

_PARTS = {
    "thought": {"body"},
    "elicitation": {"body"},
    "response": {"body"},
    "error": {"body"},
    "action": {"action", "parameter"},
}
_THEN = {"elicitation": "awaitingInput", "response": "complete", "error": "error"}


class WritableWorld(World):
    """Everything here is done by `us`, whose key it is."""

    def write(self, name: str, arguments: Row) -> Row:
        writer = self._WRITERS.get(name)
        if writer is None:
            raise Refused(f"the double knows no {name}", "UNFORESEEN")
        kind, row = writer(self, arguments)
        return {"success": True, "lastSyncId": 1.0, kind: row}

    def _update_issue(self, arguments: Row) -> tuple[str, Row]:
        issue, changes = self.one("issue", arguments["id"]), dict(arguments["input"])
        fields: Row = {}
        if "stateId" in changes:
            fields["state"] = self._state_of(issue["team"], changes.pop("stateId"))
        if "delegateId" in changes:
            delegate = changes.pop("delegateId")
            fields["delegate"] = self.one("user", delegate) if delegate else None
            if fields["delegate"] and not fields["delegate"]["app"]:
                raise Refused("only an app can be a delegate")
        added, removed = set(changes.pop("addedLabelIds", ())), set(changes.pop("removedLabelIds", ()))
        for name in ("title", "description"):
            if name in changes:
                fields[name] = changes.pop(name)
        self._nothing_left(changes)
        kept = [row for row in issue["labels"] if row["id"] not in removed | added]
        fields["labels"] = [*kept, *(self._label_of(issue["team"], id) for id in sorted(added))]  # noqa: A001
        if {row["id"] for row in fields["labels"]} == {row["id"] for row in issue["labels"]}:
            fields.pop("labels")
        self.change(issue, self.us, **fields)
        return "issue", issue

    def _create_issue(self, arguments: Row) -> tuple[str, Row]:
        wanted = dict(arguments["input"])
        team = self.one("team", wanted.pop("teamId"))
        fields: Row = {"id": wanted.pop("id", None), "description": wanted.pop("description", "")}
        fields["labels"] = [self._label_of(team, id) for id in wanted.pop("labelIds", ())]  # noqa: A001
        if state := wanted.pop("stateId", None):
            fields["state"] = self._state_of(team, state)
        if parent := wanted.pop("parentId", None):
            fields["parent"] = self.one("issue", parent)
        title = wanted.pop("title")
        self._nothing_left(wanted)
        return "issue", self.issue(team, title, self.us, **fields)

    def _create_comment(self, arguments: Row) -> tuple[str, Row]:
        wanted = dict(arguments["input"])
        issue = self.one("issue", wanted.pop("issueId"))
        fields = {"id": wanted.pop("id", None)}
        body = wanted.pop("body")
        self._nothing_left(wanted)
        return "comment", self.comment(issue, self.us, body, **fields)

    def _create_attachment(self, arguments: Row) -> tuple[str, Row]:
        """The same URL on the same issue is the same attachment, written anew."""
        wanted = dict(arguments["input"])
        issue = self.one("issue", wanted.pop("issueId"))
        for row in issue["attachments"]:
            if row["url"] == wanted["url"]:
                row.update(wanted, id=row["id"], updatedAt=self.now())
                return "attachment", row
        row = self.add("attachment", {"metadata": {}, **wanted, "issue": issue, "creator": self.us})
        issue["attachments"].append(row)
        return "attachment", row

    def _update_attachment(self, arguments: Row) -> tuple[str, Row]:
        row = self.one("attachment", arguments["id"])
        row.update(arguments["input"], updatedAt=self.now())
        return "attachment", row

    def _create_activity(self, arguments: Row) -> tuple[str, Row]:
        wanted = dict(arguments["input"])
        session, content = self.one("agentSession", wanted.pop("agentSessionId")), wanted.pop("content")
        kind = content.get("type")
        if kind not in _PARTS or not _PARTS[kind] <= set(content):
            raise Refused(f"no such activity: {content}")
        if wanted.get("ephemeral") and kind not in ("thought", "action"):
            raise Refused("only thoughts and actions are ephemeral")
        return "agentActivity", self.act(session, self.us, content, **wanted)

    def act(self, session: Row, by: Row, content: Row, **fields: Any) -> Row:
        """An ephemeral activity stands until the next one."""
        kind = content["type"]
        typed = {**content, "__typename": f"AgentActivity{kind.title()}Content"}
        row = self.add(
            "agentActivity",
            {
                **fields,
                "agentSession": session,
                "content": typed,
                "user": by,
                "type": kind,
                "agentSessionId": session["id"],
            },
        )
        for old in [old for old in session["activities"] if old.get("ephemeral")]:
            session["activities"].remove(old)
        session["activities"].append(row)
        session.update(status=_THEN.get(kind, "active"), updatedAt=row["createdAt"])
        return row

    def _update_session(self, arguments: Row) -> tuple[str, Row]:
        session, wanted = self.one("agentSession", arguments["id"]), dict(arguments["input"])
        if "plan" in wanted:
            session["plan"] = wanted.pop("plan")
        session["externalLinks"] += [dict(link) for link in wanted.pop("addedExternalUrls", ())]
        self._nothing_left(wanted)
        return "agentSession", session

    def _create_label(self, arguments: Row) -> tuple[str, Row]:
        wanted = dict(arguments["input"])
        team = wanted.pop("teamId", None)
        return "issueLabel", self.label(wanted.pop("name"), self.one("team", team) if team else None, **wanted)

    def _create_state(self, arguments: Row) -> tuple[str, Row]:
        wanted = dict(arguments["input"])
        team, name, kind = self.one("team", wanted.pop("teamId")), wanted.pop("name"), wanted.pop("type")
        if any(row["name"].casefold() == name.casefold() for row in team["states"]):
            raise Refused(f"duplicate state name {name}")
        return "workflowState", self.state(team, name, kind, **wanted)

    def _create_webhook(self, arguments: Row) -> tuple[str, Row]:
        return "webhook", self.add("webhook", dict(arguments["input"]))

    def _state_of(self, team: Row, id: str) -> Row:  # noqa: A002
        state = self.one("workflowState", id)
        if state["team"] is not team:
            raise Refused("the state belongs to another team")
        return state

    def _label_of(self, team: Row, id: str) -> Row:  # noqa: A002
        label = self.one("issueLabel", id)
        if label["team"] not in (None, team):
            raise Refused("the label belongs to another team")
        return label

    def _nothing_left(self, fields: Row) -> None:
        if fields:
            raise Refused(f"the double does not know {sorted(fields)}", "UNFORESEEN")

    _WRITERS: ClassVar[dict[str, Callable[["WritableWorld", Row], tuple[str, Row]]]] = {
        "issueUpdate": _update_issue,
        "issueCreate": _create_issue,
        "commentCreate": _create_comment,
        "attachmentCreate": _create_attachment,
        "attachmentUpdate": _update_attachment,
        "agentActivityCreate": _create_activity,
        "agentSessionUpdate": _update_session,
        "issueLabelCreate": _create_label,
        "workflowStateCreate": _create_state,
        "webhookCreate": _create_webhook,
    }
