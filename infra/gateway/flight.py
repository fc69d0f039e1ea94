"""One call on its way, and everybody who waits for its answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from infra.gateway.tables import Answer


@dataclass
class Flight:
    """The answer as it arrives. Whoever joins sees it from the start; nobody's leaving stops it."""

    origin: str = "bought"
    """How the answer came to be, for the caller's logs: `bought`, `kept` or `tape`."""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    landed: bool = False
    _chunks: list[bytes] = field(default_factory=list[bytes])
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, answer: Answer, origin: str) -> "Flight":
        """An answer that is here already."""
        flight = cls(origin)
        flight.land(answer.status, answer.headers, answer.body)
        return flight

    def begin(self, status: int, headers: dict[str, str]) -> None:
        self.status, self.headers = status, headers
        self._tell()

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._tell()

    def land(self, status: int, headers: dict[str, str], rest: bytes) -> None:
        """Hand on the rest and end. Status and headers count only when nothing has been handed on yet."""
        if not self.status:
            self.status, self.headers = status, headers
        self._chunks.append(rest)
        self.landed = True
        self._tell()

    async def begun(self) -> None:
        """Returns when status and headers are known."""
        while not self.status:
            await self._news.wait()

    async def whole(self) -> bytes:
        while not self.landed:
            await self._news.wait()
        return b"".join(self._chunks)

    async def chunks(self) -> AsyncIterator[bytes]:
        """What has come so far at once, then piece by piece."""
        seen = 0
        while True:
            if seen < len(self._chunks):
                fresh, seen = self._chunks[seen:], len(self._chunks)
                yield b"".join(fresh)
            elif self.landed:
                return
            else:
                await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
