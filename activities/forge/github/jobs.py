"""Jobs of GitHub Actions: their logs, and another try."""

from activities.forge.github.place import Place
from activities.git import without_secrets
from activities.github import Refused
from workflows.domain.model import Record
from workflows.domain.pull import FailedJob

_MOST_LOG = 20_000
_MOST_BYTES = 4 * _MOST_LOG
"""A character has at most four bytes."""


class _Job(Record):
    run_id: int


class _Run(Record):
    status: str | None = None
    run_attempt: int = 1


async def logs(place: Place, jobs: tuple[FailedJob, ...]) -> str:
    """A section for each job, without what looks like a secret."""
    sections = [f"## {job.name}\n\n{await _log(place, job)}" for job in jobs]
    return await without_secrets("\n\n".join(sections) or "No job has failed.")


async def rerun(place: Place, jobs: tuple[FailedJob, ...]) -> None:
    """The failed jobs of each run together, as GitHub counts the attempts of a run and not those of a job."""
    asked: dict[int, int] = {}
    for job in jobs:
        if job.rerunnable and job.id.isdecimal():
            asked[(await place.get(f"/actions/jobs/{job.id}", _Job)).run_id] = job.attempt
    for run_id, attempt in asked.items():
        if await _stands_at(place, run_id, attempt):
            await _again(place, run_id, attempt)


async def _log(place: Place, job: FailedJob) -> str:
    if not job.id.isdecimal():
        return job.summary or "It says nothing of itself."
    try:
        text = await place.github.text(place.name, f"/actions/jobs/{job.id}/logs", _MOST_BYTES)
    except Refused as refused:
        if refused.status not in (404, 410):
            raise
        return "The log is gone."
    if len(text) <= _MOST_LOG:
        return text
    return f"[cut: only the last {_MOST_LOG:,} characters]\n{text[-_MOST_LOG:]}"


async def _again(place: Place, run_id: int, attempt: int) -> None:
    try:
        await place.do("POST", f"/actions/runs/{run_id}/rerun-failed-jobs")
    except Refused:
        if await _stands_at(place, run_id, attempt):  # else somebody else was faster
            raise


async def _stands_at(place: Place, run_id: int, attempt: int) -> bool:
    run = await place.get(f"/actions/runs/{run_id}", _Run)
    return run.run_attempt == attempt and run.status == "completed"
