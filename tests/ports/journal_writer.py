"""A process that writes to a journal until it is done or killed: `python -m tests.ports.journal_writer`."""

import asyncio
import sys
from pathlib import Path

from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from workflows.ports.journal import Entry, EntryKind


async def write(folder: Path, name: str, count: int) -> None:
    """Four writers race for the same keys; each line printed is a promise that the write is durable."""
    journal = SqlJournal(JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects"))

    async def one(writer: int) -> None:
        for n in range(count):
            body = f"{name}.{writer}.{n}".encode() * (5_000 if n % 10 == 0 else 1)
            ref = await journal.keep(body)
            mine = Entry(session=f"s.{name}.{writer}", seq=n, kind=EntryKind.STATE, key=f"own-{n}", body=ref)
            await journal.put(mine)
            raced = Entry(session="shared", seq=n, kind=EntryKind.TOOL, key=f"k-{n}", body=f"{name}.{writer}")
            won = await journal.put(raced)
            print(mine.session, n, ref, won.body, flush=True)

    await asyncio.gather(*(one(writer) for writer in range(4)))


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
