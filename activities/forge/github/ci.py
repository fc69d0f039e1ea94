"""What CI says of a commit: check runs, statuses, and the jobs of GitHub Actions that failed."""

from activities.forge.github.place import Place
from workflows.domain.model import Record
from workflows.domain.pull import CiState, FailedJob

OURS = "pawl:"
"""How the external ids of Pawl's own check runs begin: they are no CI."""
_RED = {"failure", "timed_out", "cancelled", "action_required", "startup_failure"}
_MOST_FAILED = 50


class _AppName(Record):
    slug: str | None = None


class _Output(Record):
    title: str | None = None
    summary: str | None = None


class _CheckRun(Record):
    id: int
    name: str
    status: str
    conclusion: str | None = None
    external_id: str | None = None
    html_url: str | None = None
    output: _Output = _Output()
    app: _AppName | None = None

    @property
    def of_actions(self) -> bool:
        return self.app is not None and self.app.slug == "github-actions"


class _Status(Record):
    context: str
    state: str
    description: str | None = None
    target_url: str | None = None


class _Statuses(Record):
    statuses: tuple[_Status, ...] = ()


class _Run(Record):
    id: int
    name: str | None = None
    status: str | None = None
    conclusion: str | None = None


class _Job(Record):
    id: int
    name: str
    status: str
    conclusion: str | None = None
    html_url: str | None = None
    run_attempt: int = 1


async def seen(place: Place, sha: str) -> tuple[CiState, tuple[FailedJob, ...]]:
    """Red only when nothing runs any more: before that nobody can run a job again."""
    listed = await place.every(f"/commits/{sha}/check-runs", _CheckRun, inside="check_runs", filter="latest")
    checks = [run for run in listed if not (run.external_id or "").startswith(OURS)]
    statuses = (await place.get(f"/commits/{sha}/status", _Statuses, per_page=100)).statuses
    runs = await place.every("/actions/runs", _Run, inside="workflow_runs", head_sha=sha)
    failed = [
        *[job for run in runs if run.conclusion in _RED for job in await _failed_jobs(place, run)],
        *[_failed_check(run) for run in checks if run.conclusion in _RED and not run.of_actions],
        *[_failed_status(status) for status in statuses if status.state in ("failure", "error")],
    ]
    running = any(one.status != "completed" for one in (*checks, *runs)) or any(s.state == "pending" for s in statuses)
    if running:
        return CiState.RUNNING, ()
    if failed or any(run.conclusion in _RED for run in checks):
        return CiState.RED, tuple(failed[:_MOST_FAILED])
    return (CiState.GREEN if checks or statuses or runs else CiState.NONE), ()


async def _failed_jobs(place: Place, run: _Run) -> list[FailedJob]:
    jobs = await place.every(f"/actions/runs/{run.id}/jobs", _Job, inside="jobs", filter="latest")
    return [
        FailedJob(
            id=str(job.id),
            name=f"{run.name} / {job.name}" if run.name else job.name,
            url=job.html_url or "",
            attempt=job.run_attempt,
        )
        for job in jobs
        if job.conclusion in _RED
    ]


def _failed_check(run: _CheckRun) -> FailedJob:
    summary = f"{run.output.title or ''}\n{run.output.summary or ''}".strip()[:2_000]
    return FailedJob(id=f"check:{run.id}", name=run.name, url=run.html_url or "", rerunnable=False, summary=summary)


def _failed_status(status: _Status) -> FailedJob:
    return FailedJob(
        id=f"status:{status.context}",
        name=status.context,
        url=status.target_url or "",
        rerunnable=False,
        summary=(status.description or "")[:2_000],
    )
