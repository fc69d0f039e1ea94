"""A Temporal server on a file that can be stopped and started again, and an ingress in front of it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from infra import devserver, temporal_cli
from infra.payloads import DATA_CONVERTER
from infra.settings import Settings
from infra.stack import ROOT

_START_SECONDS = 60.0
_TABLE = """
[connections.linear]
app_user = "user-pawl"

[[routes]]
tracker = "linear"
repository = "/shop"
"""


class TemporalServer:
    """The dev server of one folder."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program, self._home = program, home
        self._ports = devserver.free_ports(Settings(home=home))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._ports.temporal}"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Returns when it serves; what it had on disk is there again."""
        argv = devserver.command(self._program, self._ports, self._home / "temporal.db")
        self._process = _spawned(argv, self._home / "temporal.log")
        await _until(self._serves)

    def stop(self) -> None:
        """SIGKILL: as bad as it gets."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def client(self) -> Client:
        return await Client.connect(self.address, data_converter=DATA_CONVERTER)

    async def _serves(self) -> bool:
        return await devserver.serves(self.address)


class IngressProcess:
    """`python -m infra.ingress` with a door for Linear, whose tickets all go to one repository."""

    def __init__(self, home: Path, address: str, secret: str) -> None:
        self._log = home / "ingress.log"
        (home / "connections.toml").write_text(_TABLE)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "PAWL_"))}
        self._port = devserver.free_ports(Settings(home=home)).ingress
        self._env = {
            **kept,
            **{"PAWL_HOME": str(home), "TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull},
            **{"PAWL_INGRESS_PORT": str(self._port), "PAWL_MODEL": "anthropic:m", "LINEAR_WEBHOOK_SECRET": secret},
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def start(self) -> str:
        """Its URL."""
        self._process = _spawned((sys.executable, "-m", "infra.ingress"), self._log, self._env)
        await _until(self._listens)
        return f"http://127.0.0.1:{self._port}"

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM; how it ended."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        finally:
            self._process.kill()
            self._process.wait()

    async def _listens(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"The ingress does not start:\n{self.log}")
        return "listens at" in self.log


@asynccontextmanager
async def temporal_server(home: Path) -> AsyncGenerator[TemporalServer]:
    """One that is ended with the block."""
    home.mkdir(parents=True, exist_ok=True)
    server = TemporalServer(await temporal_cli.provided(Settings(home=home), lambda _: None), home)
    try:
        await server.start()
        yield server
    finally:
        server.stop()


def _spawned(argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(argv, cwd=ROOT, env=env, stdout=out, stderr=out)


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not await holds():
        if time.monotonic() > deadline:
            raise TimeoutError("It does not start in time.")
        await asyncio.sleep(0.05)
