"""The proxy itself: one request per connection, answered by a refusal or joined to the server it asked for."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, NoReturn

from activities.sandbox.egress.body import Broken, announced, everything
from activities.sandbox.egress.head import BadHead, Head, read_head
from activities.sandbox.egress.hello import NO_SUCH_NAME, BadHello, opening
from activities.sandbox.egress.log import Full, Log, Traffic
from activities.sandbox.egress.route import ends_here
from workflows.domain import egress
from workflows.domain.egress import Address, Rule

Resolve = Callable[[str, int], Awaitable[list[Address]]]

_AT_ONCE = 256
_HEAD_BYTES = 64 * 1024
_CHUNK = 64 * 1024
_HEAD_SECONDS = 30.0
_DIAL_SECONDS = 20.0
_IDLE_SECONDS = 600.0
_ALLOWLIST = "pawl.sandbox.network of WORKFLOW.md"


class Denied(Exception):
    """The rules do not allow it; the message is for whoever runs the command."""


class Unreachable(Exception):
    """Allowed, and nobody answers there."""


class Misnamed(Exception):
    """A tunnel to an allowed server asks it for another one, whose name the rules do not allow."""


class Proxy:
    """Serves the connections of one job."""

    def __init__(self, rules: Sequence[Rule], log: Log, resolve: Resolve | None = None) -> None:
        """`resolve` finds the addresses of a name; default: as this machine does."""
        self._rules, self._log = tuple(rules), log
        self._resolve = resolve or resolved
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def serve(self, listener: socket.socket) -> None:
        """Until cancelled."""
        server = await asyncio.start_server(self._one, sock=listener, limit=_HEAD_BYTES)
        async with server:
            await server.serve_forever()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._free:
            with contextlib.suppress(OSError):
                await self._answer(reader, writer)
            await _closed(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = read_head(await reader.readuntil(b"\r\n\r\n"))
        except (BadHead, asyncio.LimitOverrunError) as error:
            return await self._refuse_unread(writer, str(error))
        except (asyncio.IncompleteReadError, TimeoutError):
            return None
        try:
            traffic, server_reader, server_writer = await self._dialled(head)
        except Full as error:
            return await _refuse(writer, "429 Too Many Requests", str(error))
        except Denied as error:
            return await _refuse(writer, "403 Forbidden", str(error))
        except Unreachable as error:
            return await _refuse(writer, "502 Bad Gateway", str(error))
        said = self._tunnelled(head, reader, writer) if head.body is None else announced(head.body, reader)
        there = _Pipe(said, server_writer, traffic.went_out)
        back = _Pipe(everything(server_reader), writer, traffic.came_in)
        try:
            if head.forward:
                traffic.went_out(len(head.forward))
                server_writer.write(head.forward)
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _joined(there, back)
        finally:
            traffic.ended()
            await _closed(server_writer)
        return None

    async def _tunnelled(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> AsyncGenerator[bytes]:
        """What the client says to a server it has asked for by name. Raises Misnamed, Broken, OSError."""
        if egress.literal(head.host) is None:
            try:
                begun = await opening(reader)
            except asyncio.IncompleteReadError as error:
                raise Broken from error
            except BadHello:
                self._misnamed(writer, head, f"What was said to {head.host}:{head.port} begins as TLS and is none.")
            else:
                if begun.name is not None and egress.covering(self._rules, begun.name, head.port) is None:
                    where = f"{begun.name}:{head.port}"
                    self._misnamed(
                        writer, head, f"{where}, announced to {head.host}, is not on the allowlist ({_ALLOWLIST})."
                    )
                yield begun.data
        async for data in everything(reader):
            yield data

    def _misnamed(self, writer: asyncio.StreamWriter, head: Head, why: str) -> NoReturn:
        with contextlib.suppress(Full):
            self._log.refused(verb="TLS", host=head.host, port=head.port, why=why)
        writer.write(NO_SUCH_NAME)
        raise Misnamed(why)

    async def _refuse_unread(self, writer: asyncio.StreamWriter, words: str) -> None:
        status = "400 Bad Request"
        try:
            self._log.refused(why=words)
        except Full as error:
            status, words = "429 Too Many Requests", str(error)
        await _refuse(writer, status, words)

    async def _dialled(self, head: Head) -> tuple[Traffic, asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection to what was asked for. Raises Denied, Unreachable, Full."""
        asked: dict[str, Any] = {"verb": head.method, "host": head.host, "port": head.port}
        try:
            rule, addresses = await self._allowed(head)
        except (Denied, Unreachable) as error:
            self._log.refused(**asked, why=str(error))
            raise
        failed: list[str] = []
        for address in addresses:
            traffic = self._log.allowed(**asked, rule=rule.text, address=str(address))
            try:
                async with asyncio.timeout(_DIAL_SECONDS):
                    # the address that was checked: nobody asks for the name a second time
                    return traffic, *await asyncio.open_connection(str(address), head.port, limit=_CHUNK)
            except (OSError, TimeoutError) as error:
                traffic.ended()
                failed.append(f"{address} ({error or 'no answer'})")
        raise Unreachable(f"{head.host}:{head.port} cannot be reached at {', '.join(failed)}.")

    async def _allowed(self, head: Head) -> tuple[Rule, list[Address]]:
        where = f"{head.host}:{head.port}"
        rule = egress.covering(self._rules, head.host, head.port)
        if rule is None:
            raise Denied(f"{where} is not on the allowlist of this sandbox ({_ALLOWLIST}).")
        spelled = egress.literal(head.host)
        found = [spelled] if spelled else await self._addresses(head)
        may = [address for address in found if egress.may_dial(self._rules, address, head.port, ends_here)]
        if not may:
            raise Denied(
                f"{where} is at {found[0]}, which is no public address of another machine. If that is meant, the "
                f"allowlist must name the address as well ({_ALLOWLIST})."
            )
        return rule, may

    async def _addresses(self, head: Head) -> list[Address]:
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                found = await self._resolve(head.host, head.port)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise Unreachable(f"The name {head.host} cannot be resolved ({error}).") from error
        if not found:
            raise Unreachable(f"The name {head.host} has no address.")
        return found


async def resolved(host: str, port: int) -> list[Address]:
    """The addresses of a name, the machine's preferred one first. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [egress.literal(str(at[0])) for *_, at in found]
    return [address for address in dict.fromkeys(addresses) if address is not None]


async def _joined(there: "_Pipe", back: "_Pipe") -> None:
    """Pass on what both sides say until the server has ended."""
    sending = asyncio.create_task(there.run())
    try:
        await back.run()
    finally:
        sending.cancel()
        await asyncio.wait({sending})


class _Pipe:
    """One direction of a connection."""

    def __init__(self, said: AsyncGenerator[bytes], writer: asyncio.StreamWriter, count: Callable[[int], None]) -> None:
        self._said, self._writer, self._count = said, writer, count

    async def run(self) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            try:
                while data := await asyncio.wait_for(anext(self._said, b""), _IDLE_SECONDS):
                    self._count(len(data))
                    self._writer.write(data)
                    await self._writer.drain()
            except Broken:  # whoever listens learns that there is no more
                pass
            except Misnamed:
                return self._writer.close()
            if self._writer.can_write_eof():
                self._writer.write_eof()
        return None


async def _refuse(writer: asyncio.StreamWriter, status: str, words: str) -> None:
    body = f"pawl: {words}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    await writer.drain()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
