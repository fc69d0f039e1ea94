"""A change on top of a newer base: merged, marked where both changed the same place, or there already."""

from pathlib import Path

import pytest

from activities.git import TrustedClones, carried
from tests.repos import Box, commit, git, make_repository
from workflows.domain.change import Repository

BEFORE = {"a.txt": "one\ntwo\nthree\n", "b.txt": "b\n"}


class Desk:
    """A repository, a change on its first base, and whatever its base becomes."""

    def __init__(self, folder: Path) -> None:
        self.source = make_repository(folder / "source", BEFORE)
        self.clones = TrustedClones(folder / "clones")
        self.folder = folder

    async def opened(self) -> Repository:
        branch, sha = await self.clones.fetch("shop", str(self.source))
        return Repository(name="shop", url=str(self.source), base_branch=branch, base_sha=sha)

    async def state(self, repository: Repository, files: dict[str, str]) -> bytes:
        return Box(self.folder / "box", repository, await self.clones.bundle(repository)).state(files)

    def show(self, sha: str, path: str) -> str:
        return git(self.clones.path("shop"), "show", f"{sha}:{path}")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_what_git_can_merge_is_a_sound_state_on_the_newer_base(desk: Desk) -> None:
    repository = await desk.opened()
    state = await desk.state(repository, {"a.txt": "one\ntwo\n3\n", "new.txt": "n\n"})
    commit(desk.source, {"b.txt": "theirs\n"})
    onto = await desk.opened()
    made = await carried(desk.clones, repository, state, onto)
    assert made.bundle is not None
    assert made.conflicts == []
    sha = await desk.clones.import_state(onto, made.bundle)
    assert [desk.show(sha, path) for path in ("a.txt", "b.txt", "new.txt")] == ["one\ntwo\n3", "theirs", "n"]
    assert await carried(desk.clones, repository, state, onto) == made, "the same request gives the same bytes"


async def test_where_both_changed_the_same_place_git_leaves_its_markers(desk: Desk) -> None:
    repository = await desk.opened()
    state = await desk.state(repository, {"a.txt": "one\n2\nthree\n"})
    commit(desk.source, {"a.txt": "one\nzwei\nthree\n"})
    onto = await desk.opened()
    made = await carried(desk.clones, repository, state, onto)
    assert made.bundle is not None
    assert made.conflicts == ["a.txt"]
    text = desk.show(await desk.clones.import_state(onto, made.bundle), "a.txt")
    assert [line.partition(" ")[0] for line in text.split("\n")] == [
        "one", "<<<<<<<", "zwei", "=======", "2", ">>>>>>>", "three",
    ]  # fmt: skip


async def test_what_the_base_holds_already_is_no_change_any_more(desk: Desk) -> None:
    repository = await desk.opened()
    state = await desk.state(repository, {"a.txt": "one\n2\nthree\n"})
    commit(desk.source, {"a.txt": "one\n2\nthree\n"})
    assert (await carried(desk.clones, repository, state, await desk.opened())).bundle is None
