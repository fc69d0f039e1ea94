"""Who did to a card what it shows, read from its journal. People can write into any field, Pawl's own too; into the
journal they cannot.

What changed is told there in sentences of the language of Pawl's user. Only the names of statuses, labels and users are
the same in all of them: the last entry that names one is taken for the one that set it."""

from collections.abc import Iterable
from dataclasses import dataclass

from activities.tracker.openproject.desk import trust_of
from infra.openproject import Activity, Place, Us, WorkPackage
from workflows.domain.intake import Asking, CardSeen
from workflows.domain.people import Person, Trust
from workflows.domain.routes import Route
from workflows.domain.ticket import Ticket


@dataclass(frozen=True)
class Story:
    """`journal` is oldest first and holds the filing of the card at least."""

    place: Place
    card: WorkPackage
    ticket: Ticket
    journal: list[Activity]
    us: Us
    members: frozenset[int]

    def seen(self, routes: Iterable[Route], *, under_way: bool) -> CardSeen:
        """Under way it counts who moved the card, else who asked for work: a member, if one of those who did is."""
        moved = self._that_set(self.card.links.status.title or "")
        asked = {} if under_way else self._asks(routes)
        members = {what: one for what, one in asked.items() if self._trust(one) is Trust.MEMBER}
        told = max((members or asked).values(), key=_when, default=moved)
        is_ours = self._trust(moved) is Trust.OURS
        return CardSeen(
            id=f"{self.card.links.status.title}@activity:{moved.id}",
            card=self.ticket,
            at=moved.at,
            by=self._person(told),
            moved=not is_ours,
            assigned=self._is_given,
            asking=self._asking(members),
        )

    @property
    def _is_given(self) -> bool:
        return self.card.links.assignee.id == self.us.id

    def _asks(self, routes: Iterable[Route]) -> dict[str, Activity]:
        """By what makes it ask for work: the entry that did."""
        covering = [route for route in routes if route.covers(self.ticket)]
        wanted = {route.label.casefold() for route in covering if route.label}
        asks = {f"label {name}": self._that_set(name) for name in self.ticket.labels if name.casefold() in wanted}
        if any(route.column and route.column.casefold() == self.ticket.status.casefold() for route in covering):
            asks["column"] = self._that_set(self.card.links.status.title or "")
        if self._is_given:
            asks["given"] = self._that_set(self.us.name)
        return asks

    def _asking(self, asks: dict[str, Activity]) -> Asking:
        column, given = asks.get("column"), asks.get("given")
        return Asking(
            filed=self.journal[0].created_at,
            column=column.at if column else None,
            labels={what.removeprefix("label "): one.at for what, one in asks.items() if what.startswith("label ")},
            given=given.at if given else None,
        )

    def _that_set(self, name: str) -> Activity:
        """The entry that set it. Where none names it, it was there from the beginning, unless a stranger has changed
        the card since: then the stranger may have done it."""
        changes = [one for one in self.journal if one.details]
        naming = [one for one in changes if name and any(name in (part.raw or "") for part in one.details)]
        doubtful = [one for one in changes if self._trust(one) is Trust.STRANGER]
        return (naming or doubtful or self.journal[:1])[-1]

    def _trust(self, entry: Activity) -> Trust:
        return trust_of(entry.links.user.id, self.us, self.members)

    def _person(self, entry: Activity) -> Person:
        user = entry.links.user
        return Person(place=self.place.name, id=str(user.id), name=user.title or "", trust=self._trust(entry))


def _when(entry: Activity) -> int:
    return entry.id
