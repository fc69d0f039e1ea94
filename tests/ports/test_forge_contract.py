"""What every forge promises: a fixed base, one commit per state, one pull request per branch, one merge."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.git.secrets import GITHUB
from tests.ports.forges import RIGS, ForgeRig, rig_in
from workflows.domain.change import Change, Repository
from workflows.domain.failures import Failure
from workflows.domain.policy import ChangeLimits
from workflows.domain.review import Finding, Severity
from workflows.ports.forge import (
    ClosePullRequest,
    MergePullRequest,
    OpenRepository,
    PostReview,
    PublishChange,
    ReadDiff,
)


@pytest.fixture(params=list(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[ForgeRig]:
    async with rig_in(tmp_path, request.param) as made:
        yield made


def failure(caught: pytest.ExceptionInfo[ApplicationError]) -> Failure:
    assert caught.value.non_retryable
    return Failure(caught.value.type or "")


async def reviewed(rig: ForgeRig) -> tuple[Repository, Change, int]:
    """A published change with its pull request."""
    repository = await rig.opened()
    change = await rig.published(repository, {"a.txt": "one\n2\n", "b.txt": "new\n"})
    return repository, change, (await rig.forge.open_pull_request(rig.opening(repository, change))).number


def merging(repository: Repository, change: Change, number: int) -> MergePullRequest:
    return MergePullRequest(repository=repository, number=number, head_sha=change.head_sha)


# --- opening ----------------------------------------------------------------------------------------------------


async def test_the_default_branch_is_the_base(rig: ForgeRig) -> None:
    url = rig.repository({"a.txt": "1"}, branch="trunk")
    opened = await rig.forge.open_repository(OpenRepository(url=url))
    assert opened == await rig.forge.open_repository(OpenRepository(url=url, base_branch="trunk"))
    assert (opened.base_branch, opened.base_sha) == ("trunk", rig.head(opened, "trunk"))


async def test_what_is_not_there_is_not_found(rig: ForgeRig) -> None:
    for request, says in (
        (OpenRepository(url=str(rig.folder / "nowhere")), "is not a git repository"),
        (OpenRepository(url=rig.repository(None)), "has no commit yet"),
        (OpenRepository(url=rig.repository({"a": "1"}), base_branch="nope"), "It has: main"),
    ):
        with pytest.raises(ApplicationError, match=says) as caught:
            await rig.forge.open_repository(request)
        assert failure(caught) is Failure.REPOSITORY_NOT_FOUND


# --- publishing -------------------------------------------------------------------------------------------------


async def test_a_change_is_one_commit_on_the_base(rig: ForgeRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"a.txt": "one\n2\n", "b.txt": "new\n"})
    assert change == Change(branch="pawl/T-1", head_sha=change.head_sha, files=2, insertions=2, deletions=1)
    assert rig.head(repository, "pawl/T-1") == change.head_sha
    assert rig.read(repository, "pawl/T-1", "b.txt") == "new"
    assert rig.head(repository, "main") == repository.base_sha


async def test_publishing_again_is_the_same_commit(rig: ForgeRig) -> None:
    repository = await rig.opened()
    state = await rig.state(repository, {"a.txt": "1"})
    change = PublishChange(repository=repository, branch="pawl/T-1", state=state, message="Do it")
    first, *others = await asyncio.gather(*(rig.forge.publish_change(change) for _ in range(3)))
    assert others == [first] * 2
    assert await rig.forge.publish_change(change) == first


async def test_a_fix_replaces_what_was_published(rig: ForgeRig) -> None:
    repository = await rig.opened()
    first = await rig.published(repository, {"a.txt": "1"})
    second = await rig.published(repository, {"a.txt": "2"}, previous_head=first.head_sha)
    assert rig.head(repository, "pawl/T-1") == second.head_sha != first.head_sha


async def test_a_run_that_was_reset_replaces_its_own_work(rig: ForgeRig) -> None:
    repository = await rig.opened()
    await rig.published(repository, {"a.txt": "1"})
    again = await rig.published(repository, {"a.txt": "2"}, previous_head="")
    assert rig.head(repository, "pawl/T-1") == again.head_sha


async def test_what_a_person_pushed_is_never_buried(rig: ForgeRig) -> None:
    repository = await rig.opened()
    first = await rig.published(repository, {"a.txt": "1"})
    theirs = rig.push(repository, "pawl/T-1", {"a.txt": "theirs"})
    for previous in ("", first.head_sha):
        with pytest.raises(ApplicationError, match="Somebody pushed") as caught:
            await rig.published(repository, {"a.txt": "2"}, previous_head=previous)
        assert failure(caught) is Failure.BRANCH_MOVED
    assert rig.head(repository, "pawl/T-1") == theirs


async def test_a_state_that_cannot_be_published(rig: ForgeRig) -> None:
    repository = await rig.opened()
    unsound = await rig.journal.keep(b"# v2 git bundle\nnonsense")
    for state, says in ((unsound, "state"), ("sha256:" + "0" * 64, "does not hold")):
        change = PublishChange(repository=repository, branch="pawl/T-1", state=state, message="Do it")
        with pytest.raises(ApplicationError, match=says) as caught:
            await rig.forge.publish_change(change)
        assert failure(caught) is Failure.WORKSPACE_BROKEN
    assert rig.head(repository, "pawl/T-1") == ""


async def test_what_breaks_the_limits_is_not_pushed_and_is_said_as_a_failed_check(rig: ForgeRig) -> None:
    repository = await rig.opened()
    first = await rig.published(repository, {"a.txt": "1\n"})
    limits = ChangeLimits(max_lines=3)
    change = await rig.published(repository, {"a.txt": "1\n2\n3\n"}, previous_head=first.head_sha, limits=limits)
    assert change.refused is not None
    assert (change.pushed, change.refused.ok) == (False, False)
    assert change.refused.summary == "what may leave: 1 reason not to push the change"
    assert "It changes 5 lines; 3 may be." in change.refused.excerpt
    assert "It changes 5 lines; 3 may be." in await rig.journal.load_text(change.refused.log)
    assert rig.head(repository, "pawl/T-1") == first.head_sha


async def test_a_secret_is_not_pushed_and_stands_in_no_record(rig: ForgeRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"src/a.py": f"x = 1\nkey = '{GITHUB}'\n"})
    assert change.refused is not None
    assert "src/a.py:2 looks like a secret (GitHub Token)" in change.refused.excerpt
    assert GITHUB not in change.model_dump_json() + await rig.journal.load_text(change.refused.log)
    assert rig.head(repository, "pawl/T-1") == ""


async def test_a_secret_that_an_agent_quotes_stands_on_no_page(rig: ForgeRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"a.txt": "1\n"})
    opening = rig.opening(repository, change).model_copy(update={"body": f"Mended.\n\nUse {GITHUB}.\n\nDone."})
    number = (await rig.forge.open_pull_request(opening)).number
    finding = Finding(severity=Severity.BLOCKER, path="a.txt", line=1, text=f"This is no place for {GITHUB}.")
    posting = PostReview(repository=repository, number=number, key="k", summary="Look.", findings=(finding,))
    await rig.forge.post_review(posting)
    page = rig.page(repository, number)
    assert GITHUB not in page
    assert page.count("[not shown: it looks like a secret]") == 2
    assert "Mended." in page
    assert "Done." in page


async def test_protected_paths_are_pushed_only_as_a_person_allowed_them(rig: ForgeRig) -> None:
    repository = await rig.opened()
    files = {".github/workflows/ci.yml": "on: push\n", "a.txt": "1\n"}
    held = await rig.published(repository, files)
    assert (held.pushed, held.refused, held.asks) == (False, None, ("`.github/workflows/ci.yml`",))
    assert "+on: push" in held.shown
    assert rig.head(repository, "pawl/T-1") == ""
    other = await rig.published(repository, files | {".gitlab-ci.yml": "x\n"}, allowed=held.asks_digest)
    assert (other.pushed, rig.head(repository, "pawl/T-1")) == (False, "")
    pushed = await rig.published(repository, files, allowed=held.asks_digest)
    assert (pushed.pushed, pushed.head_sha, pushed.asks) == (True, held.head_sha, held.asks)
    assert rig.head(repository, "pawl/T-1") == held.head_sha


async def test_the_diff_is_kept_in_the_journal(rig: ForgeRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"a.txt": "one\n2\n"})
    ref = await rig.forge.read_diff(ReadDiff(repository=repository, head_sha=change.head_sha))
    assert "-two\n+2\n" in await rig.journal.load_text(ref)


async def test_files_in_any_encoding_can_be_read_in_the_diff(rig: ForgeRig) -> None:
    repository = await rig.opened({"a.txt": "Grüße\none\n".encode("latin-1")})
    change = await rig.published(repository, {"a.txt": "Grüße\ntwo\n".encode("latin-1")})
    ref = await rig.forge.read_diff(ReadDiff(repository=repository, head_sha=change.head_sha))
    diff = await rig.journal.load_text(ref)
    assert "+two\n" in diff
    assert " Gr\ufffd\ufffde\n" in diff


# --- pull requests ----------------------------------------------------------------------------------------------


async def test_a_branch_has_one_open_pull_request(rig: ForgeRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"a.txt": "1"})
    opening = rig.opening(repository, change)
    opened = await asyncio.gather(*(rig.forge.open_pull_request(opening) for _ in range(4)))
    assert {(one.number, one.branch, one.head_sha) for one in opened} == {(1, "pawl/T-1", change.head_sha)}
    page = rig.page(repository, 1)
    assert "T-1: Do it" in page
    assert "Because." in page
    other = await rig.published(repository, {"b.txt": "1"}, branch="pawl/T-2")
    assert (await rig.forge.open_pull_request(rig.opening(repository, other))).number == 2


async def test_the_pull_request_follows_its_branch(rig: ForgeRig) -> None:
    repository, change, _ = await reviewed(rig)
    fixed = await rig.published(repository, {"a.txt": "fixed\n"}, previous_head=change.head_sha)
    assert (await rig.forge.open_pull_request(rig.opening(repository, fixed))).head_sha == fixed.head_sha


async def test_a_review_is_posted_once_per_key(rig: ForgeRig) -> None:
    repository, _, number = await reviewed(rig)
    finding = Finding(severity=Severity.BLOCKER, path="a.txt", line=2, text="Two is a word.")
    for key in ("review-1", "review-1", "review-2"):
        await rig.forge.post_review(
            PostReview(repository=repository, number=number, key=key, summary=f"Seen {key}.", findings=(finding,))
        )
    page = rig.page(repository, number)
    assert (page.count("Seen review-1."), page.count("Seen review-2.")) == (1, 1)
    assert "a.txt" in page
    assert "blocker" in page


async def test_merging_brings_the_change_into_the_base_once(rig: ForgeRig) -> None:
    repository, change, number = await reviewed(rig)
    merged = await rig.forge.merge_pull_request(merging(repository, change, number))
    assert merged.merged_sha == rig.head(repository, "main")
    assert rig.read(repository, "main", "b.txt") == "new"
    assert await rig.forge.merge_pull_request(merging(repository, change, number)) == merged
    assert rig.head(repository, "main") == merged.merged_sha


async def test_a_base_that_moved_elsewhere_is_merged_with(rig: ForgeRig) -> None:
    repository, change, number = await reviewed(rig)
    rig.push(repository, "main", {"c.txt": "theirs\n"})
    await rig.forge.merge_pull_request(merging(repository, change, number))
    assert [rig.read(repository, "main", name) for name in ("b.txt", "c.txt")] == ["new", "theirs"]


async def test_a_base_that_moved_in_the_same_place_is_not_merged(rig: ForgeRig) -> None:
    repository, change, number = await reviewed(rig)
    theirs = rig.push(repository, "main", {"a.txt": "one\nzwei\n"})
    with pytest.raises(ApplicationError, match=r"conflicts with it in a\.txt") as caught:
        await rig.forge.merge_pull_request(merging(repository, change, number))
    assert failure(caught) is Failure.BRANCH_MOVED
    assert rig.head(repository, "main") == theirs


async def test_what_was_pushed_after_the_approval_is_not_merged(rig: ForgeRig) -> None:
    repository, change, number = await reviewed(rig)
    rig.push(repository, "pawl/T-1", {"b.txt": "more\n"})
    with pytest.raises(ApplicationError, match="which was approved") as caught:
        await rig.forge.merge_pull_request(merging(repository, change, number))
    assert failure(caught) is Failure.BRANCH_MOVED
    assert rig.head(repository, "main") == repository.base_sha


async def test_closing_merges_nothing_and_can_be_repeated(rig: ForgeRig) -> None:
    repository, change, number = await reviewed(rig)
    close = ClosePullRequest(repository=repository, number=number, reason="Not wanted.")
    for _ in range(2):
        await rig.forge.close_pull_request(close)
    assert rig.page(repository, number).count("Not wanted.") == 1
    with pytest.raises(ApplicationError, match="is closed") as caught:
        await rig.forge.merge_pull_request(merging(repository, change, number))
    assert failure(caught) is Failure.BRANCH_MOVED
    assert rig.head(repository, "main") == repository.base_sha
    assert (await rig.forge.open_pull_request(rig.opening(repository, change))).number == number + 1


async def test_a_merged_pull_request_stays_merged(rig: ForgeRig) -> None:
    repository, change, number = await reviewed(rig)
    merged = await rig.forge.merge_pull_request(merging(repository, change, number))
    await rig.forge.close_pull_request(ClosePullRequest(repository=repository, number=number, reason="Late."))
    assert await rig.forge.merge_pull_request(merging(repository, change, number)) == merged


async def test_a_pull_request_that_does_not_exist(rig: ForgeRig) -> None:
    repository = await rig.opened()
    with pytest.raises(ApplicationError, match="no pull request 7") as caught:
        await rig.forge.post_review(PostReview(repository=repository, number=7, key="k", summary="s"))
    assert failure(caught) is Failure.BAD_REQUEST
