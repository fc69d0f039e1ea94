"""Issues that are open."""

from typing import Any

from activities.tracker.linear import documents
from activities.tracker.linear.cards import ticket_of
from activities.tracker.linear.client import LinearClient
from activities.tracker.linear.rows import Issue, User
from workflows.domain.ticket import Ticket
from workflows.domain.written import carries, is_open
from workflows.ports.tracker import ListOpen, OpenTickets

_MOST_PAGES = 12
"""Of 50 issues each."""


async def listed(client: LinearClient, us: User, name: str, listing: ListOpen) -> OpenTickets:
    """The newest first; Linear leaves out what is archived. Issues that Pawl files carry no mark: the creator tells."""
    found, after, complete = list[Ticket](), None, False
    for _ in range(_MOST_PAGES):
        page = (await client.ask(documents.OPEN_ISSUES, filter=open_where(listing), after=after))["issues"]
        for row in page["nodes"]:
            issue = Issue.model_validate({**row, "inverseRelations": {}})
            ticket = ticket_of(issue, name)
            if is_open(ticket) and carries(ticket, listing.labels):
                ours = issue.creator is not None and issue.creator.id == us.id
                found.append(ticket.model_copy(update={"ours": ours}))
        complete, after = not page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        if complete or len(found) > listing.most:
            break
    return OpenTickets.of(found, listing, complete=complete)


def open_where(listing: ListOpen) -> dict[str, Any]:
    """Which issues are asked for."""
    kinds = {"state": {"type": {"nin": ["completed", "canceled", "duplicate"]}}}
    team: dict[str, Any] = {"team": {"key": {"eqIgnoreCase": listing.team}}} if listing.team else {}
    labels = [{"labels": {"some": {"name": {"eqIgnoreCase": label}}}} for label in listing.labels]
    return {**kinds, **team, **({"and": labels} if labels else {})}
