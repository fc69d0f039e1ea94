"""The end of a whole ticket, as anybody could see it: in Linear, at GitHub, in Temporal and on the bill."""

import re
from collections import Counter
from typing import Any

from infra import home as homes
from infra.settings import Settings
from infra.temporal import connect
from tests.fakes.linear.rows import Row
from tests.system.outside.town import Town

_VOLATILE = re.compile(
    r"\b[0-9a-f]{12}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}[.\w]*|(?<=eng-1-)[0-9a-f]{8}|(?<=ENG-1\.)[0-9a-f]{8}"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d UTC|127\.0\.0\.1:\d+|[0-9.]+(?= s[:, ])|(?<=/answer-)\d+"
)
"""What differs between two runs: hashes, ids, times and ports."""


async def end_of(there: Town, issue: Row) -> dict[str, Any]:
    """All that two tickets with the same story must have in common."""
    shown = await there.pawl("show", "ENG-1")
    [about] = there.repo.issues.values()  # pull requests are issues: there is one, and no other
    pull = about.pull
    assert pull is not None
    decided = [(one["phase"], one["action"], one["name"], one["via"]) for one in shown["status"]["decisions"]]
    talks = [(one.resolved, [(said.by.login, _plain(said.body)) for said in one.comments]) for one in pull.threads]
    return {
        "phase": shown["ticket"]["phase"],
        "decisions": decided,
        "calls, bought twice": (shown["bill"]["calls"], shown["bill"]["calls_bought_twice"]),
        "runs": await _runs(there),
        "card": issue["state"]["type"],
        "labels": sorted(label["name"] for label in issue["labels"]),
        "delegate": bool(issue["delegate"]),
        "comments in Linear": sorted(_plain(row["body"]) for row in issue["comments"]),
        "links": sorted(row["title"] for row in issue["attachments"]),
        "sessions in Linear": [_session(row) for row in issue["agentSessions"]],
        "branches": sorted(map(_plain, _lines(there, "for-each-ref", "--format=%(refname:short)", "refs/heads"))),
        "commits": [_plain(line) for line in _lines(there, "log", "--format=%an: %s", "main")],
        "hello.txt": "\n".join(_lines(there, "show", "main:hello.txt")),
        "pull request": (about.title, _plain(about.body), sorted(about.labels)),
        "merged": bool(pull.merged_at),
        "reviews": Counter((one.by.login, one.state, _plain(one.body)) for one in pull.reviews),
        "comments on the pull request": [_plain(one.body) for one in about.comments],
        "conversations": talks,
        "checks": Counter((one.name, one.conclusion) for one in there.repo.checks),
        "CI runs, attempts": [run.attempt for run in there.repo.runs],
    }


def said_twice(issue: Row) -> list[str]:
    """What Pawl said word for word more than once. Everything has its hash, number or place in it."""
    said = [row["body"] for row in issue["comments"]]
    for session in issue["agentSessions"]:
        said += [one["content"]["body"] for one in session["activities"] if one["type"] not in ("action", "prompt")]
    return [text for text, times in Counter(said).items() if times > 1]


def _session(row: Row) -> dict[str, Any]:
    """Its questions and answers in order, each as often as it was said. What it tells meanwhile comes in bundles that
    depend on the time: of that, every line as often as it came."""
    said = [(one["type"], _plain(one["content"].get("body", ""))) for one in row["activities"]]
    return {
        "status": row["status"],
        "plan": [(step["content"], step["status"]) for step in row["plan"]],
        "links": sorted(link["label"] for link in row["externalLinks"]),
        "said": [one for one in said if one[0] not in ("thought", "action")],
        "told": Counter(line for kind, body in said if kind == "thought" for line in body.split("\n\n")),
    }


def _plain(text: str) -> str:
    return _VOLATILE.sub("…", text)


async def _runs(there: Town) -> Counter[str]:
    """Of workflows that work on tickets, by their type: retries, resets and second starts would count as more."""
    client = await connect(homes.located(Settings(home=there.up.home)))
    query = "WorkflowType IN ('Ticket', 'Session')"
    return Counter([one.workflow_type async for one in client.list_workflows(query)])


def _lines(there: Town, *asked: str) -> list[str]:
    return there.repo.git(*asked)[1].splitlines()
