"""What nobody needs any more and costs somebody is removed on a schedule, as long as a worker runs."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from workflows.domain.model import Record

_LOG = logging.getLogger(__name__)
PAUSE = timedelta(minutes=10)


class Swept(Record):
    removed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    """What could not be removed, with the cause, for people. The next sweep tries again."""


Sweep = Callable[[datetime], Awaitable[Swept]]
"""Told what time it is. What keeps it from looking at all it raises."""


@asynccontextmanager
async def sweeping(sweeps: Mapping[str, Sweep], pause: timedelta = PAUSE) -> AsyncGenerator[None]:
    """Sweep now and after every pause, while the block runs. The keys say what is swept, for the log."""
    task = asyncio.create_task(_sweep_for_ever(sweeps, pause))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _sweep_for_ever(sweeps: Mapping[str, Sweep], pause: timedelta) -> None:
    while True:
        for what, sweep in sweeps.items():
            try:
                swept = await sweep(datetime.now(UTC))
                if swept.removed or swept.failed:
                    _LOG.warning("%s: removed %s; not removed %s.", what, swept.removed, swept.failed)
            except Exception as error:  # who must be asked is away: what is left now is still there later
                _LOG.warning("%s could not be looked for: %s", what, error)
        await asyncio.sleep(pause.total_seconds())
