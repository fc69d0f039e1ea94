"""The double as a server: in a thread of a test run, or by hand (`python -m tests.fakes.modal`)."""

import asyncio
import socket
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from grpclib._typing import IServable
from grpclib.protocol import H2Protocol
from grpclib.server import Server
from modal._utils.grpc_utils import custom_detail_codec
from modal_proto.api_grpc import ModalClientBase
from modal_proto.task_command_router_grpc import TaskCommandRouterBase

from tests.fakes.modal.control import ControlPlane, Tokens
from tests.fakes.modal.faults import Faults
from tests.fakes.modal.router import Router
from tests.fakes.modal.sandboxes import Sandboxes
from tests.fakes.modal.service import Service


class _Server(Server):
    """Knows its connections, so that they can be closed: clients keep theirs for as long as they can."""

    def __init__(self, services: Sequence[IServable]) -> None:
        super().__init__(services, status_details_codec=custom_detail_codec)
        self._connections: list[H2Protocol] = []

    def _protocol_factory(self) -> H2Protocol:
        connection = super()._protocol_factory()
        self._connections.append(connection)
        return connection

    async def hang_up(self) -> None:
        for connection in self._connections:
            connection.connection.close()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next round


class Double:
    """Control plane and workers behind one port of the loopback."""

    def __init__(self, root: Path) -> None:
        self.faults = Faults()
        self.tokens = Tokens()
        self.sandboxes = Sandboxes(root)
        self.url = ""
        self._control = ControlPlane(self.sandboxes, self.tokens)
        self._services = [
            Service(ModalClientBase, self._control, self.faults),
            Service(TaskCommandRouterBase, Router(self.sandboxes, self.tokens), self.faults),
        ]
        self._server: _Server | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What makes the client come here, with nobody's real credentials."""
        return {
            "MODAL_SERVER_URL": self.url,
            "MODAL_TOKEN_ID": self.tokens.id,
            "MODAL_TOKEN_SECRET": self.tokens.secret,
            "MODAL_CONFIG_PATH": "/nonexistent/modal.toml",
        }

    async def start(self, port: int = 0) -> None:
        self._server = _Server(self._services)
        listener = socket.create_server(("127.0.0.1", port))
        await self._server.start(sock=listener)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._control.url = self.url

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        await self.sandboxes.close()
        await self._server.wait_closed()
        await self._server.hang_up()


@contextmanager
def serving() -> Generator[Double]:
    """A double in a thread of its own. Boxes die with the thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="double of Modal", daemon=True)
    thread.start()
    double = Double(Path(tempfile.mkdtemp(prefix="pawl-modal-")))
    try:
        asyncio.run_coroutine_threadsafe(double.start(), loop).result()
        yield double
        asyncio.run_coroutine_threadsafe(double.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
