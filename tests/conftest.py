"""One in-memory Temporal server for the whole test run, started like the embedded one and ended with the run."""

import asyncio
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest
from temporalio.client import Client

from infra import devserver, temporal_cli
from infra.payloads import DATA_CONVERTER
from infra.settings import Settings


@pytest.fixture(scope="session")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("temporal")
    settings = Settings(home=home / uuid4().hex)
    program = asyncio.run(temporal_cli.provided(settings, print))
    ports = devserver.free_ports(settings)
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(devserver.command(program, ports, None), stdout=log, stderr=log)
        try:
            yield f"127.0.0.1:{ports.temporal}"
        finally:
            server.kill()
            server.wait()


@pytest.fixture(scope="session")
async def client(temporal_address: str) -> Client:
    async with asyncio.timeout(60):
        while not await devserver.serves(temporal_address):  # noqa: ASYNC110  # another process: no event to wait for
            await asyncio.sleep(0.05)
    return await Client.connect(temporal_address, data_converter=DATA_CONVERTER)
