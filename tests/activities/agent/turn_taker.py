"""Worker processes that take one turn each and kill themselves at a boundary.

The program imports everything once, then forks a process for each line of JSON it reads: see Start.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import httpx
from pydantic import TypeAdapter

from activities.journal.sql import SqlJournal
from activities.model.gateway import GatewayRuns
from infra.journal import JournalStore
from tests.activities.agent.bench import agent_on
from tests.activities.agent.folders import FolderCheckout, FolderCheckouts
from workflows.domain.model import Record
from workflows.domain.session import TakeTurn, WorkspaceOrder
from workflows.ports.journal import Entry
from workflows.ports.workspace import Checkout, Ran


class Killer:
    """Kills the process the n-th time it comes past the boundary: `before tool 2`, `after write 1`, ..."""

    def __init__(self, boundary: str) -> None:
        self._boundary = boundary
        self._passed: dict[str, int] = {}

    def past(self, when: str, what: str) -> None:
        name = f"{when} {what}"
        self._passed[name] = self._passed.get(name, 0) + 1
        if f"{name} {self._passed[name]}" == self._boundary:
            os.kill(os.getpid(), signal.SIGKILL)


class DeadlyJournal(SqlJournal):
    def __init__(self, store: JournalStore, killer: Killer) -> None:
        super().__init__(store)
        self._killer = killer

    async def put(self, entry: Entry) -> Entry:
        self._killer.past("before", entry.kind)
        stored = await super().put(entry)
        self._killer.past("after", entry.kind)
        return stored


class DeadlyCheckout(FolderCheckout):
    killer: Killer

    async def run(self, job: str, command: str, timeout_seconds: float) -> Ran:
        running = asyncio.create_task(super().run(job, command, timeout_seconds))
        out = self._folder / "jobs" / job / "out"
        while not out.exists() and not running.done():  # noqa: ASYNC110  # another process makes the file
            await asyncio.sleep(0.002)
        self.killer.past("during", "run")
        return await running

    async def write(self, path: str, data: bytes) -> None:
        await super().write(path, data)
        self.killer.past("after", "write")

    async def keep_state(self, job: str) -> str | None:
        state = await super().keep_state(job)
        self.killer.past("after", "keep")
        return state


class DeadlyCheckouts(FolderCheckouts):
    killer: Killer

    async def open(self, order: WorkspaceOrder) -> Checkout:
        await super().open(order)
        checkout = DeadlyCheckout(self.folder(order.key), self.root / "base", self._journal)
        checkout.killer = self.killer
        return checkout


class Start(Record):
    """One worker's life."""

    folder: Path
    gateway_url: str
    gateway_secret: str
    turn: TakeTurn
    boundary: str = ""
    """Where it kills itself; empty: nowhere."""
    report: Path
    """The file its report goes to."""


async def take(start: Start) -> None:
    killer = Killer(start.boundary)
    store = JournalStore(f"sqlite:///{start.folder}/journal.db", start.folder / "objects")
    journal = DeadlyJournal(store, killer)
    checkouts = DeadlyCheckouts(start.folder / "sandboxes", journal)
    checkouts.killer = killer
    async with httpx.AsyncClient(base_url=start.gateway_url) as http:
        agent = agent_on(journal, checkouts, GatewayRuns(http, start.gateway_secret), start.gateway_url)
        report = await agent.take_turn(start.turn)
        await agent.close()
    start.report.write_text(report.model_dump_json())


def life(start: Start) -> NoReturn:
    try:
        asyncio.run(take(start))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def serve() -> None:
    """Read a JSON list of Starts, live them at the same time, print their wait statuses as a JSON list; and so on."""
    for line in sys.stdin:
        pids = [os.fork() or life(start) for start in TypeAdapter(list[Start]).validate_json(line)]
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]), flush=True)


if __name__ == "__main__":
    serve()
