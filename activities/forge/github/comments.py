"""Comments on the whole of a pull request, each said once."""

import asyncio
from weakref import WeakValueDictionary

from activities.forge.github.place import Place
from activities.github import mark_of, marked
from activities.github.records import Comment

_LOCKS: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()


def alone(place: Place, number: int) -> asyncio.Lock:
    """Held while something is looked for and written: GitHub takes no key of ours that would refuse a second one."""
    return _LOCKS.setdefault((place.name, number), asyncio.Lock())


async def say(place: Place, number: int, key: str, text: str) -> None:
    """Unless it has been said. The text is safe to show."""
    async with alone(place, number):
        said = await place.every(f"/issues/{number}/comments", Comment)
        if not any(comment.has(mark_of(key), place.ours) for comment in said):
            await place.do("POST", f"/issues/{number}/comments", {"body": marked(key, text)})
