"""One rig per forge: the adapter, and the hands of a person with a repository."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from activities.forge.bare_git import BareGitForge
from activities.git import TrustedClones
from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
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

    def file(self, opened: Repository, number: int) -> Path:
        return self.folder / "forge" / f"{opened.name}.pulls" / str(number) / "pull.md"


RIGS = {"bare_git": BareGitRig}


@contextmanager
def rig_in(folder: Path, name: str) -> Generator[ForgeRig]:
    store = JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects")
    yield RIGS[name](folder, SqlJournal(store))
    store.close()
