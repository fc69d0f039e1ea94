"""A double of Modal for each test, whose faults the test commands, and a client of its own."""

from collections.abc import AsyncGenerator, Generator

import modal
import pytest

from activities.sandbox.modal_vendor import ModalVendor
from tests.fakes.modal.server import Double, serving


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Generator[Double]:
    with serving() as double:
        for name, value in double.environment.items():
            monkeypatch.setenv(name, value)
        yield double
    assert not double.faults.unforeseen


@pytest.fixture
async def client(double: Double) -> AsyncGenerator[modal.Client]:
    client = await modal.Client.from_credentials.aio(double.tokens.id, double.tokens.secret)
    yield client
    await client.close.aio()


@pytest.fixture
def vendor(client: modal.Client) -> ModalVendor:
    return ModalVendor("here", client=client)
