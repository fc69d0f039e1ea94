"""What the whole run shares: signals as in a terminal, and one in-memory Temporal server, ended with the run."""

import asyncio
import gc
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import hypothesis
import pytest
from temporalio.client import Client

from infra import devserver, temporal_cli
from infra.payloads import DATA_CONVERTER
from infra.settings import Settings
from tests.live import go_live_at_modal
from tests.ports.sandbox.table import Outcomes

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("untimed")
START_SECONDS = 60
OPTIONAL = (("nix", "tests of flakes (test_flake.py)"),)
"""Programs that some tests need and Pawl does not."""


def pytest_report_header() -> list[str]:
    """What this machine lacks: nothing is left out without a word."""
    return [f"{what}: left out, {program} is not on PATH" for program, what in OPTIONAL if not shutil.which(program)]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--live-modal",
        action="store_true",
        help="the suite of sandbox providers asks the real Modal, with MODAL_TOKEN_ID and MODAL_TOKEN_SECRET",
    )
    parser.addoption("--conformance", metavar="FILE", help="note there which sandbox provider was asked what, as JSON")


LONG = (
    "test_ordinary_user.py",
    "test_contract.py",
    "test_demo.py",
    "test_demo_triage.py",
    "test_forge_sweep.py",
    "test_forge_recent.py",
    "test_whole_ticket.py",
    "test_demo_live.py",
    "test_temporal_ui.py",
    "test_up.py",
    "test_process.py",
    "test_init_linear.py",
    "test_doctor_connections.py",
    "test_github_look.py",
    "test_forge_contract.py",
    "test_forge_standing.py",
    "test_github_writes.py",
    "test_files.py",
    "test_floods.py",
    "test_sweep.py",
    "test_by_command_line.py",
    "test_schedule_ui.py",
)
"""Files that take long, the longest first. They begin first, or the run would end with one process at work and the
others idle."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded here stays to the end: to look through it for garbage again and again is a quarter of the work of
    a short run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("live_modal"):
        go_live_at_modal()
    noted: str | None = config.getoption("conformance")
    if noted and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(Path(noted)))


@pytest.fixture(scope="session", autouse=True)
def _signals_are_heard() -> None:  # pyright: ignore[reportUnusedFunction]
    """Whoever runs the tests in the background, or under nohup, has them ignore what a terminal sends, and whatever
    they start ignores it as well."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("temporal")
    program = asyncio.run(temporal_cli.provided(Settings(home=home), print))
    with (home / "server.log").open("wb") as log:
        server, address = _serving(program, log)
        try:
            yield address
        finally:
            server.kill()
            server.wait()


def _serving(program: Path, log: BinaryIO) -> tuple[subprocess.Popen[bytes], str]:
    """A server that answers. Somebody else may take a port between its choice and its use: then another is tried."""
    for _ in range(3):
        ports = devserver.free_ports(Settings(home=Path(uuid4().hex)))
        server = subprocess.Popen(devserver.command(program, ports, None), stdout=log, stderr=log)
        address = f"127.0.0.1:{ports.temporal}"
        if asyncio.run(_serves(server, address)):
            return server, address
        server.kill()
        server.wait()
    raise RuntimeError(f"The Temporal server does not start; see {log.name}.")


async def _serves(server: subprocess.Popen[bytes], address: str) -> bool:
    """Whether this very process serves in time."""
    for _ in range(START_SECONDS * 10):
        if server.poll() is not None:
            return False
        if await devserver.serves(address):
            return True
        await asyncio.sleep(0.1)
    return False


@pytest.fixture(scope="session")
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address, data_converter=DATA_CONVERTER)
