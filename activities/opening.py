"""The outside services of this installation, for the worker: loaded only where there are any."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from activities.git import TrustedClones
from activities.outside import Outside
from infra.connections import Connections
from workflows.ports.journal import Journal


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
