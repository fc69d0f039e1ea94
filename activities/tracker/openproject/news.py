"""What has happened in OpenProject that no delivery has told."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from activities.tracker.openproject.client import Client, Missing, condition
from activities.tracker.openproject.desk import Desk, trust_of
from activities.tracker.openproject.waiting import Waits, waiting
from infra.openproject import Activity, Status, Us, WorkPackage
from workflows.domain.intake import CardSeen, WordsSaid
from workflows.domain.people import Person
from workflows.domain.routes import Route
from workflows.domain.ticket import Ticket
from workflows.ports.tracker import FindNews, News

PAGE = 50
"""Cards that one look goes through, so that it ends in time: the journal of each is read."""
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
    members: dict[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])
    cards: list[CardSeen] = field(default_factory=list[CardSeen])
    words: list[WordsSaid] = field(default_factory=list[WordsSaid])


async def found(desk: Desk, search: FindNews) -> News:
    since = search.since.replace(microsecond=0)  # what OpenProject compares times by is not said to be finer
    changed, until = await _changed(desk.client, since)
    look = _Look(desk, await desk.us(), await desk.statuses(), since)
    under_way = {ref.id for ref in search.under_way}
    standing = await _standing(look, search.routes)
    cards = list(_once([*changed, *standing, *await _named(desk.client, sorted(under_way))]))
    waits = await waiting(desk, [card.id for card in cards if str(card.id) not in under_way], look.statuses)
    for card in cards:
        ticket = await desk.ticket(card, look.statuses)
        if str(card.id) in under_way or any(route.covers(ticket) for route in search.routes):
            await _add(look, card, ticket, waits)
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


async def _add(look: _Look, card: WorkPackage, ticket: Ticket, waits: Waits) -> None:
    place = look.desk.place
    if card.at < look.since:
        look.cards += waits.told(place.seen(card, ticket, look.us.id), card.id)
        return
    try:
        journal = await look.desk.client.activities(card.id)
    except Missing:  # deleted meanwhile
        return
    members = await _members(look, card)
    look.cards += waits.told(place.seen(card, ticket, look.us.id, _mover(look, card, journal, members)), card.id)
    for said in journal:
        person = said.links.user.id
        if said.said.strip() and person != look.us.id and said.at >= look.since:
            look.words.append(place.heard(said, ticket.ref, ticket, look.us, trust_of(person, look.us, members)))


def _mover(look: _Look, card: WorkPackage, journal: list[Activity], members: frozenset[int]) -> Person | None:
    """Who moved a claimed card to where it stands, as far as OpenProject tells. What changed is told in sentences of
    the language of Pawl's user; only the status's name is the same in all of them."""
    status = card.links.status.title or ""
    moves = [one for one in journal if any(status in (detail.raw or "") for detail in one.details)]
    if not (moves and members and look.desk.place.moved(card)):
        return None
    user = moves[-1].links.user
    trust = trust_of(user.id, look.us, members)
    return Person(place=look.desk.place.name, id=str(user.id), name=user.title or "", trust=trust)


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
