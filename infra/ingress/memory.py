"""What a door remembers: deliveries that were taken, and those that are being taken."""

import asyncio
import logging
import traceback
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from infra.exits import PawlError
from infra.ingress.door import Turned

MOST_REMEMBERED = 10_000
"""Deliveries. One that is forgotten and sent again does no harm; remembering saves asking Temporal."""
MOST_AT_ONCE = 200
"""Deliveries that wait for Temporal. More mean that it does not keep up, and senders wait better than we do."""
_LOG = logging.getLogger("pawl.ingress")


class Away(Turned):
    """Not taken now; the same delivery is welcome later."""

    status = 503


class Memory:
    """One door's. Lost with the process, which does no harm: see `deliver.carry`."""

    def __init__(self, most: int = MOST_REMEMBERED, at_once: int = MOST_AT_ONCE) -> None:
        self._most, self._at_once = most, at_once
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[bool]] = {}

    def __len__(self) -> int:
        """How many deliveries it remembers."""
        return len(self._taken)

    async def once(self, delivery: str, take: Callable[[], Awaitable[None]], seconds: float) -> bool:
        """Take the delivery unless it was taken; False when it was. Two tries at once wait for the same taking. It is
        never broken off, for Temporal may have begun with it: where it takes longer than `seconds` the sender is told
        to try again, and then finds it taken. Raises Away."""
        if delivery in self._taken:
            return False
        task = self._under_way.get(delivery)
        is_first = task is None
        if task is None:
            if len(self._under_way) >= self._at_once:
                raise Away("Too many deliveries wait.")
            task = asyncio.create_task(self._take(delivery, take))
            self._under_way[delivery] = task
        await asyncio.wait({task}, timeout=max(0.0, seconds))
        if not task.done():
            raise Away("Temporal takes too long.")
        if not task.result():
            raise Away("Temporal did not take it.")
        return is_first

    async def drain(self, seconds: float) -> None:
        """Wait for what is being taken."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=seconds)

    async def _take(self, delivery: str, take: Callable[[], Awaitable[None]]) -> bool:
        try:
            await take()
        except PawlError as error:
            _LOG.warning("A delivery was not taken: %s", error)
            return False
        except Exception as error:  # a bug: the sender keeps the delivery and tries again, others are served
            # The message may hold what was delivered; where it happened does not.
            last = traceback.extract_tb(error.__traceback__)[-1]
            _LOG.error("A delivery failed: %s at %s:%d", type(error).__name__, last.filename, last.lineno or 0)
            return False
        finally:
            del self._under_way[delivery]
        self._taken[delivery] = None
        if len(self._taken) > self._most:
            self._taken.popitem(last=False)
        return True
