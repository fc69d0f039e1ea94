"""A source repository, a trusted clone of it, and a box in which states are made."""

from pathlib import Path

import pytest

from activities.git import (
    TrustedClones,
)
from tests.repos import Box, make_repository
from workflows.domain.change import Repository

FILES = {"README.md": "hello\n", "src/app.py": "print(1)\n"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "source", FILES)


@pytest.fixture
def clones(tmp_path: Path) -> TrustedClones:
    return TrustedClones(tmp_path / "clones")


@pytest.fixture
async def repository(clones: TrustedClones, source: Path) -> Repository:
    branch, sha = await clones.fetch("one", str(source))
    return Repository(name="one", url=str(source), base_branch=branch, base_sha=sha)


@pytest.fixture
async def box(tmp_path: Path, clones: TrustedClones, repository: Repository) -> Box:
    return Box(tmp_path / "box", repository, await clones.bundle(repository))
