"""Sandboxes of tickets that have ended with nobody left to destroy them."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from activities.sandbox.sweep import sweep
from activities.sweeping import Swept
from workflows.ports.sandbox import OURS, Sandbox

LEASE = timedelta(hours=6)
"""Longer than any preparation, and than it takes from asking who is alive to the end of a sweep."""

IsAlive = Callable[[str], Awaitable[bool]]
"""Whether a ticket, by its identifier, is under way. Where that cannot be told it raises, and nothing is removed."""


async def sweep_orphans(sandbox: Sandbox, is_alive: IsAlive, now: datetime) -> Swept:
    """Remove our sandboxes that are older than the lease, unless their ticket is under way. Those of preparations have
    no ticket."""
    old = [info for info in await sandbox.list(OURS) if now - info.created > LEASE]
    tickets = {ticket for info in old if (ticket := info.labels.get("ticket", ""))}
    alive = {ticket for ticket in tickets if await is_alive(ticket)}
    spared = {info.ref.key for info in old if info.labels.get("ticket", "") in alive}
    return await sweep(sandbox, OURS, spared, LEASE, now)
