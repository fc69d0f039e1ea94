"""Notes said in several places at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import activity

from workflows.ports.notify import Note, Notify


@dataclass
class EverywhereNotify(Notify):
    """Each place says a note once per key, so that a retry repeats only what failed."""

    places: Sequence[Notify]

    @activity.defn
    async def post_note(self, note: Note) -> None:
        """Raises what the first place raised that failed, when all have been tried."""
        results = await asyncio.gather(*(place.post_note(note) for place in self.places), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
