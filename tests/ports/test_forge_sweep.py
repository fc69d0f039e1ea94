"""Which branches every forge removes, and which it keeps and says why."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.ports.forges import RIGS, BareGitRig, ForgeRig, GitHubRig, rig_in
from tests.repos import git
from workflows.domain.change import Change, Repository
from workflows.ports.forge import ClosePullRequest, MergePullRequest, OpenRepository, SweepBranches, Swept

NOW = datetime.now(UTC)
WEEK = timedelta(days=7)
LONG_AGO = NOW - 3 * WEEK


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[ForgeRig]:
    async with rig_in(tmp_path, request.param) as made:
        yield made


async def reviewed(rig: ForgeRig, repository: Repository, branch: str = "pawl/T-1") -> tuple[Change, int]:
    change = await rig.published(repository, {f"{branch}.txt": "done"}, branch=branch)
    return change, (await rig.forge.open_pull_request(rig.opening(repository, change))).number


async def merged(rig: ForgeRig, repository: Repository, branch: str = "pawl/T-1") -> Change:
    change, number = await reviewed(rig, repository, branch)
    asked = MergePullRequest(repository=repository, number=number, head_sha=change.head_sha)
    await rig.forge.merge_pull_request(asked)
    return change


async def closed(rig: ForgeRig, repository: Repository, branch: str = "pawl/T-1", since: datetime = LONG_AGO) -> Change:
    change, number = await reviewed(rig, repository, branch)
    await rig.forge.close_pull_request(ClosePullRequest(repository=repository, number=number, reason="No."))
    rig.closed_since(repository, number, since)
    return change


async def sweep(
    rig: ForgeRig, repository: Repository, *in_use: str, dry_run: bool = False, prefix: str = "pawl/"
) -> Swept:
    now = await rig.forge.open_repository(OpenRepository(url=rig.url(repository), base_branch=repository.base_branch))
    asked = SweepBranches(repository=now, prefix=prefix, in_use=in_use, closed_before=NOW - 2 * WEEK, dry_run=dry_run)
    return await rig.forge.sweep_branches(asked)


async def test_what_is_merged_goes_and_what_is_open_stays(rig: ForgeRig) -> None:
    repository = await rig.opened()
    await merged(rig, repository)
    await reviewed(rig, repository, "pawl/T-2")
    rig.push(repository, "main", {"later.txt": "1"})
    assert await sweep(rig, repository, dry_run=True) == Swept(removed=("pawl/T-1",))
    assert rig.head(repository, "pawl/T-1")
    assert await sweep(rig, repository) == Swept(removed=("pawl/T-1",))
    assert rig.head(repository, "pawl/T-1") == ""
    assert rig.head(repository, "pawl/T-2")
    assert await sweep(rig, repository) == Swept()


async def test_what_was_closed_goes_after_a_while(rig: ForgeRig) -> None:
    repository = await rig.opened()
    await closed(rig, repository, "pawl/T-1")
    await closed(rig, repository, "pawl/T-2", NOW - WEEK)
    assert await sweep(rig, repository) == Swept(removed=("pawl/T-1",))
    assert rig.head(repository, "pawl/T-2")


async def test_what_a_ticket_under_way_needs_stays(rig: ForgeRig) -> None:
    repository = await rig.opened()
    await closed(rig, repository)
    assert await sweep(rig, repository, "pawl/T-1") == Swept()
    assert rig.head(repository, "pawl/T-1")


async def test_work_without_a_pull_request_is_kept_and_said(rig: ForgeRig) -> None:
    repository = await rig.opened()
    await rig.published(repository, {"a.txt": "1"})
    swept = await sweep(rig, repository)
    assert swept == Swept(kept=("`pawl/T-1` is kept: it has commits that no pull request has.",))


@pytest.mark.parametrize("how", ["closed", "merged"])
async def test_what_somebody_else_pushed_afterwards_is_kept(rig: ForgeRig, how: str) -> None:
    repository = await rig.opened()
    await (closed if how == "closed" else merged)(rig, repository)
    theirs = rig.push(repository, "pawl/T-1", {"more.txt": "mine"})
    swept = await sweep(rig, repository)
    assert swept == Swept(kept=(f"`pawl/T-1` is kept: its pull request 1 was {how} with another head.",))
    assert rig.head(repository, "pawl/T-1") == theirs


async def test_a_branch_that_only_looks_like_ours_is_kept(rig: ForgeRig) -> None:
    repository = await rig.opened()
    git(rig.at(repository), "branch", "pawl/mine", "main")
    git(rig.at(repository), "branch", "feature", "main")
    swept = await sweep(rig, repository)
    assert swept == Swept(kept=("`pawl/mine` is kept: it is merged, and nothing on it is Pawl's.",))


async def test_base_and_default_branch_are_never_removed(rig: ForgeRig) -> None:
    """Even where their names begin as ours do, and their heads are Pawl's own."""
    repository = await rig.opened()
    change = await merged(rig, repository)
    own = rig.at(repository)
    for branch in ("pawl/main", "pawl/base"):
        git(own, "branch", branch, change.head_sha)
    if isinstance(rig, BareGitRig):
        git(Path(rig.url(repository)), "fetch", "-q", repository.url, "pawl/base:pawl/base")
    git(own, "symbolic-ref", "HEAD", "refs/heads/pawl/main")
    based = repository.model_copy(update={"base_branch": "pawl/base"})
    assert (await sweep(rig, based)).removed == ("pawl/T-1",)
    assert rig.head(repository, "pawl/main") == rig.head(repository, "pawl/base") == change.head_sha


async def test_without_a_prefix_nothing_is_swept(rig: ForgeRig) -> None:
    repository = await rig.opened()
    await merged(rig, repository)
    assert await sweep(rig, repository, prefix="") == Swept()


