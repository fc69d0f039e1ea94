"""One rig per forge: the adapter, and the hands of a person with a repository."""

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from activities.forge.bare_git import BareGitForge
from activities.forge.github import GitHubForge
from activities.git import TrustedClones
from activities.github import GitHub, Token
from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from tests.fakes.github import PAWL, TOKEN, FakeGitHub, Hands
from tests.fakes.github.world import Repo
from tests.fakes.service import no_kept_connections
from tests.repos import Box, commit, git, make_repository
from workflows.domain.change import Change, Repository
from workflows.ports.forge import Forge, OpenPullRequest, OpenRepository, PublishChange
from workflows.ports.journal import Journal

Files = Mapping[str, str | bytes]


class ForgeRig(ABC):
    forge: Forge
    clones: TrustedClones
    journal: Journal
    folder: Path

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["ForgeRig"]:
        """With whatever must run for the forge."""
        yield self

    @abstractmethod
    def repository(self, files: Files | None, branch: str = "main") -> str:
        """A person's repository: its URL."""

    @abstractmethod
    def push(self, opened: Repository, branch: str, files: Files) -> str:
        """A person commits on top of a branch of the forge: the new head."""

    @abstractmethod
    def head(self, opened: Repository, branch: str) -> str:
        """Where a branch of the forge is; empty when there is none."""

    @abstractmethod
    def read(self, opened: Repository, branch: str, path: str) -> str:
        """A file on a branch of the forge."""

    @abstractmethod
    def page(self, opened: Repository, number: int) -> str:
        """What people read on the pull request: title, state, text, reviews, comments."""

    @abstractmethod
    def url(self, opened: Repository) -> str:
        """What a person named the repository by."""

    @abstractmethod
    def comment(self, opened: Repository, number: int, text: str) -> None:
        """A member writes to Pawl on the pull request, on the whole of it."""

    @abstractmethod
    def at(self, opened: Repository) -> Path:
        """Where the forge keeps it."""

    @abstractmethod
    def untouched(self, opened: Repository, number: int, since: datetime) -> None:
        """Nobody has touched the pull request since then."""

    @abstractmethod
    def closed_since(self, opened: Repository, number: int, since: datetime) -> None:
        """The pull request was closed then."""

    # What every rig does the same way

    async def opened(self, files: Files | None = None) -> Repository:
        return await self.forge.open_repository(OpenRepository(url=self.repository(files or {"a.txt": "one\ntwo\n"})))

    async def state(self, repository: Repository, files: Files) -> str:
        """A workspace state with these files changed: its journal reference."""
        number = len(list(self.folder.glob("box*")))
        box = Box(self.folder / f"box{number}", repository, await self.clones.bundle(repository))
        return await self.journal.keep(box.state(files))

    async def published(
        self, repository: Repository, files: Files, previous_head: str = "", branch: str = "pawl/T-1", **rules: Any
    ) -> Change:
        """`rules`: what the policy says, and what a person has allowed."""
        state = await self.state(repository, files)
        change = PublishChange(
            repository=repository, branch=branch, state=state, message="Do it", previous_head=previous_head, **rules
        )
        return await self.forge.publish_change(change)

    def opening(self, repository: Repository, change: Change) -> OpenPullRequest:
        return OpenPullRequest(
            repository=repository, branch=change.branch, head_sha=change.head_sha, title="T-1: Do it", body="Because."
        )


