"""Two workers at the same turn, because one of them was only thought dead: they agree, and nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from activities.agent.builtin import BuiltinAgent
from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from tests.activities.agent.bench import Bench, agent_on, bench, in_order, says, use
from tests.activities.agent.folders import FolderCheckout, FolderCheckouts
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Entry, EntryKind
from workflows.ports.workspace import Checkout

ANSWER = says(
    use("edit", path="a.py", old="two", new="two and a half"),
    use("edit", path="b.py", old="", new="new\n"),
    use("bash", command="echo more >> b.py"),
)
Passing = Callable[[str], Awaitable[None]]
"""Called with `intent 1`, `read 2`, ...: an intent was journaled, a file is about to be read, was just written."""


class WatchedJournal(SqlJournal):
    passing: Passing

    async def put(self, entry: Entry) -> Entry:
        stored = await super().put(entry)
        if entry.kind is EntryKind.INTENT:
            await self.passing("intent")
        return stored


class WatchedCheckout(FolderCheckout):
    passing: Passing

    async def read(self, path: str, max_bytes: int) -> bytes:
        await self.passing("read")
        return await super().read(path, max_bytes)

    async def write(self, path: str, data: bytes) -> None:
        await super().write(path, data)
        await self.passing("write")


class WatchedCheckouts(FolderCheckouts):
    passing: Passing

    async def open(self, order: WorkspaceOrder) -> Checkout:
        await super().open(order)
        checkout = WatchedCheckout(self.folder(order.key), self.root / "base", self._journal)
        checkout.passing = self.passing
        return checkout


@pytest.fixture
async def b(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, in_order(ANSWER)) as made:
        yield made


def worker(b: Bench, stop_at: str, reached: asyncio.Event, go_on: asyncio.Event) -> BuiltinAgent:
    """A worker that stands still at one place, says so, and waits until it may go on."""
    passed: list[str] = []

    async def passing(what: str) -> None:
        passed.append(what)
        if f"{what} {passed.count(what)}" == stop_at:
            reached.set()
            await go_on.wait()

    journal = WatchedJournal(JournalStore(f"sqlite:///{b.folder}/journal.db", b.folder / "objects"))
    checkouts = WatchedCheckouts(b.checkouts.root, journal)
    journal.passing = checkouts.passing = passing
    return agent_on(journal, checkouts, b.gateway.runs, b.gateway.url)


@pytest.mark.parametrize("edit", [1, 2])
@pytest.mark.parametrize("standstill", ["intent", "write"])
async def test_a_worker_that_stands_still_is_overtaken(b: Bench, standstill: str, edit: int) -> None:
    """The other one reads a file that the first has changed by then, and must not take its own edit for refused; the
    first goes on with files that are further on than it thinks, and must not write what it had in mind."""
    turn = await b.opened()
    about_to_read, stands_still, overtaken = asyncio.Event(), asyncio.Event(), asyncio.Event()
    first = worker(b, f"{standstill} 1", stands_still, overtaken)  # whatever comes before is done by the second
    second = worker(b, f"read {edit}", about_to_read, stands_still)
    async with asyncio.TaskGroup() as both:
        taking_second = both.create_task(second.take_turn(turn))
        await about_to_read.wait()
        taking_first = both.create_task(first.take_turn(turn))
        report = await taking_second
        overtaken.set()
    await first.close()
    await second.close()
    assert taking_first.result() == report
    assert report.summary == "edit a.py; edit b.py; bash echo more >> b.py: exited 0"
    assert (b.files / "a.py").read_text() == "one\ntwo and a half\n"
    assert (b.files / "b.py").read_text() == "new\nmore\n"
    assert b.provider.total == 1
