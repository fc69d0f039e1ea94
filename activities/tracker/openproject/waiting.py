"""Cards that wait for others: they ask for work when what blocks them has ended, which changes nothing on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.tracker.openproject.client import Missing, condition
from activities.tracker.openproject.desk import Desk
from infra.openproject import Status, WorkPackage
from workflows.domain.intake import CardSeen

MOST_BLOCKERS = 200
"""Read in one question. What is beyond counts as open."""


@dataclass(frozen=True)
class Waits:
    """By card: those that wait still, and when the last blocker of the others was closed."""

    blocked: frozenset[int]
    freed: dict[int, datetime]

    def told(self, seen: CardSeen, number: int) -> list[CardSeen]:
        """The card as it is to be told; nothing for one that waits."""
        if number in self.blocked:
            return []
        freed = self.freed.get(number)
        if freed is None or freed <= seen.at:
            return [seen]
        asking = seen.asking.model_copy(update={"freed": freed}) if seen.asking else None
        return [seen.model_copy(update={"id": f"freed@{freed.isoformat()}", "at": freed, "asking": asking})]


async def waiting(desk: Desk, numbers: Sequence[int], statuses: list[Status]) -> Waits:
    """Two questions, however many cards, and one more for each blocker that is closed. What Pawl may not see counts as
    open."""
    blockers = await desk.blockers(numbers)
    wanted = sorted({one for of_card in blockers.values() for one in of_card})[:MOST_BLOCKERS]
    page = await desk.client.cards([condition("id", "=", *map(str, wanted))], size=len(wanted)) if wanted else None
    closed: dict[int, datetime] = {}
    for found in page.elements if page else ():
        card = desk.client.part(WorkPackage, found)
        if (await desk.ticket(card, statuses)).closed:
            closed[card.id] = await _closed_at(desk, card)
    blocked = frozenset(number for number, its in blockers.items() if not its <= closed.keys())
    freed = {number: max(closed[one] for one in its) for number, its in blockers.items() if number not in blocked}
    return Waits(blocked, freed)


async def _closed_at(desk: Desk, card: WorkPackage) -> datetime:
    """When it came to its status. A comment that is made later frees nothing anew. The sentences of a journal are in
    the language of Pawl's user; only the status's name is the same in all of them."""
    status = card.links.status.title or ""
    try:
        journal = await desk.client.activities(card.id)
    except Missing:
        return card.at
    return max((one.at for one in journal if any(status in (part.raw or "") for part in one.details)), default=card.at)
