"""What has happened in OpenProject that no delivery has told."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from activities.tracker.openproject.client import Client, Missing, condition
from activities.tracker.openproject.desk import Desk, trust_of
from activities.tracker.openproject.story import Story
from activities.tracker.openproject.waiting import Waits, waiting
from infra.openproject import Status, Us, WorkPackage
from workflows.domain.intake import CardSeen, WordsSaid
from workflows.domain.routes import Route
from workflows.domain.ticket import Ticket
from workflows.ports.tracker import FindNews, News

PAGE = 50
"""Cards that one look goes through, so that it ends in time: the journal of each that has changed is read."""
OVERLAP = timedelta(minutes=1)
"""What has just changed may be seen a moment later than its time says: the next look begins this much earlier."""
_EVER = timedelta(days=36500)
"""Times are asked for from one to another."""


@dataclass
class _Look:
    desk: Desk
    us: Us
    statuses: list[Status]
    since: datetime
    routes: tuple[Route, ...]
    members: dict[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])
    cards: list[CardSeen] = field(default_factory=list[CardSeen])
    words: list[WordsSaid] = field(default_factory=list[WordsSaid])


async def found(desk: Desk, search: FindNews) -> News:
    since = search.since.replace(microsecond=0)  # what OpenProject compares times by is not said to be finer
    changed, until = await _changed(desk.client, since)
    look = _Look(desk, await desk.us(), await desk.statuses(), since, search.routes)
    under_way = {ref.id for ref in search.under_way}
    standing = await _standing(look, search.routes)
    cards = list(_once([*changed, *standing, *await _named(desk.client, sorted(under_way))]))
    waits = await waiting(desk, [card.id for card in cards if str(card.id) not in under_way], look.statuses)
    for card in cards:
        ticket = await desk.ticket(card, look.statuses)
        is_under_way = str(card.id) in under_way
        if is_under_way or any(route.covers(ticket) for route in search.routes):
            await _add(look, card, ticket, waits, under_way=is_under_way)
    return News(cards=tuple(look.cards), words=tuple(look.words), until=until)


async def _changed(client: Client, since: datetime) -> tuple[list[WorkPackage], datetime]:
    """Cards that changed since, the oldest change first, and how far they go. A page is one look; more of them are
    read only while all on it changed in the very second the look begins with, or it would never get on."""
    cards, number = list[WorkPackage](), 1
    while True:
        span = condition("updatedAt", "<>d", _stamp(since), _stamp(since + _EVER))
        page = await client.cards([span], "updatedAt", PAGE, number)
        cards += [client.part(WorkPackage, one) for one in page.elements]
        if not page.elements or number * PAGE >= page.total:
            return cards, max(since, page.at - OVERLAP)
        if cards[-1].at.replace(microsecond=0) > since:
            return cards, cards[-1].at
        number += 1


async def _standing(look: _Look, routes: Iterable[Route]) -> list[WorkPackage]:
    """Cards that stand where they ask for work, however long."""
    columns = {route.column.casefold() for route in routes if route.column}
    place = look.desk.place
    ids = [str(status.id) for status in look.statuses if place.column(status.name).casefold() in columns]
    if not ids:
        return []
    page = await look.desk.client.cards([condition("status", "=", *ids)], "updatedAt", PAGE)
    return [look.desk.client.part(WorkPackage, one) for one in page.elements]


async def _named(client: Client, ids: list[str]) -> list[WorkPackage]:
    if not ids:
        return []
    page = await client.cards([condition("id", "=", *ids)], size=len(ids))
    return [client.part(WorkPackage, one) for one in page.elements]


async def _add(look: _Look, card: WorkPackage, ticket: Ticket, waits: Waits, *, under_way: bool) -> None:
    try:
        journal = await look.desk.journal(card)
    except Missing:  # deleted meanwhile
        return
    if not journal:  # nobody can be named then, and nothing is anybody's order
        return
    members = await _members(look, card)
    story = Story(look.desk.place, card, ticket, journal, look.us, members)
    look.cards += waits.told(story.seen(look.routes, under_way=under_way), card.id)
    for said in journal:
        person = said.links.user.id
        if said.said.strip() and person != look.us.id and said.at >= look.since:
            trust = trust_of(person, look.us, members)
            look.words.append(look.desk.place.heard(said, ticket.ref, ticket, look.us, trust))


async def _members(look: _Look, card: WorkPackage) -> frozenset[int]:
    project = card.links.project
    if project.id not in look.members:
        look.members[project.id] = await look.desk.members(project)
    return look.members[project.id]


def _once(cards: Iterable[WorkPackage]) -> Iterable[WorkPackage]:
    """Each card as it was read last."""
    return {card.id: card for card in cards}.values()


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
