"""What is asked of OpenProject around a card: its statuses, projects and people."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from activities.errors import stop
from activities.tracker.openproject.client import Client, Missing, condition, where
from infra.openproject import Activity, Link, Place, Project, Status, Us, User, WorkPackage
from workflows.domain.failures import Failure
from workflows.domain.people import Trust
from workflows.domain.ticket import Ticket

_MOST_JOURNALS = 500
"""That are remembered. Cards that stand where they ask for work are looked at again and again."""


@dataclass
class Desk:
    """Remembers what hardly ever changes as long as the worker runs: who we are, how projects are called, and what
    happened to cards that have not changed since."""

    client: Client
    place: Place
    handle: str
    user: int = 0
    """The id that the connection says is Pawl's own user, by which the ingress knows it; 0: it says none."""
    listed: frozenset[int] = frozenset()
    """Users that the connection lists as members."""
    _us: Us | None = None
    _projects: dict[int, str] = field(default_factory=dict[int, str])
    _journals: dict[int, tuple[str, list[Activity]]] = field(default_factory=dict[int, tuple[str, list[Activity]]])
    """By card, with the time the card had; the one that was asked for last is the last."""

    async def us(self) -> Us:
        if self._us is None:
            me = await self._asked("users/me", "Give Pawl a user of its own and that user's API key, then resume.")
            user = self.client.part(User, me)
            us = Us(id=user.id, handle=self.handle, name=user.name)
            if self.user not in (0, us.id):
                raise _of_another(self.place.name, us)
            self._us = us
        return self._us

    async def journal(self, card: WorkPackage) -> list[Activity]:
        """What has happened to a card as it was read. Raises Missing."""
        read, journal = self._journals.pop(card.id, ("", []))
        if read != card.updated_at:
            journal = await self.client.activities(card.id)
        self._journals[card.id] = card.updated_at, journal
        if len(self._journals) > _MOST_JOURNALS:
            del self._journals[next(iter(self._journals))]
        return journal

    async def statuses(self) -> list[Status]:
        page = await self.client.page("statuses")
        return [self.client.part(Status, one) for one in page.elements]

    async def status_link(self, to: str) -> dict[str, str]:
        """The status a card is to have. Raises BadRequest when there is none of this name."""
        name = self.place.status_of(to)
        known = await self.statuses()
        found = next((status for status in known if status.name.casefold() == name.casefold()), None)
        if found is None:
            there = ", ".join(status.name for status in known)
            raise stop(
                Failure.BAD_REQUEST,
                f"OpenProject has no status {name!r}; it has {there}.",
                f"Add it (Administration, Work packages, Status) or map {to!r} to one of them, then resume.",
            )
        return {"href": f"/api/v3/statuses/{found.id}"}

    async def ticket(self, card: WorkPackage, statuses: list[Status] | None = None) -> Ticket:
        """Collections show a card without what it links to: the rest is looked up."""
        team, closed = "", frozenset[int]()
        if card.parts.project is None:
            team = await self.identifier(card.links.project)
        if card.parts.status is None:
            known = await self.statuses() if statuses is None else statuses
            closed = frozenset(status.id for status in known if status.is_closed)
        return self.place.ticket(card, team, closed)

    async def identifier(self, project: Link) -> str:
        if project.id not in self._projects:
            self._projects[project.id] = (await self.project(str(project.id))).identifier
        return self._projects[project.id]

    async def project(self, name: str) -> Project:
        """By its id or identifier."""
        step = "Correct the name, or make Pawl's user a member of it, then resume."
        return self.client.part(Project, await self._asked(f"projects/{name}", step))

    async def labels(self, names: tuple[str, ...]) -> list[dict[str, str]]:
        """Those that exist, in an OpenProject that knows labels."""
        wanted = {name.casefold() for name in names}
        try:
            page = await self.client.page("labels") if wanted else None
        except Missing:
            return []
        known = page.elements if page else []
        return [
            {"href": f"/api/v3/labels/{int(label['id'])}"}
            for label in known
            if str(label.get("name", "")).casefold() in wanted
        ]

    async def members(self, project: Link) -> frozenset[int]:
        """Who has a role in the project, by themselves or by a group, and whom the connection lists. Only the latter,
        where Pawl's user may not see the members."""
        query = {**where(condition("project", "=", str(project.id))), "pageSize": "1000"}
        page = await self.client.page("memberships", query)
        people = [_link(one, "principal") for one in page.elements]
        return self.listed | {person.id for person in people if "/users/" in (person.href or "")}

    async def open_blockers(self, number: int) -> list[str]:
        """The work packages that block this one and are not closed, as people name them."""
        blockers = sorted((await self.blockers([number])).get(number, ()))
        return [f"#{blocker}" for blocker in blockers if await self._is_open(blocker)]

    async def blockers(self, numbers: Sequence[int]) -> dict[int, set[int]]:
        """What blocks each of these work packages, the closed ones too."""
        if not numbers:
            return {}
        query = {**where(condition("involved", "=", *map(str, numbers))), "pageSize": "500"}
        found: dict[int, set[int]] = {}
        for one in (await self.client.page("relations", query)).elements:
            blocked, blocker = _ends(one)
            if blocked in numbers:
                found.setdefault(blocked, set()).add(blocker)
        return found

    async def _is_open(self, number: int) -> bool:
        """What Pawl may not see counts as open: nothing says that it is done."""
        try:
            return not (await self.ticket(await self.client.card(number))).closed
        except Missing:
            return True

    async def _asked(self, path: str, step: str) -> dict[str, Any]:
        try:
            return await self.client.call("GET", path)
        except Missing as error:
            raise stop(Failure.BAD_REQUEST, f"OpenProject has no {path}, or does not show it.", step) from error


def _of_another(connection: str, us: Us) -> Exception:
    """With a wrong user the ingress would take our own words for a person's, and that person's for ours."""
    cause = f"OpenProject's key belongs to {us.name} ({us.id}), and the connection {connection} says another user."
    step = f"Write user = {us.id} under [connections.{connection}] in connections.toml, restart Pawl, then resume."
    return stop(Failure.BAD_CREDENTIALS, cause, step)


def trust_of(person: int, us: Us, members: frozenset[int]) -> Trust:
    if person == us.id:
        return Trust.OURS
    return Trust.MEMBER if person in members else Trust.STRANGER


def _ends(relation: dict[str, Any]) -> tuple[int, int]:
    """Who is blocked, and by whom; 0 and 0 for another kind of relation. It is told from either end."""
    start, end = _link(relation, "from").id, _link(relation, "to").id
    match relation.get("type"):
        case "blocks":
            return end, start
        case "blocked":
            return start, end
        case _:
            return 0, 0


def _link(part: dict[str, Any], name: str) -> Link:
    return Link.model_validate(part.get("_links", {}).get(name) or {})
