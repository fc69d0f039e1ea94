"""The local forge: what is its own, beyond what every forge promises."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.forge.bare_git import name_of, source_of
from activities.git import RepositoryMissing
from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from tests.ports.forges import BareGitRig
from tests.repos import commit, git
from workflows.domain.failures import Failure
from workflows.domain.review import Finding, Severity
from workflows.ports.forge import MergePullRequest, OpenRepository, PostReview, PublishChange


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[BareGitRig]:
    store = JournalStore(f"sqlite:///{tmp_path}/journal.db", tmp_path / "objects")
    yield BareGitRig(tmp_path, SqlJournal(store))
    store.close()


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_the_persons_repository_is_never_written(rig: BareGitRig) -> None:
    source = Path(rig.repository({"a.txt": "one\n"}))
    before = everything(source)
    repository = await rig.forge.open_repository(OpenRepository(url=str(source)))
    change = await rig.published(repository, {"a.txt": "two\n"})
    opened = await rig.forge.open_pull_request(rig.opening(repository, change))
    await rig.forge.merge_pull_request(
        MergePullRequest(repository=repository, number=opened.number, head_sha=change.head_sha)
    )
    assert everything(source) == before


async def test_the_forge_follows_the_source_and_keeps_what_it_merged(rig: BareGitRig) -> None:
    source = Path(rig.repository({"a.txt": "one\n"}))
    opening = OpenRepository(url=str(source))
    repository = await rig.forge.open_repository(opening)
    newer = commit(source, {"b.txt": "by the person\n"})
    assert (await rig.forge.open_repository(opening)).base_sha == newer
    change = await rig.published(repository, {"a.txt": "two\n"})
    pull = await rig.forge.open_pull_request(rig.opening(repository, change))
    merge = MergePullRequest(repository=repository, number=pull.number, head_sha=change.head_sha)
    merged = await rig.forge.merge_pull_request(merge)
    assert (await rig.forge.open_repository(opening)).base_sha == merged.merged_sha


async def test_branches_that_went_different_ways_are_a_persons_to_join(rig: BareGitRig) -> None:
    source = Path(rig.repository({"a.txt": "one\n"}))
    opening = OpenRepository(url=str(source))
    repository = await rig.forge.open_repository(opening)
    rig.push(repository, "main", {"b.txt": "in the forge\n"})
    commit(source, {"c.txt": "at home\n"})
    with pytest.raises(ApplicationError, match="gone different ways") as caught:
        await rig.forge.open_repository(opening)
    assert caught.value.type == Failure.BRANCH_MOVED
    told = re.search(r"`git (pull .*?)`", caught.value.message)
    assert told is not None
    git(source, *told[1].split())
    assert (await rig.forge.open_repository(opening)).base_sha == git(source, "rev-parse", "HEAD")


async def test_one_source_is_one_repository_however_it_is_named(
    rig: BareGitRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(rig.repository({"a.txt": "one\n"}))
    link = rig.folder / "link"
    link.symlink_to(source)
    monkeypatch.chdir(source)
    names = [str(source), f"{source}/", source.as_uri(), ".", str(link)]
    opened = await asyncio.gather(*(rig.forge.open_repository(OpenRepository(url=name)) for name in names))
    assert len({one.name for one in opened}) == 1


async def test_the_pull_request_reads_like_one(rig: BareGitRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"a.txt": "one\n2\n"})
    pull = await rig.forge.open_pull_request(rig.opening(repository, change))
    finding = Finding(severity=Severity.BLOCKER, path="a.txt", line=2, text="Two is a word.")
    await rig.forge.post_review(
        PostReview(repository=repository, number=1, key="r1", summary="Almost.", findings=(finding,))
    )
    assert Path(pull.url).read_text() == (
        "---\nnumber: 1\ntitle: 'T-1: Do it'\nstate: open\nbranch: pawl/T-1\nbase: main\n"
        f"head: {change.head_sha}\n---\n"
        "\nBecause.\n\n## Reviews\n\n<!-- pawl:r1 -->\n**Review.** Almost.\n\n"
        "- **blocker** `a.txt:2` Two is a word.\n"
    )
    assert "-two\n+2\n" in Path(pull.url).with_name("diff.patch").read_text()


async def test_the_files_follow_the_branch(rig: BareGitRig) -> None:
    repository = await rig.opened()
    first = await rig.published(repository, {"a.txt": "first\n"})
    pull = await rig.forge.open_pull_request(rig.opening(repository, first))
    second = await rig.published(repository, {"a.txt": "second\n"}, previous_head=first.head_sha)
    assert f"head: {second.head_sha}" in Path(pull.url).read_text()
    assert "+second\n" in Path(pull.url).with_name("diff.patch").read_text()


async def test_a_merge_whose_note_was_lost_is_found(rig: BareGitRig) -> None:
    """As after a kill between moving the branch and writing the page."""
    repository = await rig.opened()
    change = await rig.published(repository, {"b.txt": "new\n"})
    pull = await rig.forge.open_pull_request(rig.opening(repository, change))
    page = Path(pull.url)
    before = page.read_bytes()
    merge = MergePullRequest(repository=repository, number=1, head_sha=change.head_sha)
    merged = await rig.forge.merge_pull_request(merge)
    page.write_bytes(before)
    rig.push(repository, "main", {"later.txt": "1"})
    tip = rig.head(repository, "main")
    assert await rig.forge.merge_pull_request(merge) == merged
    assert rig.head(repository, "main") == tip
    assert "state: merged" in page.read_text()


async def test_a_person_closes_and_opens_a_pull_request_in_its_file(rig: BareGitRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"b.txt": "new\n"})
    pull = await rig.forge.open_pull_request(rig.opening(repository, change))
    page = Path(pull.url)
    merge = MergePullRequest(repository=repository, number=1, head_sha=change.head_sha)
    page.write_text(page.read_text().replace("state: open", "state: Closed"))
    with pytest.raises(ApplicationError, match=f"Set `state: open` in {re.escape(pull.url)}"):
        await rig.forge.merge_pull_request(merge)
    page.write_text(page.read_text().replace("state: Closed", "state: Open"))
    assert (await rig.forge.merge_pull_request(merge)).merged_sha


async def test_a_broken_page_says_where(rig: BareGitRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"b.txt": "new\n"})
    pull = await rig.forge.open_pull_request(rig.opening(repository, change))
    Path(pull.url).write_text("---\ntitle: [\n---\n")
    with pytest.raises(ApplicationError, match=re.escape(f"{pull.url}, line 3: ")) as caught:
        await rig.forge.post_review(PostReview(repository=repository, number=1, key="k", summary="s"))
    assert caught.value.type == Failure.BAD_REQUEST


async def test_a_lost_forge_says_so_instead_of_trying_on(rig: BareGitRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"b.txt": "new\n"})
    Path(repository.url).rename(rig.folder / "away")
    with pytest.raises(ApplicationError, match="has lost") as caught:
        await rig.forge.open_pull_request(rig.opening(repository, change))
    assert caught.value.type == Failure.REPOSITORY_NOT_FOUND


async def test_a_lost_clone_costs_nothing_but_time(rig: BareGitRig) -> None:
    repository = await rig.opened()
    change = await rig.published(repository, {"b.txt": "new\n"})
    rig.clones.path(repository.name).rename(rig.folder / "away")
    pull = await rig.forge.open_pull_request(rig.opening(repository, change))
    assert pull.head_sha == change.head_sha
    again = await rig.published(repository, {"b.txt": "newer\n"}, previous_head=change.head_sha)
    assert rig.head(repository, "pawl/T-1") == again.head_sha


_OPENER = """
import asyncio, sys
from pathlib import Path
from activities.forge.bare_git import BareGitForge
from activities.git import TrustedClones
from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from workflows.ports.forge import OpenPullRequest, PublishChange
async def main():
    folder = Path(sys.argv[1])
    store = JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects")
    forge = BareGitForge(folder / "forge", TrustedClones(folder / "clones"), SqlJournal(store))
    change = PublishChange.model_validate_json(sys.argv[2])
    published = await forge.publish_change(change)
    opening = OpenPullRequest(
        repository=change.repository, branch=change.branch, head_sha=published.head_sha, title="t", body="b"
    )
    print((await forge.open_pull_request(opening)).number)
    store.close()
