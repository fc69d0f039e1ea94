"""The processes of one home: Temporal server, gateway, worker. Started in order, kept running, drained in order."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from temporalio.client import Client

from infra import devserver, gateway_client, home, temporal, temporal_cli
from infra.exits import PawlError
from infra.parts import ROOT, Part, absolute, environment, server_is_elsewhere, takes_webhooks
from infra.process import Program, StackEvent, Supervised, What
from infra.settings import Settings
from workflows import names

START_SECONDS = 60.0
"""How long a part may take until it serves, on a machine that is busy with other things."""
SHORT_SECONDS = 10.0
"""What a part without long work gets to end by itself."""

PROGRAMS: Mapping[Part, tuple[str, ...]] = {
    Part.GATEWAY: (sys.executable, "-m", "infra.gateway"),
    Part.WORKER: (sys.executable, str(ROOT / "worker.py")),
    Part.INGRESS: (sys.executable, "-m", "infra.ingress"),
}


class Stack:
    """Server, gateway, worker and ingress of one home as supervised processes.

    The Temporal server is left out where the environment names another one (`TEMPORAL_ADDRESS`, a profile), the ingress
    where no connection has the secret of a webhook.
    `programs` replaces what is run as a part, `tell` hears of every start, death and stop. Start it from the main
    thread: the kernel ends the processes when the thread that started them ends.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        parts: Iterable[Part] = tuple(Part),
        env: Mapping[str, str] | None = None,
        programs: Mapping[Part, tuple[str, ...]] | None = None,
        tell: Callable[[StackEvent], None] | None = None,
    ) -> None:
        self.settings = absolute(settings)
        self.events: list[StackEvent] = []
        self.ui_url = ""
        self._address = ""
        self._wanted = tuple(parts)
        self._env = {**os.environ, **(env or {})}
        self._programs = {**PROGRAMS, **(programs or {})}
        self._tell = tell
        self._running: dict[Part, Supervised] = {}
        self._held = AsyncExitStack()
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """Connected to the Temporal server, once `start` has returned."""
        if self._client is None:
            raise RuntimeError("The stack is not started.")
        return self._client

    async def start(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Start what is wanted, each part when the one before it serves. `say` hears about long preparations.

        Raises Refused when this home's stack runs already; when a part does not come up, Misused where a setting is at
        fault, else OutOfReach, with the cause.
        """
        self._held.enter_context(home.only_one(self.settings))
        self._held.callback(home.forget, self.settings)
        try:
            await self._start(say)
        except BaseException:
            await self.stop(0)
            raise

    @property
    def ingress_url(self) -> str:
        return f"http://{self.settings.ingress_host}:{self.settings.ingress_port}"

    def pid(self, part: str) -> int:
        return self._running[Part(part)].pid

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one part, as an operator would; when it dies of it, it is started again."""
        self._running[Part(part)].kill(number)

    async def wait_healthy(self, patience_seconds: float = START_SECONDS) -> None:
        """Return when every part serves. Raises TimeoutError."""
        async with asyncio.timeout(patience_seconds):
            for part in self._running.values():
                await part.wait_ready()

    async def stop(self, seconds: float | None = None) -> None:
        """Drain worker, gateway and server, in this order. The worker gets `seconds` to finish running steps, then the
        gateway as long to land calls in flight (default: what the settings allow). What is left then is killed and
        goes on at the next start; a model call that dies with the gateway is paid again."""
        drain = self.settings.shutdown_seconds if seconds is None else seconds
        patience = {Part.WORKER: drain, Part.GATEWAY: drain}
        for part in reversed(Part):
            supervised = self._running.get(part)
            if supervised is not None:
                await supervised.stop(patience.get(part, SHORT_SECONDS))
                del self._running[part]
        self._client = None
        await self._held.aclose()

    async def _start(self, say: Callable[[str], None]) -> None:
        ports = devserver.free_ports(self.settings)
        if "gateway_url" not in self.settings.model_fields_set:
            self.settings = self.settings.model_copy(update={"gateway_url": f"http://127.0.0.1:{ports.gateway}"})
        if "ingress_port" not in self.settings.model_fields_set:
            self.settings = self.settings.model_copy(update={"ingress_port": ports.ingress})
        if Part.SERVER in self._wanted and not server_is_elsewhere():
            await self._start_server(await temporal_cli.provided(self.settings, say), ports)
        self._client = await temporal.connect(self.settings)
        if Part.GATEWAY in self._wanted:
            await self._run(Part.GATEWAY, self._programs[Part.GATEWAY], self._gateway_is_ready)
        if Part.WORKER in self._wanted:
            await temporal.ensure_search_attributes(self._client)
            await self._run(Part.WORKER, self._programs[Part.WORKER], self._worker_is_ready)
        if Part.INGRESS in self._wanted and takes_webhooks(self.settings, self._env):
            await self._run(Part.INGRESS, self._programs[Part.INGRESS], self._ingress_is_ready)

    async def _start_server(self, program: Path, ports: devserver.Ports) -> None:
        self._address = address = f"127.0.0.1:{ports.temporal}"
        self.ui_url = f"http://127.0.0.1:{ports.ui}"
        database = self.settings.home / "temporal.db"

        async def is_ready(_: int) -> bool:
            return await devserver.serves(address)

        async def works() -> bool:
            return self._client is None or await devserver.works(self._client)

        await self._run(Part.SERVER, devserver.command(program, ports, database), is_ready, works)
        await devserver.keep_stories(await temporal.connect(self.settings))

    async def _run(
        self,
        part: Part,
        argv: tuple[str, ...],
        is_ready: Callable[[int], Awaitable[bool]],
        works: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        program = Program(
            name=part,
            argv=argv,
            env=environment(self.settings, part, self._env),
            cwd=ROOT,
            log=self.settings.home / "logs" / f"{part}.log",
            is_ready=is_ready,
            works=works,
            is_ours=part is not Part.SERVER,
            has_spare=part is Part.WORKER and self.settings.spare_worker,
        )
        self._running[part] = Supervised(program, self._heard)
        await self._running[part].start(START_SECONDS)

    def _heard(self, event: StackEvent) -> None:
        self.events.append(event)
        if event.what is What.STARTED:
            self._write_down()
        if self._tell is not None:
            self._tell(event)

    def _write_down(self) -> None:
        """Tell other commands of this home where everything is."""
        if Part.SERVER in self._running:
            server = home.ServerFile(address=self._address, ui=self.ui_url, pid=self.pid(Part.SERVER))
            home.write(self.settings, server)
        address = str(temporal.connection(self.settings).get("target_host", ""))
        pids = {str(part): running.pid for part, running in self._running.items()}
        stack = home.StackFile(
            pid=os.getpid(),
            temporal=address,
            ui=self.ui_url,
            gateway=self.settings.gateway_url,
            board=str(self.settings.board_folder),
            pids=pids,
            ingress=self.ingress_url if Part.INGRESS in self._running else "",
        )
        home.write(self.settings, stack)

    async def _gateway_is_ready(self, _: int) -> bool:
        return await gateway_client.is_healthy(self.settings)

    async def _ingress_is_ready(self, _: int) -> bool:
        return await _answers(f"{self.ingress_url}/healthz")

    async def _worker_is_ready(self, pid: int) -> bool:
        """Whether this very process asks the server for work."""
        try:
            async with asyncio.timeout(2):
                return any(name.startswith(f"{pid}@") for name in await temporal.pollers(self.client, names.WORK))
        except (PawlError, TimeoutError):
            return False


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as web:
            return (await web.get(url)).is_success
    except httpx.HTTPError:
        return False
