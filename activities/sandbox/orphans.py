"""Sandboxes of tickets that have ended with nobody left to destroy them, removed on a schedule."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from activities.sandbox.sweep import Swept, sweep
from workflows.ports.sandbox import OURS, Sandbox

_LOG = logging.getLogger(__name__)
LEASE = timedelta(hours=6)
"""Longer than any preparation, and than it takes from asking who is alive to the end of a sweep."""
PAUSE = timedelta(minutes=10)

IsAlive = Callable[[str], Awaitable[bool]]
"""Whether a ticket, by its identifier, is under way. Where that cannot be told it raises, and nothing is removed."""


@asynccontextmanager
async def sweeping(sandbox: Sandbox, is_alive: IsAlive) -> AsyncGenerator[None]:
    """Remove orphans now and every ten minutes, while the block runs."""
    task = asyncio.create_task(_sweep_for_ever(sandbox, is_alive))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def sweep_orphans(sandbox: Sandbox, is_alive: IsAlive, now: datetime) -> Swept:
    """Remove our sandboxes that are older than the lease, unless their ticket is under way. Those of preparations have
    no ticket."""
    old = [info for info in await sandbox.list(OURS) if now - info.created > LEASE]
    tickets = {ticket for info in old if (ticket := info.labels.get("ticket", ""))}
    alive = {ticket for ticket in tickets if await is_alive(ticket)}
    spared = {info.ref.key for info in old if info.labels.get("ticket", "") in alive}
    return await sweep(sandbox, OURS, spared, LEASE, now)


async def _sweep_for_ever(sandbox: Sandbox, is_alive: IsAlive) -> None:
    while True:
        try:
            swept = await sweep_orphans(sandbox, is_alive, datetime.now(UTC))
            if swept.destroyed or swept.failed:
                _LOG.warning("Orphaned sandboxes: removed %s; not removed %s.", swept.destroyed, swept.failed)
        except Exception as error:  # the provider or Temporal is away: what is left now is still there later
            _LOG.warning("Orphaned sandboxes could not be looked for: %s", error)
        await asyncio.sleep(PAUSE.total_seconds())
