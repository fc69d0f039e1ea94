"""What happened in a repository at GitHub: failed runs of its base branch, and pull requests that nobody touches."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

from activities.forge.github import jobs
from activities.forge.github.place import Place
from activities.forge.recent import line_of, newest
from activities.github import Refused
from activities.github.records import Account, is_ours
from workflows.domain.model import Record
from workflows.domain.pull import FailedJob
from workflows.ports.forge import FindRecent, PullStale, RunFailed
from workflows.ports.journal import Journal

_RED = {"failure", "timed_out", "startup_failure"}
_DECIDED = {*_RED, "success"}
"""A run that was cancelled or skipped says nothing: the one before it stands."""
_OF_PULLS = {"pull_request", "pull_request_target"}
"""Of a pull request from a branch that is called like the base: a fork's `main`."""
_MOST_RUNS = 300
_MOST_PULLS = 500
_LONGEST_RUN = timedelta(days=1)
"""A run that failed since a moment was begun up to so long before it."""
_MOST_LOGS = 20
_SECONDS_FOR_LOGS = 150
"""For all of them: the step has five minutes."""


class _Run(Record):
    id: int
    name: str | None = None
    workflow_id: int
    event: str
    conclusion: str | None = None
    head_sha: str
    html_url: str = ""
    created_at: datetime
    updated_at: datetime


class _Job(Record):
    id: int
    name: str
    conclusion: str | None = None
    html_url: str | None = None
    run_attempt: int = 1
    completed_at: datetime | None = None


class _Pull(Record):
    number: int
    title: str
    user: Account | None = None
    draft: bool = False
    html_url: str = ""
    updated_at: datetime


async def failed(place: Place, journal: Journal, search: FindRecent) -> tuple[tuple[RunFailed, ...], list[str]]:
    """The newest run of each workflow, where it failed since then: its failed jobs with their logs."""
    try:
        runs, left = await _runs(place, search)
        red = [run for run in runs if run.conclusion in _RED and run.updated_at >= search.since]
        found: list[tuple[RunFailed, FailedJob | None]] = []
        for run in sorted(red, key=lambda run: run.updated_at, reverse=True):
            if len(found) > search.most:
                break
            found += await _failed_jobs(place, run)
    except Refused as refused:
        if refused.status not in (403, 404):
            raise
        return (), [f"CI cannot be seen here: {line_of(str(refused), 300)}."]
    fitting, more = newest(found, search.most, "failed jobs")
    told, unread = await _with_logs(place, journal, fitting)
    return told, [*left, *more, *unread]


async def stale(place: Place, search: FindRecent) -> tuple[tuple[PullStale, ...], list[str]]:
    """Open ones, whatever their base. Pawl's drafts are tickets under way."""
    asked = {"state": "open", "sort": "updated", "direction": "asc"}
    listed = await place.every("/pulls", _Pull, most=_MOST_PULLS, **asked)
    left = [f"Of the open pull requests only the oldest {_MOST_PULLS} were looked at."] * (len(listed) >= _MOST_PULLS)
    old = [
        PullStale(
            number=pull.number,
            title=line_of(pull.title, 300),
            author=line_of(pull.user.login, 200) if pull.user else "a deleted account",
            touched=pull.updated_at,
            url=pull.html_url,
        )
        for pull in reversed(listed)
        if pull.updated_at < search.stale_before
        and not (pull.draft and pull.user and is_ours(pull.user.login, place.ours))
    ]
    fitting, more = newest(old, search.most, "stale pull requests")
    return fitting, [*left, *more]


async def _runs(place: Place, search: FindRecent) -> tuple[Iterable[_Run], list[str]]:
    """The newest run of each workflow that has come to an end."""
    branch, begun = search.repository.base_branch, search.since - _LONGEST_RUN
    asked = {"branch": branch, "exclude_pull_requests": "true"}
    listed = await place.every("/actions/runs", _Run, inside="workflow_runs", most=_MOST_RUNS, **asked)
    is_cut = len(listed) >= _MOST_RUNS and min(run.created_at for run in listed) > begun
    left = [f"Of the runs of CI only the newest {_MOST_RUNS} were looked at."] if is_cut else []
    decided = [run for run in listed if run.conclusion in _DECIDED and run.event not in _OF_PULLS]
    oldest_first = sorted(decided, key=lambda run: (run.created_at, run.id))
    return {run.workflow_id: run for run in oldest_first}.values(), left


async def _failed_jobs(place: Place, run: _Run) -> list[tuple[RunFailed, FailedJob | None]]:
    """One that failed before any job was begun stands for itself."""
    listed = await place.every(f"/actions/runs/{run.id}/jobs", _Job, inside="jobs", filter="latest")
    workflow = run.name or "CI"
    found: list[tuple[RunFailed, FailedJob | None]] = [
        (
            RunFailed(
                name=line_of(f"{workflow} / {job.name}", 300),
                at=job.completed_at or run.updated_at,
                head_sha=run.head_sha,
                url=job.html_url or run.html_url,
            ),
            FailedJob(id=str(job.id), name=line_of(job.name, 300), attempt=job.run_attempt),
        )
        for job in listed
        if job.conclusion in _RED
    ]
    alone = RunFailed(name=line_of(workflow, 300), at=run.updated_at, head_sha=run.head_sha, url=run.html_url)
    return found or [(alone, None)]


async def _with_logs(
    place: Place, journal: Journal, found: Iterable[tuple[RunFailed, FailedJob | None]]
) -> tuple[tuple[RunFailed, ...], list[str]]:
    """Each log's end, as long as there is time. A log may be of any length, and come as slowly as it likes."""
    told: list[RunFailed] = []
    read, unread = 0, 0
    deadline = asyncio.get_running_loop().time() + _SECONDS_FOR_LOGS
    for run, job in found:
        log = ""
        if job is not None:
            try:
                async with asyncio.timeout_at(deadline):
                    log = await journal.keep_text(await jobs.logs(place, (job,))) if read < _MOST_LOGS else ""
            except TimeoutError:
                pass
            read, unread = read + 1, unread + (not log)
        told.append(run.model_copy(update={"log": log}))
    return tuple(told), [f"The logs of {unread} failed jobs were not read: they are too many, or too slow."] * bool(
        unread
    )
