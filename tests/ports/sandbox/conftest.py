"""One sandbox of every provider that can run here, gone when the test ends."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ports.sandbox.providers import PROVIDERS, made
from workflows.ports.sandbox import Sandbox, SandboxRef

collect_ignore = [] if os.geteuid() == 0 else ["test_ordinary_user.py"]
"""That one runs the suite as another user, which only root can."""


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def sandbox(provider: str, tmp_path: Path) -> AsyncGenerator[Sandbox]:
    sandbox = PROVIDERS[provider](tmp_path / "sandboxes")
    yield sandbox
    for info in await sandbox.list({}):
        await sandbox.destroy(info.ref.key)


@pytest.fixture
async def ref(sandbox: Sandbox) -> SandboxRef:
    return await made(sandbox)


@pytest.fixture
def mark() -> str:
    """A number of seconds nobody else sleeps: it finds a test's processes again."""
    return f"3{uuid4().int % 10**9:09d}"
