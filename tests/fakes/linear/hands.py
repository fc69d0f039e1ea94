"""What people do in Linear."""

from tests.fakes.linear.rows import Row
from tests.fakes.linear.writes import WritableWorld


class Hands(WritableWorld):
    def file(self, team: Row, title: str, body: str = "", labels: tuple[str, ...] = (), column: str = "Todo") -> Row:
        """Ada files an issue. Labels that are not there yet are made."""
        rows = [self._label_named(team, name) for name in labels]
        return self.issue(team, title, self.ada, description=body, labels=rows, state=self.column(team, column))

    def column(self, team: Row, name: str) -> Row:
        return next(row for row in team["states"] if row["name"] == name)

    def move(self, issue: Row, column: str, by: Row | None = None) -> None:
        self.change(issue, by or self.ada, state=self.column(issue["team"], column))

    def put(self, issue: Row, column: str) -> None:
        """Move it there, and make the column first where there is none."""
        team = issue["team"]
        if column not in {row["name"] for row in team["states"]}:
            self.state(team, column, "started")
        self.move(issue, column)

    def put_label(self, issue: Row, name: str) -> None:
        self.change(issue, self.ada, labels=[*issue["labels"], self._label_named(issue["team"], name)])

    def delegate(self, issue: Row, to: Row | None, by: Row | None = None) -> Row | None:
        """Where it goes to an app with agent sessions, Linear opens one."""
        self.change(issue, by or self.ada, delegate=to)
        return self.session(issue, by or self.ada) if to is self.us else None

    def assign(self, issue: Row, to: Row | None) -> None:
        self.change(issue, self.ada, assignee=to)

    def say(self, issue: Row, body: str, by: Row | None = None, parent: Row | None = None) -> Row:
        return self.comment(issue, by or self.ada, body, parent=parent)

    def mention(self, issue: Row, body: str) -> Row:
        """Ada begins a session by a comment, which is the session's first prompt as well."""
        comment = self.say(issue, body)
        session = self.session(issue, self.ada, comment)
        self.act(session, self.ada, {"type": "prompt", "body": body}, sourceComment=comment)
        return session

    def answer(self, session: Row, body: str) -> Row:
        """Ada writes in the thread of a session that she began: a comment, and a prompt that comes of it."""
        comment = self.say(session["issue"], body, parent=session["comment"])
        self.act(session, self.ada, {"type": "prompt", "body": body}, sourceComment=comment)
        return comment

    def edit(self, issue: Row, description: str) -> None:
        self.change(issue, self.ada, description=description)

    def say_from_outside(self, issue: Row, body: str) -> Row:
        """A comment that came from a synced chat, by somebody who is no user of the workspace."""
        stranger = {"id": "external-1", "name": "Mallory", "displayName": "mallory"}
        return self.comment(issue, None, body, externalUser=stranger)

    def block(self, blocked: Row, blocker: Row) -> None:
        relation = {"id": f"{blocker['id']}-blocks", "type": "blocks", "issue": blocker, "relatedIssue": blocked}
        relation |= {"createdAt": self.now(), "updatedAt": self.now()}
        blocker["relations"].append(relation)
        blocked["inverseRelations"].append(relation)

    def prompt(self, session: Row, body: str, by: Row | None = None) -> Row:
        return self.act(session, by or self.ada, {"type": "prompt", "body": body})

    def stop(self, session: Row, by: Row | None = None) -> Row:
        return self.act(session, by or self.ada, {"type": "prompt", "body": "Stop"}, signal="stop")

    def attach(self, issue: Row, url: str, title: str) -> Row:
        row = self.add("attachment", {"issue": issue, "creator": self.ada, "url": url, "title": title, "metadata": {}})
        issue["attachments"].append(row)
        return row

    def _label_named(self, team: Row, name: str) -> Row:
        for row in self.all("issueLabel"):
            if row["name"].casefold() == name.casefold() and row["team"] in (None, team):
                return row
        return self.label(name, team)
