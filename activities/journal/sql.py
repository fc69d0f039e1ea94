"""The journal over a database and an object store, with one commit for all that waits to be written."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from infra.journal import SMALL, JournalStore
from workflows.ports.journal import Entry, Journal


@dataclass(eq=False)
class _Waiting:
    """A write that waits for its commit."""

    what: Entry | bytes
    done: asyncio.Future[Entry | str]


class SqlJournal(Journal):
    """Writers that come while a commit is under way share the next one: under load, many turns cost one disk sync.

    Belongs to one event loop. The blocking work runs in threads.
    """

    def __init__(self, store: JournalStore) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def put(self, entry: Entry) -> Entry:
        return cast(Entry, await self._written(entry))

    async def get(self, session: str, key: str) -> Entry | None:
        return await asyncio.to_thread(self._store.get, session, key)

    async def entries(self, session: str, first: int = 0, last: int | None = None) -> list[Entry]:
        return await asyncio.to_thread(self._store.entries, session, first, last)

    async def keep(self, data: bytes) -> str:
        if len(data) > SMALL:
            return await asyncio.to_thread(self._store.keep, data)
        return cast(str, await self._written(data))

    async def load(self, ref: str) -> bytes:
        return await asyncio.to_thread(self._store.load, ref)

    async def _written(self, what: Entry | bytes) -> Entry | str:
        waiting = _Waiting(what, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await waiting.done

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._write(batch)
            except Exception:
                for waiting in batch:  # one unwritable entry must not fail its neighbours
                    await self._write_alone(waiting)

    async def _write_alone(self, waiting: _Waiting) -> None:
        try:
            await self._write([waiting])
        except Exception as error:
            if not waiting.done.done():
                waiting.done.set_exception(error)

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        stored = await asyncio.to_thread(self._store.write, [waiting.what for waiting in batch])
        for waiting, answer in zip(batch, stored, strict=True):
            if not waiting.done.done():  # its caller may have been cancelled; the write stands all the same
                waiting.done.set_result(answer)