async def test_two_sweeps_at_once_remove_a_branch_once(rig: ForgeRig) -> None:
    repository = await rig.opened()
    await merged(rig, repository)
    await closed(rig, repository, "pawl/T-2")
    both = await asyncio.gather(sweep(rig, repository), sweep(rig, repository))
    assert {branch for swept in both for branch in swept.removed} == {"pawl/T-1", "pawl/T-2"}
    assert [swept.kept for swept in both] == [(), ()]


async def test_a_hundred_and_more_branches_are_swept_in_turn(rig: ForgeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.forge.dead_branches._MOST", 2)
    repository = await rig.opened()
    change = await merged(rig, repository)
    for n in range(2, 5):
        git(rig.at(repository), "branch", f"pawl/T-{n}", change.head_sha)
    first = await sweep(rig, repository)
    assert len(first.removed) == 2
    assert first.kept == ("2 more branches were not looked at: others are each day.",)
    assert len((await sweep(rig, repository)).removed) == 2


# --- the local forge -----------------------------------------------------------------------------------------------


async def test_a_page_that_says_merged_removes_no_work(tmp_path: Path) -> None:
    async with rig_in(tmp_path, "bare_git") as rig:
        assert isinstance(rig, BareGitRig)
        repository = await rig.opened()
        await reviewed(rig, repository)
        page = rig.file(repository, 1)
        page.write_text(page.read_text().replace("state: open", "state: merged"))
        swept = await sweep(rig, repository)
        assert swept == Swept(kept=("`pawl/T-1` is kept: its pull request 1 was merged with another head.",))


async def test_a_page_that_cannot_be_read_keeps_every_branch(tmp_path: Path) -> None:
    async with rig_in(tmp_path, "bare_git") as rig:
        assert isinstance(rig, BareGitRig)
        repository = await rig.opened()
        await merged(rig, repository)
        rig.file(repository, 1).write_text("---\nnumber: [\n---\n")
        swept = await sweep(rig, repository)
        assert swept.removed == ()
        assert "pull.md, line" in swept.kept[0]


async def test_a_branch_that_another_pull_request_builds_on_is_kept(tmp_path: Path) -> None:
    async with rig_in(tmp_path, "bare_git") as rig:
        assert isinstance(rig, BareGitRig)
        repository = await rig.opened()
        await merged(rig, repository)
        await reviewed(rig, repository, "pawl/T-2")
        page = rig.file(repository, 2)
        page.write_text(page.read_text().replace("base: main", "base: pawl/T-1"))
        swept = await sweep(rig, repository)
        assert swept == Swept(kept=("`pawl/T-1` is kept: an open pull request is to be merged into it.",))


# --- GitHub --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def github(tmp_path: Path) -> AsyncGenerator[GitHubRig]:
    async with rig_in(tmp_path, "github") as rig:
        assert isinstance(rig, GitHubRig)
        yield rig


async def test_a_squash_merge_is_known_by_its_pull_request(github: GitHubRig) -> None:
    repository = await github.opened()
    await reviewed(github, repository)
    github.hands.merges(github.repo(repository), 1, method="squash")
    assert await sweep(github, repository) == Swept(removed=("pawl/T-1",))


async def test_somebody_elses_commits_on_a_closed_pull_request_are_kept(github: GitHubRig) -> None:
    repository = await github.opened()
    await reviewed(github, repository)
    github.push(repository, "pawl/T-1", {"more.txt": "mine"})
    github.hands.closes(github.repo(repository), 1)
    github.closed_since(repository, 1, LONG_AGO)
    swept = await sweep(github, repository)
    said = "`pawl/T-1` is kept: its pull request 1 was closed, and somebody else's commits are on it."
    assert swept == Swept(kept=(said,))


async def test_somebody_elses_merged_branch_is_kept(github: GitHubRig) -> None:
    repository = await github.opened()
    github.hands.push(github.repo(repository), "pawl/by-hand", {"a.txt": "1"})
    github.hands.opens(github.repo(repository), "pawl/by-hand")
    github.hands.merges(github.repo(repository), 1, method="squash")
    swept = await sweep(github, repository)
    assert swept == Swept(kept=("`pawl/by-hand` is kept: it is merged, and nothing on it is Pawl's.",))


async def test_a_pull_request_onto_the_branch_keeps_it(github: GitHubRig) -> None:
    """GitHub closes pull requests whose base is removed."""
    repository = await github.opened()
    await merged(github, repository)
    github.hands.push(github.repo(repository), "stacked", {"b.txt": "1"})
    github.hands.opens(github.repo(repository), "stacked", base="pawl/T-1")
    swept = await sweep(github, repository)
    assert swept == Swept(kept=("`pawl/T-1` is kept: an open pull request is to be merged into it.",))


async def test_a_branch_that_github_protects_is_kept_and_said(github: GitHubRig) -> None:
    repository = await github.opened()
    await merged(github, repository)
    git(github.at(repository), "config", "receive.denyDeletes", "true")
    swept = await sweep(github, repository)
    assert swept.removed == ()
    assert swept.kept[0].startswith("`pawl/T-1` is kept: ")
    assert "deletion prohibited" in swept.kept[0]


async def test_a_push_in_the_very_moment_is_not_lost(github: GitHubRig, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = await github.opened()
    await merged(github, repository)
    push = github.clones.push

    async def late(*given: str, **named: str) -> None:
        github.push(repository, "pawl/T-1", {"late.txt": "mine"})
        await push(*given, **named)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(github.clones, "push", late)
    assert await sweep(github, repository) == Swept(kept=("`pawl/T-1` is kept: somebody pushed to it just now.",))
    assert github.read(repository, "pawl/T-1", "late.txt") == "mine"
