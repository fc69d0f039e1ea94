"""Tickets kept in Slack that are open: the cards among a channel's messages, and those in threads that people began."""

from collections.abc import Sequence

from activities.slack.calls import Json, Missing, SlackCalls, Us
from activities.slack.messages import MOST_PAGES, state_of
from activities.tracker.slack_card import CARD, Card, card_of
from workflows.domain.chat import Place
from workflows.domain.written import carries, is_open
from workflows.ports.tracker import ListOpen, OpenTickets

_MOST_THREADS = 15
"""Read in one look: Slack allows about fifty a minute."""


async def open_tickets(calls: SlackCalls, connection: str, channels: Sequence[str], listing: ListOpen) -> OpenTickets:
    """Of the last 2,000 messages of each channel, the newest first. What was begun by people's words is looked for in
    the newest threads alone."""
    us, cards, complete = await calls.us(), list[Card](), True
    threads = _MOST_THREADS
    for channel in channels:
        seen, whole = await calls.latest(channel, MOST_PAGES)
        asked = [one for one in seen if _is_asked(one, us)]
        cards += [card_of([one], Place(us.team, channel, str(one["ts"])), us) for one in seen if _is_card(one, us)]
        cards += await _begun_by_people(calls, us, channel, asked[:threads])
        complete = complete and whole and len(asked) <= threads
        threads -= len(asked[:threads])
    cards.sort(key=lambda card: float(card.place.ts), reverse=True)
    found = [ticket for card in cards if is_open(ticket := card.ticket(connection)) and carries(ticket, listing.labels)]
    return OpenTickets.of(found, listing, complete=complete)


async def _begun_by_people(calls: SlackCalls, us: Us, channel: str, asked: Sequence[Json]) -> list[Card]:
    cards = list[Card]()
    for one in asked:
        try:
            card = card_of(await calls.thread(channel, str(one["ts"])), Place(us.team, channel, str(one["ts"])), us)
        except Missing:
            continue
        cards += [card] if card.ts else []
    return cards


def _is_card(said: Json, us: Us) -> bool:
    return str(state_of(said, us).get("key", "")).startswith(CARD)


def _is_asked(said: Json, us: Us) -> bool:
    """Whether somebody asked us for something and was answered: the card is in the thread."""
    addressed = f"<@{us.user}>" in str(said.get("text", ""))
    return said.get("user") != us.user and addressed and bool(said.get("latest_reply"))
