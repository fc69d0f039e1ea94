"""The double's issues, comments and labels."""

from collections.abc import Iterable
from typing import Any

from tests.fakes.github.calls import Call, Table
from tests.fakes.github.world import Comment, Issue
from tests.fakes.github.written import comment_json, issue_json, label_json
from tests.fakes.service import Refused

_REPO = "/repos/{owner}/{repo}"
_ISSUE = f"{_REPO}/issues/{{issue_number}}"
_COMMENT = f"{_REPO}/issues/comments/{{comment_id}}"
Answer = tuple[int, Any]
MOST_BODY = 65_536


def _shown(call: Call, issue: Issue) -> dict[str, Any]:
    return issue_json(call.repo, issue, call.url)


def listed(call: Call) -> Answer:
    state, since = call.query.get("state", "open"), call.query.get("since", "")
    labels = _letters(filter(None, call.query.get("labels", "").split(",")))
    found = [issue for issue in call.repo.issues.values() if state in ("all", issue.state) and issue.updated >= since]
    found = [issue for issue in found if labels <= _letters(issue.labels)]
    found.sort(key=_by_update if call.query.get("sort") == "updated" else _by_creation)
    if call.query.get("direction", "desc") == "desc":
        found.reverse()
    return 200, [_shown(call, issue) for issue in found]


def _letters(labels: Iterable[str]) -> set[str]:
    """GitHub tells no label from another by its capitals."""
    return {label.casefold() for label in labels}


def _by_update(issue: Issue) -> str:
    return issue.updated


def _by_creation(issue: Issue) -> str:
    return issue.created


def created(call: Call) -> Answer:
    _check(call)
    issue = call.world.issue(call.repo, call.by, call.body["title"], call.body.get("body", ""))
    issue.labels = list(call.body.get("labels", []))
    return 201, _shown(call, issue)


def _check(call: Call) -> None:
    if len(call.body.get("body") or "") > MOST_BODY or len(call.body.get("title") or "") > 256:
        raise Refused(422, "Validation Failed: body is too long (maximum is 65536 characters)")


def read(call: Call) -> Answer:
    return 200, _shown(call, call.issue)


def edited(call: Call) -> Answer:
    issue = call.issue
    _check(call)
    issue.title, issue.body = call.body.get("title", issue.title), call.body.get("body", issue.body)
    if call.body.get("state") == "closed" and issue.state == "open":
        call.world.close(issue, call.by, call.repo, call.body.get("state_reason", "completed"))
    if call.body.get("state") == "open" and issue.state == "closed":
        issue.state, issue.reason, issue.closed_by = "open", "reopened", None
    if "assignees" in call.body:  # who cannot be assigned is left out without a word, as bots are
        users = [call.world.user(login) for login in call.body["assignees"]]
        issue.assignees = [user for user in users if user.type != "Bot"]
    call.world.touched(issue)
    return 200, _shown(call, issue)


def comments(call: Call) -> Answer:
    since = call.query.get("since", "")
    return 200, [comment_json(one) for one in call.issue.comments if one.updated >= since]


def commented(call: Call) -> Answer:
    return 201, comment_json(call.world.commented(call.issue, call.by, call.body["body"]))


def _found(call: Call) -> tuple[Issue, Comment]:
    wanted = call.number("comment_id")
    every = ((issue, one) for issue in call.repo.issues.values() for one in issue.comments)
    found = next((pair for pair in every if pair[1].id == wanted), None)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def comment_edited(call: Call) -> Answer:
    issue, comment = _found(call)
    comment.body, comment.updated = call.body["body"], call.world.now()
    call.world.touched(issue)
    return 200, comment_json(comment)


def comment_deleted(call: Call) -> Answer:
    issue, comment = _found(call)
    issue.comments.remove(comment)
    call.world.touched(issue)
    return 204, None


def labelled(call: Call) -> Answer:
    issue = call.issue
    new = [name for name in call.body["labels"] if name not in issue.labels]
    if new:
        issue.labels += new
        call.world.touched(issue)
    return 200, [label_json(name) for name in issue.labels]


def label_removed(call: Call) -> Answer:
    issue = call.issue
    if call.params["name"] not in issue.labels:
        raise Refused(404, "Label does not exist")
    issue.labels.remove(call.params["name"])
    call.world.touched(issue)
    return 200, [label_json(name) for name in issue.labels]


TABLE: Table = {
    ("GET", f"{_REPO}/issues"): listed,
    ("POST", f"{_REPO}/issues"): created,
    ("PATCH", _COMMENT): comment_edited,
    ("DELETE", _COMMENT): comment_deleted,
    ("GET", _ISSUE): read,
    ("PATCH", _ISSUE): edited,
    ("GET", f"{_ISSUE}/comments"): comments,
    ("POST", f"{_ISSUE}/comments"): commented,
    ("POST", f"{_ISSUE}/labels"): labelled,
    ("DELETE", f"{_ISSUE}/labels/{{name}}"): label_removed,
}
