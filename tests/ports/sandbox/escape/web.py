"""An attacker's side of the proxy: a web server it may reach, and words the proxy does not expect."""

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from activities.sandbox.egress.log import Log
from activities.sandbox.egress.proxy import Proxy, Resolve
from activities.sandbox.supervisor.egress import ROOM
from tests.ports.sandbox.providers import MODEST
from workflows.domain import egress
from workflows.ports.sandbox import Sandbox, SandboxRef, SandboxSpec

ASK = """
def asked(request, at=("127.0.0.1", 3128)):
    '''The status of the proxy's answer, and all it said; 0 when it hung up.'''
    s = socket.create_connection(at, timeout=20)
    s.sendall(request)
    try:
        data = b""
        while more := s.recv(65536): data += more
    except ConnectionResetError: pass
    return (int(data.split()[1]) if data.startswith(b"HTTP/1.") else 0), data
def status(request): return asked(request)[0]
END = b"\\r\\n\\r\\n"
"""


class Server:
    """Answers `/to?URL` with a redirect there and everything else with `hello`, and remembers what it was sent."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):  # whoever has called thought better of it
            writer.close()
            return
        self.heard.append(head)
        path = head.split()[1]
        if path.startswith(b"/to?"):
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: " + path[4:] + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def serving(host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.answer, host, port)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


async def let_out(sandbox: Sandbox, *rules: str, key: str = "out") -> SandboxRef:
    return await sandbox.ensure(SandboxSpec(key=key, limits=MODEST, egress=rules))


def decisions(tmp_path: Path, job: str = "attack") -> list[dict[str, object]]:
    [log] = (tmp_path / "sandboxes").glob(f"*/jobs/{job}-*/egress")
    return [json.loads(line) for line in log.read_text().splitlines()]


def hello(name: str | None) -> bytes:
    """What a client of TLS says first, in one record."""
    context = ssl.create_default_context()
    context.check_hostname = False
    said = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=name).do_handshake()
    return said.read()


class Ear:
    """A server that remembers all it is sent, and answers `hello` when nothing more comes."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = b""

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError):
            while data := await asyncio.wait_for(reader.read(65_536), 0.3):
                self.heard += data
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def hearing() -> AsyncGenerator[Ear]:
    ear = Ear()
    listening = await asyncio.start_server(ear.hear, "127.0.0.1", 0)
    ear.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield ear


Ask = Callable[[str | bytes], Awaitable[bytes]]


@asynccontextmanager
async def proxied(rules: list[str], resolve: Resolve) -> AsyncGenerator[Ask]:
    """The proxy itself with a resolver of ours, which the hosts file of a machine cannot be."""
    listener = socket.create_server(("127.0.0.1", 0))
    where = listener.getsockname()
    log = os.memfd_create("log")
    proxy = Proxy([egress.parse(rule) for rule in rules], Log(log, ROOM), resolve)
    serving = asyncio.create_task(proxy.serve(listener))

    async def ask(request: str | bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(request.encode() if isinstance(request, str) else request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    try:
        yield ask
    finally:
        serving.cancel()
        await asyncio.wait({serving})
        listener.close()
        os.close(log)