class BareGitRig(ForgeRig):
    def __init__(self, folder: Path, journal: Journal) -> None:
        self.folder = folder
        self.journal = journal
        self.clones = TrustedClones(folder / "clones")
        self.forge = BareGitForge(folder / "forge", self.clones, journal)
        self.sources = 0

    def repository(self, files: Files | None, branch: str = "main") -> str:
        self.sources += 1
        return str(make_repository(self.folder / f"source {self.sources}", files, branch))

    def push(self, opened: Repository, branch: str, files: Files) -> str:
        work = self.folder / f"person{len(list(self.folder.glob('person*')))}"
        git(self.folder, "clone", "-q", "-b", branch, opened.url, str(work))
        head = commit(work, files, "By a person")
        git(work, "push", "-q", "origin", f"HEAD:{branch}")
        return head

    def head(self, opened: Repository, branch: str) -> str:
        return git(Path(opened.url), "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def read(self, opened: Repository, branch: str, path: str) -> str:
        return git(Path(opened.url), "show", f"{branch}:{path}")

    def page(self, opened: Repository, number: int) -> str:
        return self.file(opened, number).read_text()

    def url(self, opened: Repository) -> str:
        return git(Path(opened.url), "config", "remote.origin.url")

    def comment(self, opened: Repository, number: int, text: str) -> None:
        self.file(opened, number).write_text(f"{self.page(opened, number)}\n@pawl {text}\n")

    def at(self, opened: Repository) -> Path:
        return Path(opened.url)

    def untouched(self, opened: Repository, number: int, since: datetime) -> None:
        os.utime(self.file(opened, number), (since.timestamp(), since.timestamp()))

    def closed_since(self, opened: Repository, number: int, since: datetime) -> None:
        self.untouched(opened, number, since)

    def file(self, opened: Repository, number: int) -> Path:
        return self.folder / "forge" / f"{opened.name}.pulls" / str(number) / "pull.md"


class GitHubRig(ForgeRig):
    """On the double of GitHub, with a token; every call is judged by GitHub's contract at the end."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.folder = folder
        self.journal = journal
        self.fake = FakeGitHub(folder / "github")
        self.hands = Hands(self.fake, folder)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["GitHubRig"]:
        async with self.fake.running(), no_kept_connections() as http:
            url = self.fake.url
            self.github = GitHub(http, Token(TOKEN), f"{url}/api", url, f"{url}/graphql")
            self.clones = TrustedClones(self.folder / "clones", self.github.git_access)
            self.forge = GitHubForge(self.github, self.clones, self.journal, PAWL)
            yield self

    def repository(self, files: Files | None, branch: str = "main") -> str:
        name = f"acme/shop{len(self.fake.world.repos)}"
        self.hands.repository(name, files, branch)
        return f"{self.fake.url}/{name}"

    def repo(self, opened: Repository) -> Repo:
        return self.fake.world.repos[opened.url.removeprefix(f"{self.fake.url}/").removesuffix(".git")]

    def push(self, opened: Repository, branch: str, files: Files) -> str:
        return self.hands.push(self.repo(opened), branch, files)

    def head(self, opened: Repository, branch: str) -> str:
        return self.repo(opened).sha(branch)

    def read(self, opened: Repository, branch: str, path: str) -> str:
        return git(self.repo(opened).path, "show", f"{branch}:{path}")

    def page(self, opened: Repository, number: int) -> str:
        issue, pull = self.hands.pull(self.repo(opened), number)
        at_lines = [f"{one.path}:{one.line} {said.body}" for one in pull.threads for said in one.comments]
        said = [*(review.body for review in pull.reviews), *at_lines, *(one.body for one in issue.comments)]
        return "\n\n".join([issue.title, issue.state, issue.body, *said])

    def url(self, opened: Repository) -> str:
        return f"{self.fake.url}/{self.repo(opened).name}"

    def comment(self, opened: Repository, number: int, text: str) -> None:
        self.hands.comments(self.repo(opened).issues[number], text)

    def at(self, opened: Repository) -> Path:
        return self.repo(opened).path

    def untouched(self, opened: Repository, number: int, since: datetime) -> None:
        self.repo(opened).issues[number].updated = f"{since:%Y-%m-%dT%H:%M:%SZ}"

    def closed_since(self, opened: Repository, number: int, since: datetime) -> None:
        self.repo(opened).issues[number].closed = f"{since:%Y-%m-%dT%H:%M:%SZ}"


RIGS = {"bare_git": BareGitRig, "github": GitHubRig}


@asynccontextmanager
async def rig_in(folder: Path, name: str) -> AsyncGenerator[ForgeRig]:
    store = JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects")
    async with RIGS[name](folder, SqlJournal(store)).running() as rig:
        yield rig
    store.close()
