"""The double's check runs, statuses, workflow runs and their jobs."""

from typing import Any

from tests.fakes.github.calls import Call, Table
from tests.fakes.github.world import Check, Job, Run
from tests.fakes.github.written import check_json, job_json, run_json
from tests.fakes.service import Refused

_REPO = "/repos/{owner}/{repo}"
_RUN = f"{_REPO}/actions/runs/{{run_id}}"
_JOB = f"{_REPO}/actions/jobs/{{job_id}}"
Answer = tuple[int, Any]
MOST_ANNOTATIONS = 50


def checks(call: Call) -> Answer:
    found = [one for one in call.repo.checks if one.sha == call.params["ref"]]
    if name := call.query.get("check_name"):
        found = [one for one in found if one.name == name]
    if call.query.get("filter", "latest") == "latest":
        found = list({(one.app, one.name): one for one in found}.values())
    return 200, {"check_runs": [check_json(one) for one in reversed(found)]}


def check_created(call: Call) -> Answer:
    check = Check(call.world.next_id(), call.body["name"], call.body["head_sha"], "pawl", "queued")
    call.repo.checks.append(check)
    return 201, _put(check, call.body)


def check_edited(call: Call) -> Answer:
    wanted = call.number("check_run_id")
    return 200, _put(next(one for one in call.repo.checks if one.id == wanted), call.body)


def _put(check: Check, body: dict[str, Any]) -> dict[str, Any]:
    output = body.get("output", {})
    annotations = output.get("annotations", [])
    if len(annotations) > MOST_ANNOTATIONS:
        raise Refused(422, "Invalid request: no more than 50 annotations")
    check.annotations += annotations
    check.title, check.summary = output.get("title", check.title), output.get("summary", check.summary)
    check.status, check.conclusion = body.get("status", check.status), body.get("conclusion", check.conclusion)
    check.external = body.get("external_id", check.external)
    return check_json(check)


def status(call: Call) -> Answer:
    latest = {one.context: one for one in call.repo.statuses if one.sha == call.params["ref"]}
    states = {one.state for one in latest.values()}
    state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    said = [{"context": one.context, "state": one.state, "description": one.description} for one in latest.values()]
    return 200, {"state": state, "statuses": said, "sha": call.params["ref"], "total_count": len(said)}


def runs(call: Call) -> Answer:
    """The newest first."""
    sha, branch = call.query.get("head_sha"), call.query.get("branch")
    found = [run for run in call.repo.runs if sha in (None, run.sha) and branch in (None, run.branch)]
    return 200, {"workflow_runs": [run_json(run) for run in sorted(found, key=lambda run: run.created, reverse=True)]}


def _run(call: Call) -> Run:
    wanted = call.number("run_id")
    return next(run for run in call.repo.runs if run.id == wanted)


def run(call: Call) -> Answer:
    return 200, run_json(_run(call))


def jobs(call: Call) -> Answer:
    return 200, {"jobs": [job_json(job) for job in _run(call).latest]}


def rerun(call: Call) -> Answer:
    """New jobs in the place of those that failed, as GitHub makes them."""
    again = _run(call)
    if again.status != "completed":
        raise Refused(403, "This workflow is already running")
    again.attempt += 1
    for job in [one for one in again.latest if one.conclusion == "failure"]:
        again.jobs.append(Job(call.world.next_id(), again, job.name, again.attempt, "queued", None, ""))
    return 201, {}


def _job(call: Call) -> Job:
    wanted = call.number("job_id")
    found = (job for run in call.repo.runs for job in run.jobs if job.id == wanted)
    job = next(found, None)
    if job is None:
        raise Refused(404, "Not Found")
    return job


def job(call: Call) -> Answer:
    return 200, job_json(_job(call))


def log(call: Call) -> Answer:
    found = _job(call)
    if not found.log:
        raise Refused(404, "Not Found")
    return 302, f"{call.url}/-/logs/{call.repo.name}/{found.id}"


TABLE: Table = {
    ("GET", f"{_REPO}/commits/{{ref}}/check-runs"): checks,
    ("GET", f"{_REPO}/commits/{{ref}}/status"): status,
    ("POST", f"{_REPO}/check-runs"): check_created,
    ("PATCH", f"{_REPO}/check-runs/{{check_run_id}}"): check_edited,
    ("GET", f"{_REPO}/actions/runs"): runs,
    ("GET", _RUN): run,
    ("GET", f"{_RUN}/jobs"): jobs,
    ("POST", f"{_RUN}/rerun-failed-jobs"): rerun,
    ("GET", _JOB): job,
    ("GET", f"{_JOB}/logs"): log,
}
