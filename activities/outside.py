"""The outside services of this installation, for the worker: what they give, and loaded only where there are any."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from activities.git import TrustedClones
from activities.members import People
from infra.connections import Connections
from workflows.ports.forge import Forge
from workflows.ports.journal import Journal
from workflows.ports.notify import Notify
from workflows.ports.tracker import Tracker


@dataclass
class Outside:
    """What the connections give: trackers by their name, forges by the host of repositories."""

    clones: TrustedClones
    """Let in wherever a connection has a key."""
    trackers: dict[str, Tracker] = field(default_factory=dict[str, Tracker])
    forges: dict[str, Forge] = field(default_factory=dict[str, Forge])
    places: list[Notify] = field(default_factory=list[Notify])
    people: dict[str, People] = field(default_factory=dict[str, People])
    """By connection, where what is sent does not say who spoke."""
    redeliver: dict[str, Callable[[datetime], Awaitable[int]]] = field(
        default_factory=dict[str, Callable[[datetime], Awaitable[int]]]
    )


@asynccontextmanager
async def outside(table: Connections, folder: Path, journal: Journal, home: str) -> AsyncGenerator[Outside]:
    """Adapters for every connection, while entered. `folder` is where trusted clones are; `home`, where people read
    about runs. A connection without its key, or with one that is refused, is said once: whatever needs it fails with
    these words, and everything else works."""
    if not table.connections:
        yield Outside(TrustedClones(folder))
        return
    from activities.connected import connected  # vendors' libraries are more than half of what a worker loads
    from activities.reaching import tell_of_refused

    async with connected(table, folder, journal, home) as found:
        telling = asyncio.create_task(tell_of_refused(table))
        try:
            yield found
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
