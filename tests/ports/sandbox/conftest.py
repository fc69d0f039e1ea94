"""One sandbox of every provider that can run here, gone when the test ends."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ports.sandbox.providers import LOCAL, PROVIDERS, made
from workflows.ports.sandbox import Sandbox, SandboxRef

collect_ignore = [] if os.geteuid() == 0 else ["test_ordinary_user.py"]
"""That one runs the suite as another user, which only root can."""


def pytest_report_header() -> str:
    return f"sandbox providers: {', '.join(PROVIDERS)}"


@pytest.fixture(params=LOCAL)
def provider(request: pytest.FixtureRequest) -> str:
    """A module that asks every provider has a fixture of this name with all of them."""
    return str(request.param)


@pytest.fixture
async def sandbox(provider: str, tmp_path: Path) -> AsyncGenerator[Sandbox]:
    root = tmp_path / "sandboxes"
    async with PROVIDERS[provider].serving(root):
        sandbox = PROVIDERS[provider](root)
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
