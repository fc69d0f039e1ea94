"""Reviews: one for each key, with comments at the lines that GitHub shows in the diff."""

import re
from collections.abc import Iterator
from typing import Any

from activities.forge.github.comments import alone
from activities.forge.github.place import Place, cut, safe
from activities.github import Refused, mark_of, marked
from activities.github.records import Review, is_ours
from workflows.domain.model import Record
from workflows.domain.review import Finding
from workflows.ports.forge import PostReview

_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_MOST_COMMENTS = 60


class _File(Record):
    filename: str
    patch: str = ""
    """Absent for binary and very large files."""


async def posted(place: Place, review: PostReview) -> None:
    pull = await place.pull(review.number)
    summary, *texts = await safe(f"**Review.** {review.summary}", *(said(finding) for finding in review.findings))
    async with alone(place, review.number):
        if await _is_there(place, review):
            return
        lines = {file.filename: set(lines_shown(file.patch)) for file in await _files(place, review.number)}
        at, elsewhere = _sorted(review.findings, texts, lines)
        asked = {"commit_id": pull.head.sha, "event": "COMMENT"}
        path = f"/pulls/{review.number}/reviews"
        try:
            body = marked(review.key, _body(summary, elsewhere))
            await place.do("POST", path, {**asked, "body": body, "comments": at})
        except Refused as refused:
            if refused.status != 422 or not at:
                raise
            # The diff moved between the two calls: what was found is still said.
            everything = [
                f"`{finding.path}:{finding.line}` {text}" for finding, text in zip(review.findings, texts, strict=True)
            ]
            await place.do("POST", path, {**asked, "body": marked(review.key, _body(summary, everything))})


def said(finding: Finding) -> str:
    """Suggestion blocks in it stay what they are."""
    return f"**{finding.severity}** {finding.text}"


def lines_shown(patch: str) -> Iterator[int]:
    """The lines of the new file that a patch shows, changed or around changes."""
    number = 0
    for line in patch.split("\n"):
        if hunk := _HUNK.match(line):
            number = int(hunk[1])
        elif number and line[:1] in ("+", " ", ""):
            yield number
            number += 1


async def _is_there(place: Place, review: PostReview) -> bool:
    mark = mark_of(review.key)
    said_before = await place.every(f"/pulls/{review.number}/reviews", Review)
    return any(
        one.user is not None and is_ours(one.user.login, place.ours) and one.text.partition("\n")[0] == mark
        for one in said_before
    )


async def _files(place: Place, number: int) -> list[_File]:
    return await place.every(f"/pulls/{number}/files", _File)


def _sorted(
    findings: tuple[Finding, ...], texts: list[str], lines: dict[str, set[int]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Comments at their lines, and lines of the body for what has no place in the diff."""
    at: list[dict[str, Any]] = []
    elsewhere: list[str] = []
    for finding, text in zip(findings, texts, strict=True):
        if finding.line in lines.get(finding.path, ()) and len(at) < _MOST_COMMENTS:
            at.append({"path": finding.path, "line": finding.line, "side": "RIGHT", "body": text})
        else:
            elsewhere.append(f"`{finding.path}:{finding.line}` {text}")
    return at, elsewhere


def _body(summary: str, elsewhere: list[str]) -> str:
    listed = "\n".join(f"- {text}" for text in elsewhere)
    return cut(f"{summary}\n\n{listed}".strip(), 60_000)
