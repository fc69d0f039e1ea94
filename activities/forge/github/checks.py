"""Pawl's own review as a check run with annotations."""

import hashlib
from typing import Any

from activities.forge.github.ci import OURS
from activities.forge.github.comments import alone
from activities.forge.github.place import Place, safe
from activities.github import Refused
from workflows.domain.model import Record
from workflows.domain.review import Finding, Severity
from workflows.ports.forge import ShowCheck

_A_CALL = 50
"""Annotations GitHub takes in one call; those of further calls are added."""
_MOST_SUMMARY = 60_000


class _Output(Record):
    annotations_count: int = 0


class _Shown(Record):
    id: int
    status: str
    external_id: str | None = None
    output: _Output = _Output()


async def shown(place: Place, name: str, check: ShowCheck) -> None:
    """Only apps have check runs: with a token nothing is shown."""
    title, summary, *texts = await safe(check.title, check.summary, *(finding.text for finding in check.findings))
    annotations = [_annotation(finding, text) for finding, text in zip(check.findings, texts, strict=True)]
    output = {"title": title[:250], "summary": summary[:_MOST_SUMMARY]}
    async with alone(place, 0):
        try:
            await _put(place, name, check, output, annotations)
        except Refused as refused:
            if refused.status != 403 or "GitHub App" not in refused.said:
                raise


async def _put(
    place: Place, name: str, check: ShowCheck, output: dict[str, Any], annotations: list[dict[str, Any]]
) -> None:
    """A run that was completed with another content is followed by a new one: annotations cannot be taken back."""
    digest = hashlib.sha256(repr((output, annotations, check.ok)).encode()).hexdigest()[:12]
    begun, full = f"{OURS}{check.key}", f"{OURS}{check.key}:{digest}"
    listed = await place.every(
        f"/commits/{check.head_sha}/check-runs", _Shown, inside="check_runs", check_name=name, filter="all"
    )
    there = next((run for run in listed if run.external_id == full), None)
    if there is None:
        there = next((run for run in listed if run.external_id == begun and run.status != "completed"), None)
    said = {"name": name, "external_id": begun if check.ok is None else full, **_state(check)}
    sent = _A_CALL
    if there is None:
        asked = {**said, "head_sha": check.head_sha, "output": {**output, "annotations": annotations[:_A_CALL]}}
        there = await place.send("POST", "/check-runs", asked, _Shown)
    elif there.external_id != said["external_id"] or check.ok is None:
        asked = {**said, "output": {**output, "annotations": annotations[:_A_CALL]}}
        there = await place.send("PATCH", f"/check-runs/{there.id}", asked, _Shown)
    else:
        sent = there.output.annotations_count
    for start in range(sent, len(annotations), _A_CALL):
        more = {"output": {**output, "annotations": annotations[start : start + _A_CALL]}}
        await place.do("PATCH", f"/check-runs/{there.id}", more)


def _state(check: ShowCheck) -> dict[str, str]:
    if check.ok is None:
        return {"status": "in_progress"}
    return {"status": "completed", "conclusion": "success" if check.ok else "failure"}


def _annotation(finding: Finding, text: str) -> dict[str, Any]:
    level = "failure" if finding.severity is Severity.BLOCKER else "notice"
    at = {"path": finding.path, "start_line": finding.line, "end_line": finding.line}
    return {**at, "annotation_level": level, "title": finding.severity.value, "message": text}
