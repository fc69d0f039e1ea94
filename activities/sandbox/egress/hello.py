"""How a tunnel begins: where that is TLS, with the name the client announces to the server."""

import asyncio
import struct
from typing import NamedTuple

_HANDSHAKE, _CLIENT_HELLO = 0x16, 1
_SERVER_NAME, _HOST_NAME = 0, 0
_MOST_RECORD = 1 << 14
_MOST = 64 * 1024
_LONGEST_NAME = 255
NO_SUCH_NAME = bytes((0x15, 3, 3, 0, 2, 2, 112))
"""What TLS has for it: a fatal alert."""


class BadHello(Exception):
    """It begins like TLS and goes on otherwise, or in a way that two readers may read differently."""


class Opening(NamedTuple):
    data: bytes
    """All that was read so far."""
    name: str | None
    """What TLS announces; None where it announces nothing, or this is no TLS."""


async def opening(reader: asyncio.StreamReader) -> Opening:
    """Raises BadHello, IncompleteReadError."""
    first = await reader.readexactly(1)
    if first[0] != _HANDSHAKE:
        return Opening(first, None)
    data, message = b"", b""
    header = first + await reader.readexactly(4)
    while True:
        kind, _, length = struct.unpack(">BHH", header)
        if kind != _HANDSHAKE or not 0 < length <= _MOST_RECORD or len(data) + length > _MOST:
            raise BadHello
        piece = await reader.readexactly(length)
        data, message = data + header + piece, message + piece
        if message[0] != _CLIENT_HELLO:
            raise BadHello
        end = 4 + int.from_bytes(message[1:4], "big")
        if len(message) >= max(4, end):
            return Opening(data, _announced(_Bytes(message[4:end])))
        header = await reader.readexactly(5)


class _Bytes:
    """Read from the front. Raises BadHello where there is too little."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, count: int) -> bytes:
        if count > len(self._left):
            raise BadHello
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def part(self, size: int) -> "_Bytes":
        """What follows its own length, a number of `size` bytes."""
        return _Bytes(self.take(self.number(size)))


def _announced(hello: _Bytes) -> str | None:
    hello.take(2 + 32)  # version, random
    for size in (1, 2, 1):  # session, ciphers, compressions
        hello.part(size)
    extensions = hello.part(2) if hello else _Bytes(b"")
    if hello:
        raise BadHello
    names: list[str] = []
    while extensions:
        kind, content = extensions.number(2), extensions.part(2)
        if kind == _SERVER_NAME:
            names.append(_name(content))
    if len(names) > 1:
        raise BadHello
    return names[0] if names else None


def _name(content: _Bytes) -> str:
    listed = content.part(2)
    kind, name = listed.number(1), listed.take(listed.number(2))
    if kind != _HOST_NAME or listed or content or len(name) > _LONGEST_NAME:
        raise BadHello
    return name.decode("latin-1")
