"""What a look at Slack finds: the same happenings, under the same ids, as its events tell of."""

from collections.abc import Iterable
from datetime import UTC, datetime

from activities.slack.calls import Json, Us
from activities.slack.messages import state_of
from activities.tracker.slack_card import CARD, Card, card_of
from workflows.domain.chat import Place, said_id, title_of
from workflows.domain.intake import CardSeen, WordsSaid
from workflows.domain.mrkdwn import plain
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Phase, Ticket, TicketRef

_WORDS = ("", "thread_broadcast", "file_share")
"""The subtypes of messages that are somebody's words."""


def words_in(seen: Iterable[Json], place: Place, connection: str, us: Us) -> list[WordsSaid]:
    """What people wrote in these messages of a thread. Its first is only heard where it asks Pawl for work."""
    ref, mention = TicketRef(tracker=connection, id=place.id), f"<@{us.user}>"
    said = list[WordsSaid]()
    for one in seen:
        ts, written = str(one["ts"]), str(one.get("text", ""))
        begins, addressed = ts == place.ts, mention in written
        if one.get("user") == us.user or one.get("subtype", "") not in _WORDS or (begins and not addressed):
            continue
        text = plain(written.replace(mention, "")).strip()
        words = WordsSaid(
            id=said_id(place.channel, ts),
            card=_asked(ref, place, text) if begins else None,
            ref=ref,
            text=text,
            at=_moment(ts),
            by=_speaker(one, connection, us),
            addressed=addressed,
            heard_in=place.channel if begins else f"{place.channel}:{place.ts}",
        )
        said.append(words)
    return said


def cards_in(seen: Iterable[Json], team: str, channel: str, us: Us) -> list[Card]:
    """The cards of ours among a channel's messages that nobody holds; of their threads only the first message."""
    mine = [one for one in seen if str(state_of(one, us).get("key", "")).startswith(CARD)]
    cards = [card_of([one], Place(team, channel, str(one["ts"])), us) for one in mine]
    return [card for card in cards if not card.account]


def has_news(card: Card, since: datetime) -> bool:
    """Whether somebody has written in the thread of a card that was found in its channel."""
    latest = str(card.thread[0].get("latest_reply", ""))
    return bool(latest) and _moment(latest) >= since


def card_seen(card: Card, connection: str) -> CardSeen:
    """The same for every look until the card moves."""
    ticket = card.ticket(connection)
    return CardSeen(id=f"card@{card.place.ts}:{card.moves}", card=ticket, at=_moment(card.changed))


def _asked(ref: TicketRef, place: Place, text: str) -> Ticket:
    return Ticket(
        ref=ref, identifier=place.identifier, title=title_of(text), body=text, status=Phase.TODO, team=place.channel
    )


def _speaker(said: Json, connection: str, us: Us) -> Person:
    user = str(said.get("user") or said.get("bot_id") or "unknown")
    home = str(said.get("user_team") or said.get("team") or "")
    known = home == us.team and not said.get("bot_id")
    return Person(place=connection, id=user, trust=Trust.UNPROVEN if known else Trust.STRANGER)


def _moment(ts: str) -> datetime:
    return datetime.fromtimestamp(float(ts), UTC)
