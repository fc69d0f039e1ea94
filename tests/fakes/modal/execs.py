"""One command in a box as Modal keeps it: its output by offset for whoever reads it, however often."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress

from grpclib import GRPCError, Status

from tests.fakes.box import Box

_PIECE = 1 << 16


class Output:
    """What was written to one pipe so far."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ended = False
        self._more = asyncio.Condition()

    async def drain(self, pipe: asyncio.StreamReader) -> None:
        while data := await pipe.read(_PIECE):
            async with self._more:
                self._data += data
                self._more.notify_all()
        async with self._more:
            self._ended = True
            self._more.notify_all()

    async def pieces(self, offset: int) -> AsyncIterator[bytes]:
        while data := await self._from(offset):
            yield data
            offset += len(data)

    async def _from(self, offset: int) -> bytes:
        """What is there, or will be next; empty at the end."""
        async with self._more:
            await self._more.wait_for(lambda: self._ended or len(self._data) > offset)
            return bytes(self._data[offset : offset + _PIECE])


class Exec:
    """A command in a box. Nobody has to watch it, and only its own end or its time ends it."""

    def __init__(self, process: Process, timeout_seconds: float | None) -> None:
        assert process.stdout
        assert process.stderr
        self._process = process
        self.out, self.err = Output(), Output()
        self._written = 0
        readers = (self.out.drain(process.stdout), self.err.drain(process.stderr))
        self._tasks = [asyncio.ensure_future(task) for task in (*readers, self._limit(timeout_seconds))]

    @classmethod
    async def start(
        cls, box: Box, argv: Sequence[str], env: Mapping[str, str], cwd: str, timeout_seconds: float | None
    ) -> "Exec":
        return cls(await box.spawn(argv, env=env, cwd=cwd, stdin=PIPE), timeout_seconds)

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def write(self, offset: int, data: bytes, eof: bool) -> None:
        """What was written before, and comes again because its answer was lost, is not written again."""
        if offset > self._written:
            raise GRPCError(Status.INVALID_ARGUMENT, f"Standard input has {self._written} bytes and not {offset}.")
        new = data[self._written - offset :]
        self._written += len(new)
        assert self._process.stdin
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(new)
            await self._process.stdin.drain()
        if eof:
            self._process.stdin.close()

    async def code(self) -> int:
        """Exit code; negative for a signal."""
        return await self._process.wait()

    async def end(self) -> None:
        if self.running:
            self._process.kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _limit(self, timeout_seconds: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
