"""GitHub's double with a repository, a published change and its pull request."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from tests.fakes.github import Hands
from tests.fakes.github.world import Issue, Pull, Repo
from tests.ports.forges import GitHubRig
from workflows.domain.change import Change, Repository
from workflows.domain.pull import PullSeen
from workflows.ports.forge import LookAtPullRequest

LONG = "".join(f"line {n}\n" for n in range(1, 41))


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[GitHubRig]:
    store = JournalStore(f"sqlite:///{tmp_path}/journal.db", tmp_path / "objects")
    async with GitHubRig(tmp_path, SqlJournal(store)).running() as rig:
        yield rig
    store.close()


@dataclass
class Opened:
    """Pull request 1 with its change: `a.txt` has 40 lines, of which the second is another one now."""

    rig: GitHubRig
    repository: Repository
    change: Change

    @property
    def hands(self) -> Hands:
        return self.rig.hands

    @property
    def repo(self) -> Repo:
        return self.rig.repo(self.repository)

    @property
    def issue(self) -> Issue:
        return self.repo.issues[1]

    @property
    def pull(self) -> Pull:
        return self.hands.pull(self.repo)[1]

    async def look(self) -> PullSeen:
        return await self.rig.forge.look_at_pull_request(LookAtPullRequest(repository=self.repository, number=1))


@pytest.fixture
async def opened(rig: GitHubRig) -> Opened:
    repository = await rig.opened({"a.txt": LONG})
    change = await rig.published(repository, {"a.txt": LONG.replace("line 2\n", "line two\n"), "b.txt": "new\n"})
    await rig.forge.open_pull_request(rig.opening(repository, change).model_copy(update={"draft": True}))
    return Opened(rig, repository, change)
