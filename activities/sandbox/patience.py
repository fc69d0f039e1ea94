"""Waiting for a vendor: how often to look, and for how long."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from workflows.ports.sandbox import Transient

_FIRST = 0.05
_LONGEST = 2.0


def pauses() -> Iterator[float]:
    """Seconds between looks at what a vendor is doing: short at first, then longer."""
    seconds = _FIRST
    while True:
        yield seconds
        seconds = min(2 * seconds, _LONGEST)


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncGenerator[None]:
    """Raises Transient when it takes longer. `what` begins the sentence."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Transient(f"{what} did not end within {seconds:g} seconds.") from None
