"""Slack as a tracker: a message is the card, its thread the comments."""

import hashlib
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.errors import stop
from activities.slack.calls import Json, Missing, SlackCalls
from activities.slack.messages import Locks, Messages, context, keyed, message, section, state_of
from activities.tracker.slack_card import Card, card_of, new_card
from activities.tracker.slack_listing import open_tickets
from activities.tracker.slack_news import card_seen, cards_in, has_news, words_in
from workflows.domain.chat import Place, place_of
from workflows.domain.failures import Failure
from workflows.domain.intake import WordsSaid
from workflows.domain.mrkdwn import escaped, one_line, sections
from workflows.domain.routes import Route
from workflows.domain.ticket import Ticket, TicketRef
from workflows.ports.tracker import (
    ClaimTicket,
    FileTicket,
    FindNews,
    LinkTicket,
    ListOpen,
    MoveTicket,
    News,
    OpenTickets,
    PostComment,
    Remark,
    RewriteTicket,
    ShowProgress,
    Tracker,
)

PAGES_OF_NEWS = 2
"""How far back a look goes in each channel, in pages of 200 messages."""
MARGIN = timedelta(seconds=30)
"""How far Slack's clock may be behind ours: so much is looked at again by the next look."""
_CHANNEL = re.compile(r"[CGD][A-Z0-9]+")
_WEB = re.compile(r"https?://[^\s<>|]+")


