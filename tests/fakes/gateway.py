"""A real gateway for tests, on a free loopback port: inside the test's event loop, or as a process that can die."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from activities.model.gateway import GatewayModel, GatewayRuns
from infra.gateway.server import Patience, build
from infra.gateway.settings import GatewaySettings
from infra.secrets import gateway_secret
from infra.settings import Settings
from tests.fakes.provider import LoopServer
from workflows.domain.budget import Bill
from workflows.domain.session import Role
from workflows.domain.tokens import SEQ_HEADER
from workflows.ports.model import OpenAccount, ReadBill

ANTHROPIC_KEY = "sk-ant-real-key-of-the-test"
OPENAI_KEY = "sk-real-key-of-the-test"
CLAUDE = "anthropic:claude-sonnet-4-6"
GPT = "openai:gpt-5"


class Gateway:
    """A gateway under test, seen from outside."""

    def __init__(self, url: str, secret: str, home: Path) -> None:
        self.url = url
        self.secret = secret
        self.home = home
        self.http = httpx.AsyncClient(base_url=url, timeout=30, verify=False)  # noqa: S501  # loopback only; saves reading the CA list
        self.model = GatewayModel(self.http, secret)
        self.runs = GatewayRuns(self.http, secret)

    async def open(
        self,
        session: str = "t1.builder1",
        *,
        model: str = CLAUDE,
        account: str = "t1",
        role: Role = Role.BUILDER,
        part: int = 1,
        usd: str | None = "5",
        tokens: int | None = None,
        session_usd: str | None = None,
        session_tokens: int | None = None,
    ) -> str:
        """Open the account and the run; returns the run's token."""
        ceiling = None if usd is None else Decimal(usd)
        await self.model.open_account(OpenAccount(account=account, models=(model,), usd=ceiling, tokens=tokens))
        own = None if session_usd is None else Decimal(session_usd)
        await self.runs.open_run(session, account, role, part, model, own, session_tokens)
        return self.runs.token(session)

    async def ask(
        self, token: str, seq: int = 1, *, text: str = "Hi", path: str = "/anthropic/v1/messages", **body: Any
    ) -> httpx.Response:
        """One plain call; `body` completes or replaces the request."""
        request = {"model": CLAUDE.partition(":")[2], "max_tokens": 100, **conversation(path, text), **body}
        return await self.http.post(path, json=request, headers={"x-api-key": token, SEQ_HEADER: str(seq)})

    async def bill(self, account: str = "t1") -> Bill:
        return await self.model.read_bill(ReadBill(account=account))

    async def receipts(self, session: str = "t1.builder1") -> list[dict[str, Any]]:
        return (await self.admin("GET", f"/v1/runs/{session}/calls")).json()

    async def admin(self, method: str, path: str, **told: Any) -> httpx.Response:
        return await self.http.request(method, path, headers={"authorization": f"Bearer {self.secret}"}, **told)


def conversation(path: str, text: str) -> dict[str, Any]:
    message = {"role": "user", "content": text}
    return {"input": [message]} if path.endswith("/responses") else {"messages": [message]}


@asynccontextmanager
async def running_gateway(
    home: Path, provider_url: str, *, owner: str = "gateway-under-test", **own: Any
) -> AsyncGenerator[Gateway]:
    """A gateway in this event loop. `own` replaces fields of GatewaySettings."""
    settings = Settings(home=home)
    told = {
        "anthropic_api_key": ANTHROPIC_KEY,
        "openai_api_key": OPENAI_KEY,
        "anthropic_base_url": provider_url,
        "openai_base_url": provider_url,
    }
    app = build(settings, GatewaySettings.model_validate(told | own), owner, Patience(settings.shutdown_seconds))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    server = LoopServer(uvicorn.Config(app, log_config=None, log_level="warning", access_log=False))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    gateway = Gateway(f"http://127.0.0.1:{listener.getsockname()[1]}", gateway_secret(settings), home)
    try:
        yield gateway
    finally:
        await gateway.http.aclose()
        server.should_exit = True
        await task


class GatewayProcess:
    """`python -m infra.gateway`, on one port for all its lives. Its output goes to `log`."""

    def __init__(self, home: Path, provider_url: str, **env: str) -> None:
        self.home = home
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / "gateway.log"
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PAWL_")},
            "PAWL_HOME": str(home),
            "PAWL_GATEWAY_URL": self.url,
            "PAWL_ANTHROPIC_BASE_URL": provider_url,
            "PAWL_OPENAI_BASE_URL": provider_url,
            "ANTHROPIC_API_KEY": ANTHROPIC_KEY,
            "OPENAI_API_KEY": OPENAI_KEY,
            **env,
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> Gateway:
        """Start, wait until it answers, and return a view of it. Close the view's `http` when done."""
        self._launch()
        gateway = Gateway(self.url, gateway_secret(Settings(home=self.home)), self.home)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                await gateway.http.get("/health")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return gateway
        raise TimeoutError(f"the gateway did not start: {self.log.read_text()}")

    def _launch(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            argv = [sys.executable, "-m", "infra.gateway"]
            self._process = subprocess.Popen(argv, env=self._env, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, 60)

    async def kill(self) -> None:
        """End it as a crash would, whether it runs or not."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        await self.ended()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
