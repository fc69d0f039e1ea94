"""The board tickets come from and report back to."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field
from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.intake import CardSeen, WordsSaid
from workflows.domain.model import Record
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.domain.written import MOST_LISTED, listed
from workflows.ports import PATIENT, Port


class ClaimTicket(Record):
    ref: TicketRef
    account: str
    """Who claims. A repeated claim of the same account succeeds."""
    version: int | None = None
    """The version the trigger saw; None when the trigger did not read the ticket."""


class Remark(Record):
    key: str
    """The comment's own key: posting the same key again leaves one comment."""
    text: str
    """Markdown."""


class MoveTicket(Record):
    ref: TicketRef
    to: str
    """A Phase; or, where the card is put back, the status it had before."""
    subject: str = ""
    """The hash that waits for a decision there."""
    remark: Remark | None = None
    """Why, for people: said after the card has moved."""


class PostComment(Record):
    ref: TicketRef
    remark: Remark
    at: Phase | None = None
    """Where people are asked something, and still are after this; None: nothing is asked."""
    subject: str = ""
    """The hash that waits for a decision there."""


class ShowProgress(Record):
    """What has happened on the ticket since the last time, for trackers that show an agent at work."""

    ref: TicketRef
    key: str
    phase: Phase
    lines: tuple[str, ...]
    """Sentences of the story, oldest first."""


class LinkTicket(Record):
    """A link on the card, once per URL: the run, the pull request."""

    ref: TicketRef
    url: str
    title: str


class FileTicket(Record):
    """A new ticket, once per key."""

    tracker: str
    key: str
    parent: TicketRef | None = None
    team: str = ""
    """Where it is filed; empty: where the parent is."""
    title: str
    body: str
    labels: tuple[str, ...] = ()


class ListOpen(Record):
    """What is open in one team, project or repository of a tracker."""

    tracker: str
    team: str = ""
    """Empty: everywhere."""
    labels: tuple[str, ...] = ()
    """Only those that carry all of them."""
    most: int = Field(default=100, ge=1, le=500)
    bodies: bool = True
    """False: without their bodies, for whoever needs none."""


class OpenTickets(Record):
    tickets: tuple[Ticket, ...] = ()
    """The newest first; bodies cut to 4,000 characters, or fewer where there are many; without attachments."""
    complete: bool = True
    """False: there were more."""

    @classmethod
    def of(cls, found: Sequence[Ticket], listing: ListOpen, *, complete: bool = True) -> Self:
        """The answer. `found`: the newest first; `complete`: whether there were no others."""
        tickets = listed(found[: listing.most], MOST_LISTED if listing.bodies else 0)
        return cls(tickets=tickets, complete=complete and len(tickets) == len(found))


class RewriteTicket(Record):
    """A ticket of our own with another title and text. Said again, it changes nothing."""

    ref: TicketRef
    title: str
    body: str


class FindNews(Record):
    """A look at the tracker for what no delivery has told."""

    tracker: str
    since: datetime
    routes: tuple[Route, ...]
    under_way: tuple[TicketRef, ...] = ()
    """The tickets that are being worked on: their cards are looked at wherever they stand."""


class News(Record):
    cards: tuple[CardSeen, ...] = ()
    words: tuple[WordsSaid, ...] = ()
    until: datetime
    """Everything before has been seen: where the next look begins."""


class Tracker(Port):
    """The board tickets come from and report back to."""

    options = ActivityConfig(start_to_close_timeout=timedelta(seconds=30), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def claim_ticket(self, claim: ClaimTicket) -> Ticket:
        """Take the ticket for this account and return it as it is then.

        Raises TicketNotFound, BadTicket (it cannot be read, with the line), ClaimLost (another account holds it, or
        its version moved).
        """

    @activity.defn
    @abstractmethod
    async def move_ticket(self, move: MoveTicket) -> None:
        """Show the phase on the card and say why, once per key. Moving to where it is already changes nothing."""

    @activity.defn
    @abstractmethod
    async def post_comment(self, comment: PostComment) -> None:
        """Say something on the ticket, once per key."""

    @activity.defn
    @abstractmethod
    async def show_progress(self, progress: ShowProgress) -> None:
        """Show what the agent does, once per key. A tracker without a place for it shows nothing."""

    @activity.defn
    @abstractmethod
    async def link_ticket(self, link: LinkTicket) -> None:
        """Put a link on the card, once per URL."""

    @activity.defn
    @abstractmethod
    async def file_ticket(self, filing: FileTicket) -> Ticket:
        """File a ticket of our own, once per key; where it is there already, as it is now."""

    @activity.defn
    @abstractmethod
    async def list_open(self, listing: ListOpen) -> OpenTickets:
        """What is open, whoever filed it, the newest first. Each says whether Pawl has."""

    @activity.defn
    @abstractmethod
    async def rewrite_ticket(self, rewrite: RewriteTicket) -> Ticket:
        """Replace title and text of a ticket that `file_ticket` has made; as it is afterwards. What people added in
        comments stays. Raises TicketNotFound."""

    @activity.defn
    @abstractmethod
    async def find_news(self, search: FindNews) -> News:
        """Cards that ask for work, cards under way as they stand, and what people have said there since.

        A look that would be too long ends early; `until` then says how far it came.
        """
