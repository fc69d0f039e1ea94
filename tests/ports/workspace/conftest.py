"""A repository, and checkouts of it over real sandboxes, real git and the real journal."""

import shutil
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from pathlib import Path

import pytest

from activities.git import TrustedClones
from activities.journal.decisions import keep_decisions
from activities.journal.sql import SqlJournal
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.orphans import sweep_orphans
from activities.workspace.checkouts import SandboxCheckouts
from activities.workspace.sandboxed import SandboxWorkspace
from infra.journal import JournalStore
from tests.ports.workspace.helpers import FILES
from tests.repos import make_repository
from workflows.domain.change import Repository
from workflows.domain.policy import SandboxPolicy
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import Sandbox

collect_ignore = [] if shutil.which("nix") else ["test_flake.py"]
"""The header of the test run says so."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JournalStore]:
    store = JournalStore(f"sqlite:///{tmp_path}/journal.db", tmp_path / "objects")
    yield store
    store.close()


@pytest.fixture
def journal(store: JournalStore) -> Journal:
    return SqlJournal(store)


@pytest.fixture
def clones(tmp_path: Path) -> TrustedClones:
    return TrustedClones(tmp_path / "clones")


@pytest.fixture
async def repository(tmp_path: Path, clones: TrustedClones) -> Repository:
    url = str(make_repository(tmp_path / "origin", FILES, branch="trunk"))
    branch, sha = await clones.fetch("origin", url)
    return Repository(name="origin", url=url, base_branch=branch, base_sha=sha)


@pytest.fixture
async def sandbox(tmp_path: Path, store: JournalStore) -> AsyncGenerator[BubblewrapSandbox]:
    sandbox = BubblewrapSandbox(tmp_path / "sandboxes", witness=partial(keep_decisions, store))
    yield sandbox
    for info in await sandbox.list({}):
        await sandbox.destroy(info.ref.key)


@pytest.fixture
def checkouts(sandbox: Sandbox, clones: TrustedClones, journal: Journal) -> SandboxCheckouts:
    return SandboxCheckouts(sandbox, clones, journal)


@pytest.fixture
def workspace(sandbox: Sandbox, checkouts: SandboxCheckouts, journal: Journal) -> SandboxWorkspace:
    async def is_alive(ticket: str) -> bool:
        return ticket == "T-1"

    return SandboxWorkspace(sandbox, checkouts, journal, partial(sweep_orphans, sandbox, is_alive))


@pytest.fixture
def order(repository: Repository) -> WorkspaceOrder:
    return WorkspaceOrder(key="t1.builder1", repository=repository, sandbox=SandboxPolicy(memory_mb=512, seconds=20))
