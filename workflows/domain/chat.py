"""Slack: what a channel is for, what a button is bound to, and the digest of what waits. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from pydantic import Field, ValidationError

from workflows.domain.intake import WordsSaid
from workflows.domain.model import Record
from workflows.domain.mrkdwn import escaped, one_line
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase, TicketRef

MOST_TITLE = 120
_PLACE = re.compile(r"([TE][A-Z0-9]{1,20})-([CGD][A-Z0-9]{1,20})-(\d{1,12}\.\d{1,8})")


class SlackChannel(Record):
    """What one channel is for."""

    channel: str = Field(pattern=r"^[CG][A-Z0-9]+$")
    """Its id, as Slack shows it at the end of the channel's details."""
    tracker: str = ""
    """The connection whose tickets are told of here, and in which `/pawl` files new ones; empty: they are kept in
    Slack itself."""
    team: str = ""
    """Of that tracker: where tickets are filed, and the only ones that are told of; empty: all of them."""
    repository: str = ""
    """Where tasks that are kept in Slack run, from `/pawl` and from mentions."""
    base_branch: str = ""
    model: str = ""
    usd: Decimal | None = Field(default=None, gt=0)

    def route(self, connection: str) -> Route | None:
        """How tickets kept in this channel are worked on; None where there are none."""
        if self.tracker or not self.repository:
            return None
        return Route(
            tracker=connection,
            team=self.channel,
            state=Phase.TODO,
            repository=self.repository,
            base_branch=self.base_branch,
            model=self.model,
            usd=self.usd,
        )

    def files_in(self, connection: str) -> tuple[str, str] | None:
        """Tracker and team of a new task; None where `/pawl` has nowhere to put it."""
        if self.tracker:
            return self.tracker, self.team
        return (connection, self.channel) if self.repository else None

    def hears_of(self, ref: TicketRef, identifier: str) -> bool:
        """Whether notes of this ticket belong here. Its team is read from what people call it: ENG-12, acme/shop#7."""
        team = re.split(r"[-#]\d+$", identifier)[0]
        return bool(self.tracker) and ref.tracker == self.tracker and self.team.casefold() in ("", team.casefold())


class Place(NamedTuple):
    """A thread in Slack: the id of a ticket that is kept there."""

    team: str
    channel: str
    ts: str

    @property
    def id(self) -> str:
        return f"{self.team}-{self.channel}-{self.ts}"

    @property
    def identifier(self) -> str:
        """What people call the ticket."""
        return f"S-{self.ts.replace('.', '-')}"


def place_of(ticket_id: str) -> Place | None:
    """Where the ticket is; None when the id is none of Slack's."""
    found = _PLACE.fullmatch(ticket_id)
    return Place(*found.groups()) if found else None


def said_id(channel: str, ts: str) -> str:
    """The id of a message, the same however it is heard of."""
    return f"slack:{channel}:{ts}"


class Bound(Record):
    """What a button or a modal is for. Slack signs it back to us; no one else can make one."""

    ref: TicketRef
    identifier: str = Field(default="", max_length=100)
    subject: str = Field(min_length=1, max_length=64)
    """The hash that was seen."""
    note: str = Field(default="", max_length=20)
    """Which note had the button: it is counted once for each."""
    channel: str = Field(default="", max_length=50)
    """Where a modal was asked for; its submission does not say."""

    @classmethod
    def read(cls, value: str) -> "Bound | None":
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            return None


APPROVE, REQUEST_CHANGES, ANSWER = "pawl_approve", "pawl_changes", "pawl_answer"
"""The ids of the buttons, and of the modals they open."""


class TaskAsked(WordsSaid):
    """A task given where there is no card yet: it is to be filed, and the ticket started. Its `ref` names the place it
    was asked in, and no ticket."""

    tracker: str
    team: str = ""

    @property
    def title(self) -> str:
        return title_of(self.text)


def title_of(text: str) -> str:
    """The first line of what was asked, short enough for a title."""
    line = " ".join((text.strip().splitlines() or [""])[0].split()) or "Task"
    return line if len(line) <= MOST_TITLE else f"{line[: MOST_TITLE - 1]}…"


class Waiting(Record):
    """A ticket that waits for a person."""

    identifier: str
    title: str = ""
    phase: Phase
    since: datetime
    url: str = ""


def digest(waiting: Sequence[Waiting], now: datetime, most: int = 20) -> str:
    """What waits for people, longest first, in Slack's markup; empty when nothing does."""
    gates = sorted((one for one in waiting if one.phase.waits_for_a_person), key=lambda one: one.since)
    if not gates:
        return ""
    lines = [f"• {_named(one)}: {one.phase}, for {_age(now - one.since)}" for one in gates[:most]]
    more = [f"… and {len(gates) - most} more"] if len(gates) > most else []
    head = "*1 ticket waits for a person*" if len(gates) == 1 else f"*{len(gates)} tickets wait for people*"
    return "\n".join([head, *lines, *more])


def _named(one: Waiting) -> str:
    name = f"*{one_line(one.identifier, 60)}* {one_line(one.title, 80)}".strip()
    web = one.url.startswith(("https://", "http://")) and not set(one.url) & set("<>| \n")
    return f"{name} <{escaped(one.url)}>" if web else name


def _age(passed: timedelta) -> str:
    hours, days = int(passed.total_seconds() // 3600), passed.days
    if days:
        return f"{days} day{'s' if days > 1 else ''}"
    return f"{hours} hour{'s' if hours > 1 else ''}" if hours else "less than an hour"
