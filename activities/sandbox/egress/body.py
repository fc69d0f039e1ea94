"""What follows the head of a request: as much as it announced, and nothing of what a client says after that."""

import asyncio
import re
from collections.abc import AsyncGenerator

from activities.sandbox.egress.head import CHUNKED

_PIECE = 64 * 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n]*)?\r\n")
_TRAILERS = 64 * 1024


class Broken(Exception):
    """The body is not what the head announced."""


async def everything(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    """What is said until the end. Raises OSError."""
    while data := await reader.read(_PIECE):
        yield data


async def announced(body: int, reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    """What the client says to the server as the body of `body` bytes, or CHUNKED. Ends when it hangs up. Raises Broken,
    OSError."""
    try:
        async for data in _chunks(reader) if body == CHUNKED else _exactly(reader, body):
            yield data
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Broken from error
    async for _ in everything(reader):  # another request, or nonsense: the server hears none of it
        continue


async def _exactly(reader: asyncio.StreamReader, count: int) -> AsyncGenerator[bytes]:
    while count:
        data = await reader.read(min(count, _PIECE))
        if not data:
            raise Broken
        count -= len(data)
        yield data


async def _chunks(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    """In chunks of our own writing, so that the server reads the same end as we do. Trailers stay behind."""
    while size := await _size(reader):
        yield b"%x\r\n" % size
        async for data in _exactly(reader, size):
            yield data
        if await reader.readexactly(2) != b"\r\n":
            raise Broken
        yield b"\r\n"
    room = _TRAILERS
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        room -= len(line)
        if room < 0:
            raise Broken
    yield b"0\r\n\r\n"


async def _size(reader: asyncio.StreamReader) -> int:
    line = _SIZE.fullmatch(await reader.readuntil(b"\r\n"))
    if line is None:
        raise Broken
    return int(line[1], 16)