asyncio.run(main())
"""


async def test_two_workers_open_one_pull_request(rig: BareGitRig) -> None:
    repository = await rig.opened()
    state = await rig.state(repository, {"a.txt": "two\n"})
    change = PublishChange(repository=repository, branch="pawl/T-1", state=state, message="Do it")
    command = [sys.executable, "-c", _OPENER, str(rig.folder), change.model_dump_json()]
    workers = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(2)]
    assert [(await worker.communicate())[0] for worker in workers] == [b"1\n", b"1\n"]
    pulls = rig.folder / "forge" / f"{repository.name}.pulls"
    assert [entry.name for entry in pulls.iterdir()] == ["1"]


@given(source=st.text(min_size=1, max_size=80))
def test_a_name_is_always_a_safe_folder(source: str) -> None:
    name = name_of(source.encode(errors="replace").decode())
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", name)
    assert not name.endswith((".git", ".lock"))


@pytest.mark.parametrize(
    ("url", "starts"),
    [
        ("https://github.com/acme/web-site.git", "web-site-"),
        ("git@github.com:acme/web.git", "web-"),
        ("/home/ada/My Project/", "My-Project-"),
        ("/", "repository-"),
    ],
)
def test_a_name_can_be_read(url: str, starts: str) -> None:
    assert name_of(url).startswith(starts)
    assert name_of(url) != name_of(f"{url}x")


def test_urls_are_left_alone_and_folders_made_absolute(tmp_path: Path) -> None:
    assert source_of("git@github.com:acme/web.git") == "git@github.com:acme/web.git"
    assert source_of("ssh://git@host/x") == "ssh://git@host/x"
    assert source_of(f"file://{tmp_path}/a%20b") == f"{tmp_path}/a b"
    with pytest.raises(RepositoryMissing, match="holds a password"):
        source_of("https://token@github.com/acme/web")
