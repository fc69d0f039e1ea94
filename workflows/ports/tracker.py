"""The board tickets come from and report back to."""

from abc import abstractmethod
from datetime import timedelta

from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.model import Record
from workflows.domain.ticket import Ticket, TicketRef
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
    remark: Remark | None = None
    """Why, for people: said after the card has moved."""


class PostComment(Record):
    ref: TicketRef
    remark: Remark


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
