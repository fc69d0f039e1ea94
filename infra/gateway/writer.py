"""One thread that writes: what waits while it commits shares the next commit."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa

_T = TypeVar("_T")
_Job = Callable[[sa.Connection], Any]


class Declined(Exception):
    """A job's way to say no. It concerns its caller only: what the job wrote until then stands."""


class Writer:
    """Runs jobs on the database, in order, and answers when they are on disk. A disk that takes five milliseconds to
    sync would allow a hundred calls a second if each commit were one job's own."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._waiting: list[tuple[_Job, asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def write(self, job: Callable[[sa.Connection], _T]) -> _T:
        """Run the job in a transaction, maybe with others; its result, once that is committed, or its exception."""
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        return await done

    def close(self) -> None:
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            results = await loop.run_in_executor(self._thread, self._commit, [job for job, _ in batch])
            for (_, done), result in zip(batch, results, strict=True):
                if done.cancelled():
                    continue
                if isinstance(result, Exception):
                    done.set_exception(result)
                else:
                    done.set_result(result)
        self._committing = None

    def _commit(self, jobs: list[_Job]) -> list[Any]:
        """The jobs' results, or the exceptions they raised. One that breaks takes nobody else's work with it."""
        try:
            with self._engine.begin() as connection:
                return [_attempt(job, connection) for job in jobs]
        except Exception as error:
            return [error] if len(jobs) == 1 else [self._commit([job])[0] for job in jobs]


def _attempt(job: _Job, connection: sa.Connection) -> object:
    try:
        return job(connection)
    except Declined as refusal:
        return refusal
