"""One message per ticket, edited as it goes; the details are in its one thread."""

import hashlib
from dataclasses import dataclass, field

from temporalio import activity

from activities.errors import again
from activities.notify.slack.faces import alarm_blocks, detail_blocks, head_blocks, head_text
from activities.slack.calls import Json, Missing, SlackCalls
from activities.slack.messages import Locks, Messages, keyed, message, section, state_of
from workflows.domain.chat import Place, SlackChannel, place_of
from workflows.domain.chat import digest as digest_text
from workflows.ports.notify import Digest, Note, Notify


@dataclass
class SlackNotify(Notify):
    """Tells `channels` of the tickets they hear of and `ops` of alarms. A ticket kept in Slack (`connection`) is told
    of in its own thread. Without a channel nothing is said. A note without a body is an answer to somebody: it goes to
    the thread, and what the ticket's message shows stays."""

    calls: SlackCalls
    connection: str
    channels: tuple[SlackChannel, ...]
    ops: str = ""
    news: str = ""
    """Hears of the tickets that no other channel hears of."""
    _messages: Messages = field(init=False)
    _locks: Locks = field(default_factory=Locks, init=False)

    def __post_init__(self) -> None:
        self._messages = Messages(self.calls)

    @activity.defn
    async def post_note(self, note: Note) -> None:
        if note.alarm and self.ops:
            async with self._locks.of("ops"):
                await self._alarm(note)
        ticket = note.ticket.key if note.ticket else note.identifier
        async with self._locks.of(ticket):
            place = place_of(note.ticket.id) if note.ticket and note.ticket.tracker == self.connection else None
            try:
                if place:
                    await self._in_own_thread(note, place)
                elif channel := self._channel(note):
                    await self._in_channel(note, channel, f"ticket:{ticket}")
            except Missing as error:
                raise again(f"A message in Slack went away while it was looked at: {error}") from error

    @activity.defn
    async def post_digest(self, digest: Digest) -> None:
        text, key, channel = digest_text(digest.waiting, digest.at), f"digest:{_digest(digest.key)}", self.ops
        if not text or not channel:
            return
        async with self._locks.of("ops"):
            if not await self._messages.find(channel, key):
                await self._messages.post(channel, message(key, text.partition("\n")[0], [section(text)]))

    async def _alarm(self, note: Note) -> None:
        key = f"alarm:{_digest(note.key)}"
        if not await self._messages.find(self.ops, key):
            await self._messages.post(self.ops, message(key, head_text(note), alarm_blocks(note)))

    async def _in_channel(self, note: Note, channel: str, key: str) -> None:
        head = await self._messages.find(channel, key)
        ts = str(head["ts"]) if head else await self._messages.post(channel, _head(note, key))
        await self._detail(note, channel, ts, await self.calls.thread(channel, ts))
        if head and note.body:
            await self._show(note, channel, head, key)

    async def _in_own_thread(self, note: Note, place: Place) -> None:
        """Where the tracker has said what waits."""
        key = f"ticket:{place.id}"
        thread = await self.calls.thread(place.channel, place.ts)
        head = keyed(thread, key, await self.calls.us())
        if head is None:
            await self.calls.post(place.channel, _head(note, key), place.ts)
        elif note.body:
            await self._show(note, place.channel, head, key)
        else:
            await self._detail(note, place.channel, place.ts, thread)

    async def _detail(self, note: Note, channel: str, ts: str, thread: list[Json]) -> None:
        said = f"note:{_digest(note.key)}"
        if not keyed(thread, said, await self.calls.us()):
            await self.calls.post(channel, message(said, head_text(note), detail_blocks(note)), ts)

    async def _show(self, note: Note, channel: str, head: Json, key: str) -> None:
        """Edit the ticket's message, once per note: one that is told again after a later one changes nothing."""
        told = str(state_of(head, await self.calls.us()).get("told", ""))
        if _digest(note.key) not in told.split():
            await self.calls.update(channel, str(head["ts"]), _head(note, key, told))

    def _channel(self, note: Note) -> str:
        hearing = (one.channel for one in self.channels if note.ticket and one.hears_of(note.ticket, note.identifier))
        return next(hearing, self.news)


def _head(note: Note, key: str, told: str = "") -> Json:
    digest = _digest(note.key)
    kept = " ".join([*told.split()[-50:], digest])
    return message(key, head_text(note), head_blocks(note, digest), told=kept)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
