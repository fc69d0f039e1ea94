"""What the double remembers of a workspace, and how it changes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.fakes.linear.rows import Refused, Row

COLUMNS = [
    ("Triage", "triage"),
    ("Backlog", "backlog"),
    ("Someday", "backlog"),
    ("Todo", "unstarted"),
    ("Agent Todo", "unstarted"),
    ("In Progress", "started"),
    ("In Review", "started"),
    ("Done", "completed"),
    ("Canceled", "canceled"),
]
_PLACES = {
    "issue": "issues",
    "comment": "comments",
    "attachment": "attachments",
    "agentActivity": "agentActivities",
    "agentSession": "agentSessions",
    "team": "teams",
    "user": "users",
    "workflowState": "workflowStates",
    "issueLabel": "issueLabels",
    "webhook": "webhooks",
}
_WORDS = {"completed": "completedAt", "canceled": "canceledAt", "started": "startedAt"}


class World:
    """`us` is Pawl's app user, `ada` a member of the workspace; both work for the organization."""

    def __init__(self) -> None:
        self._last = datetime.now(UTC)
        self.root: Row = {name: [] for name in _PLACES.values()}
        self.root["organization"] = {"id": str(uuid4()), "name": "Acme", "urlKey": "acme"}
        self.us = self.person("pawl", app=True)
        self.ada = self.person("ada")
        self.root["viewer"] = self.us

    def now(self) -> str:
        """Later than ever before, in milliseconds as Linear writes them."""
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        self._last -= timedelta(microseconds=self._last.microsecond % 1000)
        return stamp(self._last)

    def all(self, kind: str) -> list[Row]:
        return self.root[_PLACES[kind]]

    def one(self, kind: str, id: str) -> Row:  # noqa: A002
        for row in self.all(kind):
            if id and id in (row["id"], row.get("identifier")):
                return row
        raise Refused(f"Entity not found: {kind[0].upper()}{kind[1:]}")

    def add(self, kind: str, fields: Row) -> Row:
        """A new row. An id that is taken is an error, whatever it is taken by."""
        id = fields.get("id") or str(uuid4())  # noqa: A001
        if any(row["id"] == id for row in self.all(kind)):
            raise Refused(f"{kind} with id {id} already exists")
        now = self.now()
        row = {"createdAt": now, "updatedAt": now, **fields, "id": id}
        self.all(kind).append(row)
        return row

    def person(self, name: str, *, app: bool = False) -> Row:
        fields = {
            "name": name.title(),
            "displayName": name,
            "email": f"{name}@acme.test",
            "app": app,
            "active": True,
            "url": f"https://linear.app/acme/profiles/{name}",
            "organization": self.root["organization"],
        }
        return self.add("user", fields)

    def team(self, key: str, columns: list[tuple[str, str]] | None = None) -> Row:
        lists: Row = {"states": [], "labels": []}
        plain: Row = {"key": key, "name": key.title(), "organization": self.root["organization"]}
        team = self.add("team", {**plain, **lists, "defaultIssueState": None})
        for name, kind in columns or COLUMNS:
            self.state(team, name, kind)
        return team

    def state(self, team: Row, name: str, kind: str, **fields: Any) -> Row:
        place = {"name": name, "type": kind, "team": team, "position": float(len(team["states"])), "color": "#888888"}
        state = self.add("workflowState", {**place, **fields})
        team["states"].append(state)
        return state

    def label(self, name: str, team: Row | None = None, **fields: Any) -> Row:
        if any(
            row["name"].casefold() == name.casefold() and row["team"] in (None, team) for row in self.all("issueLabel")
        ):
            raise Refused(f"duplicate label name {name}")
        label = self.add("issueLabel", {"name": name, "team": team, "color": "#888888", "isGroup": False, **fields})
        if team:
            team["labels"].append(label)
        return label

    def issue(self, team: Row, title: str, by: Row, **fields: Any) -> Row:
        number = 1 + sum(row["team"] is team for row in self.all("issue"))
        lists: Row = {
            name: []
            for name in (
                "labels",
                "comments",
                "attachments",
                "relations",
                "inverseRelations",
                "children",
                "history",
                "agentSessions",
            )
        }
        identifier = f"{team['key']}-{number}"
        first = team["defaultIssueState"] or next(s for s in team["states"] if s["type"] in ("unstarted", "backlog"))
        plain: Row = {
            "title": title,
            "description": "",
            "team": team,
            "number": float(number),
            "identifier": identifier,
            "url": f"https://linear.app/acme/issue/{identifier}",
            "state": first,
            "creator": by,
            "assignee": None,
            "delegate": None,
            "parent": None,
            "archivedAt": None,
            "priority": 0,
        }
        issue = self.add("issue", {**plain, **lists, **fields})
        if issue["parent"]:
            issue["parent"]["children"].append(issue)
        return issue

    def change(self, issue: Row, by: Row, **fields: Any) -> None:
        """What differs is written down in the issue's history, with who did it."""
        changed = {name: value for name, value in fields.items() if issue[name] is not value and issue[name] != value}
        if not changed:
            return
        entry: Row = {"id": str(uuid4()), "actor": by, "issue": issue, "createdAt": self.now()}
        for name, value in changed.items():
            entry[f"from{name[0].upper()}{name[1:]}"] = issue[name]
            entry[f"to{name[0].upper()}{name[1:]}"] = value
        if "labels" in changed:
            had = {row["id"] for row in issue["labels"]}
            entry["addedLabelIds"] = [row["id"] for row in changed["labels"] if row["id"] not in had]
        if changed.get("assignee"):
            entry["toAssigneeId"] = changed["assignee"]["id"]
        issue.update(changed, updatedAt=entry["createdAt"])
        if "state" in changed and (word := _WORDS.get(changed["state"]["type"])):
            issue[word] = entry["createdAt"]
        entry["updatedAt"] = entry["createdAt"]
        issue["history"].append(entry)

    def comment(self, issue: Row, by: Row | None, body: str, **fields: Any) -> Row:
        """It does not change when its issue was changed last: Linear does not promise that."""
        plain: Row = {"issue": issue, "user": by, "body": body, "parent": None, "externalUser": None, "botActor": None}
        comment = self.add("comment", {**plain, "url": f"{issue['url']}#comment", **fields})
        issue["comments"].append(comment)
        return comment

    def session(self, issue: Row, by: Row, comment: Row | None = None) -> Row:
        plain: Row = {
            "issue": issue,
            "creator": by,
            "comment": comment,
            "appUser": self.us,
            "status": "pending",
            "activities": [],
            "plan": None,
        }
        session = self.add("agentSession", {**plain, "externalLinks": [], "endedAt": None})
        issue["agentSessions"].append(session)
        if comment:
            comment["agentSession"] = session
        return session

    def write(self, name: str, arguments: Row) -> Row:
        raise NotImplementedError


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
