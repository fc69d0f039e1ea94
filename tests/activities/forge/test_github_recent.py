"""Failed CI of the base branch at GitHub, with its logs, and whose pull requests are stale."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.forge.github import recent as recent_module
from tests.activities.git.secrets import GITHUB
from tests.fakes.service import Fault
from tests.ports.forges import GitHubRig
from workflows.domain.change import Repository
from workflows.ports.forge import FindRecent, Recent

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
ROOT = Path(__file__).resolve().parents[3]


def search(repository: Repository, since: datetime = NOW - DAY, most: int = 50) -> FindRecent:
    return FindRecent(repository=repository, since=since, stale_before=NOW - 14 * DAY, most=most)


async def found(rig: GitHubRig, repository: Repository, most: int = 50) -> Recent:
    return await rig.forge.find_recent(search(repository, most=most))


async def test_the_failed_jobs_of_the_newest_run_with_their_logs(rig: GitHubRig) -> None:
    repository = await rig.opened()
    run = rig.hands.runs(
        rig.repo(repository), "1" * 40, ("test", "failure", f"E assert 1 == 2\ntoken {GITHUB}\n"),
        ("lint", "success", "fine"), ("slow", "timed_out", "x" * 50_000), branch="main",
    )  # fmt: skip
    recent = await found(rig, repository)
    assert [(one.name, one.head_sha) for one in recent.runs] == [("CI / test", "1" * 40), ("CI / slow", "1" * 40)]
    assert f"{recent.runs[0].at:%Y-%m-%dT%H:%M:%SZ}" == run.created
    assert recent.runs[0].url == f"https://github.example/jobs/{run.jobs[0].id}"
    log = await rig.journal.load_text(recent.runs[0].log)
    assert "E assert 1 == 2" in log
    assert GITHUB not in log
    cut = await rig.journal.load_text(recent.runs[1].log)
    assert "only the last 20,000 characters" in cut
    assert len(cut) < 20_200
    assert recent.left_out == ()


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ({"conclusion": "success"}, []),
        ({"conclusion": ""}, ["CI / test"]),
        ({"conclusion": "failure", "verdict": "cancelled"}, ["CI / test"]),
        ({"conclusion": "success", "event": "pull_request"}, ["CI / test"]),
        ({"conclusion": "success", "branch": "pawl/T-1"}, ["CI / test"]),
        ({"conclusion": "success", "workflow": "Docs"}, ["CI / test"]),
        ({"conclusion": "failure", "workflow": "Docs", "event": "pull_request"}, ["CI / test"]),
        ({"conclusion": "failure", "workflow": "Docs", "event": "schedule"}, ["Docs / test", "CI / test"]),
    ],
)
async def test_a_later_run_clears_only_what_it_is_about(
    rig: GitHubRig, later: dict[str, str], expected: list[str]
) -> None:
    repository = await rig.opened()
    rig.hands.runs(rig.repo(repository), "1" * 40, ("test", "failure", "no"), branch="main")
    job = ("test", later.pop("conclusion"), "log")
    rig.hands.runs(rig.repo(repository), "2" * 40, job, **{"branch": "main", **later})
    assert [one.name for one in (await found(rig, repository)).runs] == expected


async def test_what_failed_before_was_told_before(rig: GitHubRig) -> None:
    repository = await rig.opened()
    run = rig.hands.runs(rig.repo(repository), "1" * 40, ("test", "failure", "no"), branch="main")
    run.created, run.updated = (f"{NOW - hours:%Y-%m-%dT%H:%M:%SZ}" for hours in (2 * DAY, 1.5 * DAY))
    assert (await found(rig, repository)).runs == ()
    run.updated = f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert len((await found(rig, repository)).runs) == 1, "it was begun before, and failed since"


async def test_a_run_that_could_not_begin_and_a_log_that_is_gone(rig: GitHubRig) -> None:
    repository, hands = await rig.opened(), rig.hands
    hands.runs(rig.repo(repository), "1" * 40, ("test", "failure", ""), branch="main")
    hands.runs(rig.repo(repository), "1" * 40, workflow="Broken", verdict="startup_failure", branch="main")
    first, second = (await found(rig, repository)).runs
    assert (first.name, first.log) == ("Broken", "")
    assert first.url.startswith("https://github.example/runs/")
    assert "The log is gone." in await rig.journal.load_text(second.log)


async def test_more_jobs_and_logs_than_fit(rig: GitHubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = await rig.opened()
    jobs = [(f"test {n}", "failure", "no") for n in range(5)]
    rig.hands.runs(rig.repo(repository), "1" * 40, *jobs, branch="main")
    monkeypatch.setattr(recent_module, "_MOST_LOGS", 2)
    recent = await found(rig, repository, most=4)
    assert [bool(run.log) for run in recent.runs] == [True, True, False, False]
    assert recent.left_out == (
        "There are more failed jobs than the newest 4.",
        "The logs of 2 failed jobs were not read: they are too many, or too slow.",
    )


async def test_a_log_that_does_not_come_holds_nothing_up(rig: GitHubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = await rig.opened()
    rig.hands.runs(rig.repo(repository), "1" * 40, ("test", "failure", "no"), branch="main")
    monkeypatch.setattr(recent_module, "_SECONDS_FOR_LOGS", 0)
    recent = await found(rig, repository)
    assert [run.log for run in recent.runs] == [""]
    assert recent.left_out == ("The logs of 1 failed jobs were not read: they are too many, or too slow.",)


async def test_runs_beyond_the_pages_that_are_read_are_said(rig: GitHubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = await rig.opened()
    for n in range(3):
        rig.hands.runs(rig.repo(repository), "1" * 40, ("test", "success", ""), workflow=f"W{n}", branch="main")
    monkeypatch.setattr(recent_module, "_MOST_RUNS", 3)
    assert (await found(rig, repository)).left_out == ("Of the runs of CI only the newest 3 were looked at.",)


async def test_ci_that_cannot_be_seen_is_said(rig: GitHubRig) -> None:
    repository = await rig.opened()
    rig.fake.faults.add(Fault("/actions/runs", 403, body=b'{"message": "Resource not accessible by integration"}'))
    recent = await found(rig, repository)
    assert recent.runs == ()
    assert recent.left_out[0].startswith("CI cannot be seen here: GitHub answered 403")


async def test_a_limit_is_waited_for_as_long_as_it_says(rig: GitHubRig) -> None:
    repository = await rig.opened()
    rig.fake.limits.append((403, {"retry-after": "77"}, "You have exceeded a secondary rate limit"))
    with pytest.raises(ApplicationError) as limited:
        await found(rig, repository)
    assert (limited.value.non_retryable, limited.value.next_retry_delay) == (False, timedelta(seconds=77))


async def test_drafts_of_pawl_are_under_way_and_those_of_people_are_not(rig: GitHubRig) -> None:
    repository = await rig.opened()
    for n, (by, draft) in enumerate([("pawl[bot]", True), ("pawl[bot]", False), ("grace", True)], start=1):
        rig.hands.push(rig.repo(repository), f"b{n}", {"a.txt": str(n)})
        issue = rig.hands.opens(rig.repo(repository), f"b{n}", by=by)
        issue.title = "\u202eOdd\n title"
        rig.hands.pull(rig.repo(repository), n)[1].draft = draft
        rig.untouched(repository, n, NOW - 20 * DAY)
    pulls = (await found(rig, repository)).pulls
    assert sorted((one.number, one.author) for one in pulls) == [(2, "pawl[bot]"), (3, "grace")]
    assert {one.title for one in pulls} == {"\\u202eOdd title"}


def test_a_log_of_200_mb_is_never_in_memory_whole() -> None:
    """In a process of its own, whose memory is measured."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.activities.forge.long_log"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert seen["log"].endswith("the end of the log\n")
    assert seen["characters"] < 20_200
    assert seen["grown_mb"] < 60
