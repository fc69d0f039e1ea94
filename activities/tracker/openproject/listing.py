"""Work packages that are open."""

import json
from typing import Any

from activities.tracker.openproject.client import Page, condition, where
from activities.tracker.openproject.desk import Desk
from activities.tracker.openproject.filing import filed_as
from infra.openproject import WorkPackage
from workflows.domain.ticket import Ticket
from workflows.domain.written import carries, is_open
from workflows.ports.tracker import ListOpen, OpenTickets

_A_PAGE = 100
_MOST_PAGES = 10


async def listed(desk: Desk, listing: ListOpen) -> OpenTickets:
    """OpenProject is asked for what its statuses call open; labels and Pawl's own final phases are looked at here."""
    filters = [condition("status", "o")]
    if listing.team:
        filters.append(condition("project", "=", str((await desk.project(listing.team)).id)))
    us, statuses, found = await desk.us(), await desk.statuses(), list[Ticket]()
    for number in range(1, _MOST_PAGES + 1):
        page = await _page(desk, filters, number)
        for one in page.elements:
            card = desk.client.part(WorkPackage, one)
            ticket = await desk.ticket(card, statuses)
            if is_open(ticket) and carries(ticket, listing.labels):
                found.append(ticket.model_copy(update={"ours": bool(filed_as(card, us, desk.place))}))
        is_last = not page.elements or number * _A_PAGE >= page.total
        if is_last or len(found) > listing.most:
            return OpenTickets.of(found, listing, complete=is_last)
    return OpenTickets.of(found, listing, complete=False)


async def _page(desk: Desk, filters: list[dict[str, Any]], number: int) -> Page:
    """The newest first: ids grow."""
    sized = {"sortBy": json.dumps([["id", "desc"]]), "pageSize": str(_A_PAGE), "offset": str(number)}
    return await desk.client.page("work_packages", {**where(*filters), **sized})
