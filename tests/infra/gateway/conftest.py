"""A counting provider and a gateway in front of it, both real and both on loopback."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.fakes.gateway import Gateway, running_gateway
from tests.fakes.provider import FakeProvider, running


@pytest.fixture
async def provider() -> AsyncGenerator[FakeProvider]:
    async with running(FakeProvider()) as fake:
        yield fake


@pytest.fixture
async def gateway(tmp_path: Path, provider: FakeProvider) -> AsyncGenerator[Gateway]:
    async with running_gateway(tmp_path / "home", provider.url) as running_one:
        yield running_one
