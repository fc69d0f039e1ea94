"""Routes: which tickets of which tracker are worked on, and in which repository."""

from collections.abc import Sequence
from decimal import Decimal

from pydantic import Field

from workflows.domain.model import Record
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Ticket

AGENT_TODO = "Agent Todo"
"""The column that asks for work where a route names neither column nor label."""


class Route(Record):
    """One line of the fleet's table; the first that fits a ticket is taken."""

    tracker: str
    """The connection's name, as in `TicketRef.tracker`."""
    team: str = ""
    """Linear's team key, `owner/name` of a GitHub repository, an OpenProject project; empty: all of them."""
    state: str = ""
    """The column whose tickets are worked on."""
    label: str = ""
    """The label that asks for work, in any column where work has not ended."""
    repository: str
    """Path or URL, as for `pawl run`."""
    base_branch: str = ""
    model: str = ""
    """Empty: the installation's."""
    reviewer_model: str = ""
    usd: Decimal | None = Field(default=None, gt=0)
    follow: bool = False
    """Whether the tracker shows an agent at work; set by the connection's kind."""

    @property
    def column(self) -> str:
        return self.state or ("" if self.label else AGENT_TODO)

    def covers(self, ticket: Ticket) -> bool:
        """Whether tickets of this kind belong here, asked for or not."""
        return self.tracker == ticket.ref.tracker and self.team.casefold() in ("", ticket.team.casefold())

    def asks_for(self, ticket: Ticket) -> bool:
        """Whether the card says by itself that it is to be worked on."""
        if self.column and ticket.status.casefold() == self.column.casefold():
            return True
        return bool(self.label) and self.label.casefold() in {label.casefold() for label in ticket.labels}

    def order(self, ticket: Ticket, model: str, reviewer_model: str = "") -> TicketOrder:
        """What starts the ticket here; `model` where the route names none."""
        return TicketOrder(
            ref=ticket.ref,
            identifier=ticket.identifier,
            title=ticket.title[:300],
            repository=self.repository,
            base_branch=self.base_branch,
            model=self.model or model,
            reviewer_model=self.reviewer_model or reviewer_model,
            usd=self.usd,
            follow=self.follow,
        )


def route_of(ticket: Ticket, routes: Sequence[Route]) -> Route | None:
    """The first route that asks for the ticket, else the first that covers it; None when nobody serves it."""
    covering = [route for route in routes if route.covers(ticket)]
    return next((route for route in covering if route.asks_for(ticket)), covering[0] if covering else None)
