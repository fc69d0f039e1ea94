"""A ticket kept in Slack: what is read from its thread, and the message of ours that is its card."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from activities.slack.calls import Json, Us
from activities.slack.messages import context, message, section, state_of
from workflows.domain.chat import Place, title_of
from workflows.domain.events import phase_of, rests
from workflows.domain.mrkdwn import one_line, plain, sections
from workflows.domain.ticket import Phase, Ticket, TicketRef

CARD = "card:"
"""How the keys of cards begin."""
_MOST_TITLE = 300
_MOST_KEPT = 4_500
"""Bytes of a body that a message keeps beside what it shows; Slack names no figure for how much it takes."""
_CUT = "\n\n[cut: too long for a ticket in Slack]"


@dataclass(frozen=True)
class Card:
    """`ts` is empty until the card is posted: a ticket that began with a person's words has none at first."""

    place: Place
    key: str
    title: str
    body: str
    labels: tuple[str, ...] = ()
    status: str = Phase.TODO
    account: str = ""
    """Who holds it."""
    moves: int = 0
    ts: str = ""
    changed: str = ""
    """When, as Slack writes it."""
    replies: int = 0
    """By others than us."""
    thread: list[Json] = field(default_factory=list[Json], compare=False)
    """The messages it was read from, oldest first."""

    @property
    def version(self) -> int:
        return self.moves + self.replies

    @property
    def is_ours(self) -> bool:
        """Whether the thread begins with the card, and not with a person's words."""
        return self.ts == self.place.ts

    def moved(self, to: str) -> "Card":
        """A column in which no work goes on also frees it."""
        phase = phase_of(to)
        idle = rests(phase)
        return replace(self, status=to, moves=self.moves + 1, account="" if idle else self.account)

    def rewritten(self, title: str, body: str) -> "Card":
        """With another title and text, which counts as a change; the same card where they are the same."""
        title, body = title[:_MOST_TITLE], _kept(body)
        if (title, body) == (self.title, self.body):
            return self
        return replace(self, title=title, body=body, moves=self.moves + 1)

    def ticket(self, connection: str) -> Ticket:
        return Ticket(
            ref=TicketRef(tracker=connection, id=self.place.id),
            identifier=self.place.identifier,
            title=self.title,
            body=self.body,
            status=self.status,
            version=self.version,
            labels=self.labels,
            team=self.place.channel,
            ours=self.is_ours,
        )

    def shown(self) -> Json:
        """The message: what was asked, and one line that says how it stands."""
        blocks = [section(f"*{one_line(self.title, 300)}*")] if self.title else []
        blocks += [section(piece) for piece in sections(self.body, most=6)]
        facts = [f"*{one_line(self.status, 60)}*", f"`{self.place.identifier}`" if self.place.ts else ""]
        facts += [one_line(label, 40) for label in self.labels]
        line = context("  ".join(fact for fact in facts if fact))
        kept = {"title": self.title, "body": self.body, "labels": json.dumps(self.labels, ensure_ascii=False)}
        state = {"status": self.status, "account": self.account, "moves": self.moves}
        return message(self.key, one_line(self.title, 200) or "Task", [*blocks, line], **kept, **state)


def new_card(place: Place, key: str, title: str, body: str, labels: tuple[str, ...]) -> Card:
    return Card(place, CARD + key, title[:_MOST_TITLE], _kept(body), tuple(label[:40] for label in labels[:10]))


def card_of(thread: list[Json], place: Place, us: Us) -> Card:
    """The ticket as its thread stands; where it has no card yet, as a person asked for it."""
    own = next((one for one in thread if str(state_of(one, us).get("key", "")).startswith(CARD)), None)
    replies = sum(one.get("user") != us.user for one in thread[1:])
    if own is None:
        text = _asked(thread[0], us)
        return Card(
            place, f"{CARD}{place.id}", title_of(text), _kept(text), changed=place.ts, replies=replies, thread=thread
        )
    state: dict[str, Any] = state_of(own, us)
    return Card(
        place,
        str(state["key"]),
        str(state["title"]),
        str(state["body"]),
        tuple(json.loads(str(state["labels"]))),
        str(state["status"]),
        str(state["account"]),
        int(state["moves"]),
        str(own["ts"]),
        str((own.get("edited") or own)["ts"]),
        replies,
        thread,
    )


def _asked(root: Json, us: Us) -> str:
    return plain(str(root.get("text", "")).replace(f"<@{us.user}>", "")).strip()


def _kept(body: str) -> str:
    data = body.encode()
    return body if len(data) <= _MOST_KEPT else data[:_MOST_KEPT].decode(errors="ignore") + _CUT
