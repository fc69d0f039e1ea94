"""Messages that are posted once: a key in their metadata finds them again."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakValueDictionary

from activities.slack.calls import Json, Missing, SlackCalls, Us

EVENT = "pawl"
"""The type of our metadata."""
MOST_PAGES = 10
"""How far back a channel is searched for a key, in pages of 200 messages."""


def section(mrkdwn: str) -> Json:
    # verbatim: names in it do not become mentions
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}}


def context(mrkdwn: str) -> Json:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": mrkdwn, "verbatim": True}]}


def message(key: str, text: str, blocks: list[Json], **state: str | int) -> Json:
    """`text` is what notifications show; `state` is kept with the message and read back by `state_of`."""
    payload: Json = {"key": key, **state}
    return {"text": text, "blocks": blocks, "metadata": {"event_type": EVENT, "event_payload": payload}}


def state_of(seen: Json, us: Us) -> dict[str, Any]:
    """What we keep with a message of ours; empty for everybody else's, whatever they wrote into it."""
    metadata = seen.get("metadata")
    if seen.get("user") != us.user or not isinstance(metadata, dict):
        return {}
    told = cast("Json", metadata)
    payload = told.get("event_payload")
    return cast("Json", payload) if told.get("event_type") == EVENT and isinstance(payload, dict) else {}


def keyed(seen: Iterable[Json], key: str, us: Us) -> Json | None:
    return next((one for one in seen if state_of(one, us).get("key") == key), None)


class Locks:
    """One at a time per key, within this worker; between workers it is Temporal that runs a ticket's steps in turn."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


@dataclass
class Messages:
    """Finding in channels, with a memory that is only a short cut: what it says is looked up where it fails."""

    calls: SlackCalls
    _known: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str], init=False)

    async def find(self, channel: str, key: str) -> Json | None:
        """Our message of this key outside of threads; None when there is none within the last 2,000 messages."""
        us = await self.calls.us()
        if ts := self._known.get((channel, key)):
            try:
                if found := keyed((await self.calls.thread(channel, ts))[:1], key, us):
                    return found
            except Missing:
                pass
            del self._known[channel, key]
        found = keyed(await self.calls.history(channel, MOST_PAGES), key, us)
        if found:
            self._remember(channel, key, str(found["ts"]))
        return found

    async def post(self, channel: str, said: Json) -> str:
        """To be called when `find` has found nothing."""
        ts = await self.calls.post(channel, said)
        self._remember(channel, str(said["metadata"]["event_payload"]["key"]), ts)
        return ts

    def _remember(self, channel: str, key: str, ts: str) -> None:
        if len(self._known) >= 10_000:
            self._known.pop(next(iter(self._known)))
        self._known[channel, key] = ts
