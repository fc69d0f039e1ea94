"""Notes said in several places at once."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

from temporalio import activity

from workflows.ports.notify import Digest, Note, Notify


@dataclass
class EverywhereNotify(Notify):
    """Each place says a note once per key, so that a retry repeats only what failed."""

    places: Sequence[Notify]

    @activity.defn
    async def post_note(self, note: Note) -> None:
        """Raises what the first place raised that failed, when all have been tried."""
        await _all(place.post_note(note) for place in self.places)

    @activity.defn
    async def post_digest(self, digest: Digest) -> None:
        """Raises as `post_note` does."""
        await _all(place.post_digest(digest) for place in self.places)


async def _all(saying: Iterable[Awaitable[None]]) -> None:
    for result in await asyncio.gather(*saying, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
