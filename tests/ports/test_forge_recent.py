"""What every forge tells of the days before: commits and stale pull requests, bounded and harmless."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.ports.forges import RIGS, BareGitRig, ForgeRig, rig_in
from tests.repos import git
from workflows.domain.change import Repository
from workflows.ports.forge import ClosePullRequest, FindRecent, OpenRepository, Recent

NOW = datetime.now(UTC).replace(microsecond=0)
BASE = datetime.fromtimestamp(1_700_000_000, UTC)
"""When the commits of these repositories were made."""


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[ForgeRig]:
    async with rig_in(tmp_path, request.param) as made:
        yield made


def committed(rig: ForgeRig, opened: Repository, at: datetime, subject: str, author: str = "Ada") -> str:
    """A commit on the base branch, by plumbing, that nothing has looked at."""
    own, base = rig.at(opened), f"refs/heads/{opened.base_branch}"
    date = f"@{int(at.timestamp())} +0000"
    who = {"GIT_AUTHOR_NAME": author, "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
    sha = git(own, "commit-tree", f"{base}^{{tree}}", "-p", base, "-F", "-", stdin=subject.encode(), env=who)
    git(own, "update-ref", base, sha)
    return sha


async def found(rig: ForgeRig, opened: Repository, since: datetime, most: int = 50) -> Recent:
    now = await rig.forge.open_repository(OpenRepository(url=rig.url(opened)))
    stale = NOW - timedelta(days=14)
    return await rig.forge.find_recent(FindRecent(repository=now, since=since, stale_before=stale, most=most))


async def test_commits_since_then_the_newest_first(rig: ForgeRig) -> None:
    opened = await rig.opened()
    (base,) = (await found(rig, opened, BASE - timedelta(days=1))).commits
    assert (base.sha, base.at) == (opened.base_sha, BASE)
    assert await found(rig, opened, NOW - timedelta(days=7)) == Recent()
    first = committed(rig, opened, NOW - timedelta(days=3), "The first\n\nwith a body")
    second = committed(rig, opened, NOW - timedelta(days=1), "The second")
    seen = (await found(rig, opened, NOW - timedelta(days=7))).commits
    assert [(one.sha, one.subject, one.author) for one in seen] == [
        (second, "The second", "Ada"),
        (first, "The first", "Ada"),
    ]
    assert seen[0].at == NOW - timedelta(days=1)
    assert [one.sha for one in (await found(rig, opened, NOW - timedelta(days=2))).commits] == [second]


async def test_what_is_cut_is_said(rig: ForgeRig) -> None:
    opened = await rig.opened()
    for n in range(4):
        committed(rig, opened, NOW - timedelta(hours=9 - n), f"Work {n}")
    recent = await found(rig, opened, NOW - timedelta(days=1), most=3)
    assert [one.subject for one in recent.commits] == ["Work 3", "Work 2", "Work 1"]
    assert recent.left_out == ("There are more commits on `main` than the newest 3.",)
    assert (await found(rig, opened, NOW - timedelta(days=1), most=4)).left_out == ()


async def test_odd_authors_and_subjects_are_harmless(rig: ForgeRig) -> None:
    opened = await rig.opened()
    committed(rig, opened, NOW - timedelta(hours=1), "\x1b[31mred\u202e " + "x" * 5_000, "\x1bEve" + "y" * 900)
    (seen,) = (await found(rig, opened, NOW - timedelta(days=1))).commits
    assert seen.subject.startswith("\\u001b[31mred\\u202e xxx")
    assert (len(seen.subject), len(seen.author)) == (300, 200)


async def test_a_subject_of_megabytes_hides_nothing(rig: ForgeRig) -> None:
    """What has no width is not cut by git."""
    opened = await rig.opened()
    committed(rig, opened, NOW - timedelta(hours=3), "Before")
    committed(rig, opened, NOW - timedelta(hours=2), "x" * 9_000_000)
    recent = await found(rig, opened, NOW - timedelta(days=1))
    assert [one.subject[:6] for one in recent.commits] == ["xxxxxx", "Before"]
    committed(rig, opened, NOW - timedelta(hours=1), "After")
    committed(rig, opened, NOW - timedelta(hours=2), "\u200b" * 3_000_000)
    recent = await found(rig, opened, NOW - timedelta(days=1))
    assert recent.left_out == ("Some of the commits could not be read: they say too much.",)


async def test_a_commit_that_is_dated_tomorrow_is_not_new_every_night(rig: ForgeRig) -> None:
    opened = await rig.opened()
    committed(rig, opened, NOW + timedelta(days=9_000), "From the future")
    assert (await found(rig, opened, NOW - timedelta(days=1))).commits == ()


async def test_pull_requests_that_nobody_touches(rig: ForgeRig) -> None:
    opened = await rig.opened()
    ages = {"pawl/T-1": 40, "pawl/T-2": 13, "pawl/T-3": 20, "pawl/T-4": 30}
    for branch, days in ages.items():
        change = await rig.published(opened, {"a.txt": branch}, branch=branch)
        number = (await rig.forge.open_pull_request(rig.opening(opened, change))).number
        if branch == "pawl/T-4":
            await rig.forge.close_pull_request(ClosePullRequest(repository=opened, number=number, reason="No."))
        rig.untouched(opened, number, NOW - timedelta(days=days))
    stale = (await found(rig, opened, NOW)).pulls
    assert [(one.number, one.touched) for one in stale] == [
        (3, NOW - timedelta(days=20)),
        (1, NOW - timedelta(days=40)),
    ]
    assert {one.title for one in stale} == {"T-1: Do it"}
    assert all(one.url and one.author for one in stale)
    cut = await found(rig, opened, NOW, most=1)
    assert [one.number for one in cut.pulls] == [3]
    assert cut.left_out == ("There are more stale pull requests than the newest 1.",)


async def test_a_page_that_cannot_be_read_hides_no_other_one(tmp_path: Path) -> None:
    async with rig_in(tmp_path, "bare_git") as rig:
        assert isinstance(rig, BareGitRig)
        opened = await rig.opened()
        for branch in ("pawl/T-1", "pawl/T-2"):
            change = await rig.published(opened, {"a.txt": branch}, branch=branch)
            number = (await rig.forge.open_pull_request(rig.opening(opened, change))).number
            rig.untouched(opened, number, NOW - timedelta(days=20))
        rig.file(opened, 1).write_text("---\nnumber: [\n---\n")
        recent = await found(rig, opened, NOW)
        assert [one.number for one in recent.pulls] == [2]
        assert len(recent.left_out) == 1
        assert "pull.md, line" in recent.left_out[0]


async def test_work_on_the_branch_is_a_touch(tmp_path: Path) -> None:
    async with rig_in(tmp_path, "bare_git") as rig:
        opened = await rig.opened()
        change = await rig.published(opened, {"a.txt": "1"})
        number = (await rig.forge.open_pull_request(rig.opening(opened, change))).number
        rig.untouched(opened, number, NOW - timedelta(days=20))
        committed(rig, opened.model_copy(update={"base_branch": change.branch}), NOW - timedelta(days=2), "More")
        assert (await found(rig, opened, NOW)).pulls == ()