@dataclass
class SlackTracker(Tracker):
    """The tickets kept in one workspace, under the name of its connection, in these channels."""

    calls: SlackCalls
    connection: str
    channels: tuple[str, ...] = ()
    _messages: Messages = field(init=False)
    _locks: Locks = field(default_factory=Locks, init=False)

    def __post_init__(self) -> None:
        self._messages = Messages(self.calls)

    @activity.defn
    async def claim_ticket(self, claim: ClaimTicket) -> Ticket:
        """Slack has no precondition on an edit: within a worker one claim goes after the other; between workers it is
        Temporal that runs one ticket once, and what was written is read again."""
        async with self._on(claim.ref) as card:
            if card.account != claim.account:
                self._refuse(card, claim)
                await self._put(replace(card, account=claim.account))
                card = await self._read(card.place)
                self._refuse(card, claim.model_copy(update={"version": None}))
            return card.ticket(self.connection)

    @activity.defn
    async def move_ticket(self, move: MoveTicket) -> None:
        async with self._on(move.ref) as card:
            if card.status != move.to:
                await self._put(card.moved(move.to))
            if move.remark:
                await self._say(card, move.remark)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> None:
        async with self._on(comment.ref) as card:
            await self._say(card, comment.remark)

    @activity.defn
    async def show_progress(self, progress: ShowProgress) -> None:
        """One reply, edited: it shows the newest lines."""
        async with self._on(progress.ref) as card:
            us = await self.calls.us()
            before = keyed(card.thread, "progress", us)
            told = str(state_of(before, us).get("told", "")).split() if before else []
            digest = _digest(progress.key)
            if digest in told:
                return
            text = "\n".join(f"• {one_line(line, 200)}" for line in progress.lines[-8:])
            blocks = [context(text or str(progress.phase))]
            said = message("progress", str(progress.phase), blocks, told=" ".join([*told[-50:], digest]))
            if before:
                await self.calls.update(card.place.channel, str(before["ts"]), said)
            else:
                await self.calls.post(card.place.channel, said, card.place.ts)

    @activity.defn
    async def link_ticket(self, link: LinkTicket) -> None:
        async with self._on(link.ref) as card:
            address = f"<{escaped(link.url)}>" if _WEB.fullmatch(link.url) else one_line(link.url, 300)
            said = [section(f"{one_line(link.title, 150)}: {address}")]
            await self._reply(card, f"link:{_digest(link.url)}", one_line(link.title, 150) or "Link", said)

    @activity.defn
    async def file_ticket(self, filing: FileTicket) -> Ticket:
        parent = place_of(filing.parent.id) if filing.parent else None
        channel = filing.team or (parent.channel if parent else "")
        if not _CHANNEL.fullmatch(channel):
            raise stop(Failure.BAD_REQUEST, f"{channel!r} is no channel of Slack, so no ticket can be kept there.")
        async with self._locks.of(f"{channel} {filing.key}"):
            us = await self.calls.us()
            card = new_card(Place(us.team, channel, ""), _digest(filing.key), filing.title, filing.body, filing.labels)
            found = await self._messages.find(channel, card.key)
            ts = str(found["ts"]) if found else await self._messages.post(channel, card.shown())
            return (await self._read(Place(us.team, channel, ts))).ticket(self.connection)

    @activity.defn
    async def list_open(self, listing: ListOpen) -> OpenTickets:
        channels = (listing.team,) if listing.team else self.channels
        if wrong := [channel for channel in channels if not _CHANNEL.fullmatch(channel)]:
            raise stop(Failure.BAD_REQUEST, f"{wrong[0]!r} is no channel of Slack, so no ticket is kept there.")
        return await open_tickets(self.calls, self.connection, channels, listing)

    @activity.defn
    async def rewrite_ticket(self, rewrite: RewriteTicket) -> Ticket:
        async with self._on(rewrite.ref) as card:
            if not card.is_ours:
                cause = f"{card.place.identifier} was begun by a person: Pawl writes into no message but its own."
                raise stop(Failure.BAD_REQUEST, cause)
            anew = card.rewritten(rewrite.title, rewrite.body)
            if anew != card:
                await self._put(anew)
                anew = await self._read(card.place)
            return anew.ticket(self.connection)

    @activity.defn
    async def find_news(self, search: FindNews) -> News:
        """Words in the threads of tickets and to Pawl in its channels, and cards there that ask for work."""
        now, since = datetime.now(UTC), search.since.astimezone(UTC)
        found = await self._cards(place_of(ref.id) for ref in search.under_way if ref.tracker == self.connection)
        words = list[WordsSaid]()
        for channel in self._searched(search.routes):
            begun, cards = await self._in_channel(channel, search)
            words += begun
            for card in cards:
                found += await self._cards([card.place]) if has_news(card, since) else [card]
        us = await self.calls.us()
        for card in found:
            words += words_in(card.thread, card.place, self.connection, us)
        return News(
            cards=tuple({card.place.id: card_seen(card, self.connection) for card in found}.values()),
            words=tuple({one.id: one for one in words if one.at >= since}.values()),
            until=max(since, now - MARGIN),
        )

    async def _in_channel(self, channel: str, search: FindNews) -> tuple[list[WordsSaid], list[Card]]:
        """What was said to Pawl outside of threads, and the cards that ask for work."""
        us, words = await self.calls.us(), list[WordsSaid]()
        seen = (await self.calls.history(channel, PAGES_OF_NEWS))[::-1]
        for one in seen:
            words += words_in([one], Place(us.team, channel, str(one["ts"])), self.connection, us)
        cards = cards_in(seen, us.team, channel, us)
        asking = [card for card in cards if any(r.asks_for(card.ticket(self.connection)) for r in search.routes)]
        return words, asking

    async def _cards(self, places: Iterable[Place | None]) -> list[Card]:
        """Those that are still there."""
        cards = list[Card]()
        for place in places:
            if place is not None:
                with suppress(Missing):
                    cards.append(await self._read(place))
        return cards

    def _searched(self, routes: Sequence[Route]) -> list[str]:
        """The channels that the routes lead from; a route without one means all of ours."""
        named = {route.team for route in routes if route.tracker == self.connection}
        return sorted(set(self.channels) if "" in named else named)

    # The card and its thread

    @asynccontextmanager
    async def _on(self, ref: TicketRef) -> AsyncGenerator[Card]:
        place = place_of(ref.id)
        if place is None or ref.tracker != self.connection:
            raise stop(Failure.TICKET_NOT_FOUND, f"{ref.key} is no ticket kept in Slack.")
        async with self._locks.of(place.id):
            try:
                yield await self._read(place)
            except Missing as error:
                cause = f"The message of {place.identifier} is not in {place.channel}: {error}"
                raise stop(Failure.TICKET_NOT_FOUND, cause) from error

    async def _read(self, place: Place) -> Card:
        us = await self.calls.us()
        if place.team != us.team:
            raise Missing(f"{place.team} is another workspace.")
        thread = await self.calls.thread(place.channel, place.ts)
        if not thread or str(thread[0]["ts"]) != place.ts:
            raise Missing("It is a reply in another thread.")
        return card_of(thread, place, us)

    async def _put(self, card: Card) -> None:
        if card.ts:
            await self.calls.update(card.place.channel, card.ts, card.shown())
        else:
            await self.calls.post(card.place.channel, card.shown(), card.place.ts)

    def _refuse(self, card: Card, claim: ClaimTicket) -> None:
        name = card.place.identifier
        if card.account and card.account != claim.account:
            raise stop(Failure.CLAIM_LOST, f"{name} is held by {card.account}.")
        if claim.version is not None and claim.version != card.version:
            now = f"version {claim.version} then, {card.version} now"
            raise stop(Failure.CLAIM_LOST, f"{name} changed since it was read: {now}.")

    async def _say(self, card: Card, remark: Remark) -> None:
        pieces = sections(remark.text, most=20) or ["…"]
        await self._reply(card, f"say:{_digest(remark.key)}", one_line(remark.text, 200), [section(p) for p in pieces])

    async def _reply(self, card: Card, key: str, text: str, blocks: list[Json]) -> None:
        if not keyed(card.thread, key, await self.calls.us()):
            await self.calls.post(card.place.channel, message(key, text, blocks), card.place.ts)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
