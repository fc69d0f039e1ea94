"""What has gone stale, as Temporal and the trackers tell it: gates that wait, repositories, cards that disagree."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from infra.client import CALL, TicketLine, ticket_line, ticket_status, tickets_since, tickets_under_way
from infra.exits import NotFound, PawlError
from infra.ingress.deliver import Done, carry
from infra.schedules import repositories_of_loops
from infra.temporal import translated
from workflows import names
from workflows.domain.decision import Action, Decision
from workflows.domain.events import phase_of, rests
from workflows.domain.intake import CardSeen, TellMove
from workflows.domain.order import TicketStatus
from workflows.domain.repositories import repository_key
from workflows.domain.routes import Route
from workflows.domain.sweep import Disagreement, EndedTicket, Parked, Place, is_believable, settled, untold
from workflows.domain.ticket import Phase, TicketRef
from workflows.domain.words import counted
from workflows.ports.intake import Compared, ListParked
from workflows.ports.tracker import FindNews, ListOpen, MoveTicket, Remark, Tracker

_AT_A_TIME = 20
_LOOKS_BACK = timedelta(days=1)
"""How far a tracker is asked who moved a card: further back, what is compared is where it stands."""
_MOST_LISTED = 500

Given = TypeVar("Given")
Got = TypeVar("Got")


async def parked(client: Client, request: ListParked) -> list[Parked]:
    lines = await tickets_since(client, request.before, waiting=True)
    lines = [line for line in lines if line.started < request.before]
    found = [
        Parked(ref=ref, identifier=line.identifier, phase=status.phase, since=since)
        for line, status in zip(lines, await _asked(client, lines), strict=True)
        if status
        and status.phase.waits_for_a_person
        and not status.paused
        and (since := status.reminded or status.since or line.started) < request.before
        and (ref := names.ticket_ref(line.workflow_id))
    ]
    return sorted(found, key=lambda one: one.since)[: request.most]


async def places(client: Client, routes: Iterable[Route], since: datetime) -> list[Place]:
    """Where a repository is named twice, its base branch is that of the route, else of the schedule."""
    found = dict[str, Place]()

    def add(repository: str, base_branch: str = "") -> str:
        key = repository_key(repository)
        found.setdefault(key, Place(repository=repository, base_branch=base_branch))
        return key

    for route in routes:
        add(route.repository, route.base_branch)
    for repository, base_branch in await repositories_of_loops(client):
        add(repository, base_branch)
    lines = [line for line in await tickets_since(client, since) if line.repository]
    for line in lines:
        add(line.repository)
    under_way = [line for line in lines if line.ended is None]
    for line, status in zip(under_way, await _asked(client, under_way), strict=True):
        place = found[key := repository_key(line.repository)]
        if status is None:
            found[key] = place.model_copy(update={"silent": (*place.silent, line.identifier)})
        elif status.branch:
            found[key] = place.model_copy(update={"in_use": (*place.in_use, status.branch)})
    return list(found.values())


async def _asked(client: Client, lines: Sequence[TicketLine]) -> list[TicketStatus | None]:
    """What the tickets say themselves; None for those that do not answer."""

    async def status(line: TicketLine) -> TicketStatus | None:
        try:
            return await ticket_status(client, line.workflow_id)
        except PawlError:
            return None

    return await _each(status, lines)


async def _each(ask: Callable[[Given], Awaitable[Got]], about: Iterable[Given]) -> list[Got]:
    """Some at a time, in order."""
    several = asyncio.Semaphore(_AT_A_TIME)

    async def one(given: Given) -> Got:
        async with several:
            return await ask(given)

    return list(await asyncio.gather(*(one(given) for given in about)))


class Cards(NamedTuple):
    """Compares cards and tickets, and puts right what disagrees."""

    client: Client
    tracker: Tracker
    routes: tuple[Route, ...]
    ui: str

    async def compared(self, since: datetime, most: int) -> Compared:
        lines = await tickets_since(self.client, since)
        refs = [ref for line in lines if (ref := names.ticket_ref(line.workflow_id))]
        found, troubles = list[Disagreement](), list[str]()
        under_way = {line.workflow_id for line in lines if line.ended is None}
        needed = {ref.tracker for ref in refs if names.ticket_workflow_id(ref) in under_way}
        needed |= {route.tracker for route in self.routes}
        for name in sorted({*needed, *(ref.tracker for ref in refs)}):
            try:
                found += await self._in_tracker(name, troubles)
            except ApplicationError as error:
                activity.logger.warning("The cards of %s cannot be compared: %s", name, error.message)
                if name in needed:  # else it may be a connection of former days
                    troubles.append(f"The cards of {name} cannot be compared: {error.message}")
        return Compared(found=tuple(found[:most]), troubles=tuple(troubles))

    async def _in_tracker(self, name: str, troubles: list[str]) -> list[Disagreement]:
        listed = (await self.tracker.list_open(ListOpen(tracker=name, most=_MOST_LISTED))).tickets
        at_work = [card.ref for card in listed if not rests(phase_of(card.status))]
        under_way = await tickets_under_way(self.client, name)
        known = await _each(self._ended, [ref for ref in at_work if ref not in under_way])
        found = await self._left_there(known)
        seen = await self._seen(name, list(under_way), datetime.now(UTC)) if under_way else {}
        told = (untold(seen[ref], shown) for ref, shown in under_way.items() if ref in seen)
        missing = [ref for ref in under_way if ref not in seen]
        gone = [one for ref in missing if (one := await self._gone(ref))]
        if gone and not is_believable(len(gone), max(len(seen), len(listed))):
            troubles.append(
                f"{name} does not show the cards of {counted(len(gone), 'ticket')} under way, and shows "
                f"{counted(len(listed), 'open card')}: see whether Pawl may still read them. No ticket was told."
            )
            gone = []
        return [*found, *(one for one in told if one), *gone]

    async def _left_there(self, known: "list[_Known]") -> list[Disagreement]:
        ended = {one.ref: one.ended for one in known if one.ended}
        if not ended:
            return []
        first = max(min(one.at for one in ended.values()), datetime.now(UTC) - _LOOKS_BACK)
        seen = await self._seen(known[0].ref.tracker, list(ended), first)
        found = (settled(seen[ref], run, self.routes) for ref, run in ended.items() if ref in seen)
        return [one for one in found if one]

    async def _seen(self, name: str, refs: list[TicketRef], since: datetime) -> dict[TicketRef, CardSeen]:
        news = await self.tracker.find_news(FindNews(tracker=name, since=since, routes=(), under_way=tuple(refs)))
        return {seen.card.ref: seen for seen in news.cards if seen.card.ref in refs}

    async def _ended(self, ref: TicketRef) -> "_Known":
        """How its last run ended; nothing where it is under way, or was never started, or Temporal has forgotten it."""
        workflow_id = names.ticket_workflow_id(ref)
        try:
            with translated(workflow_id):
                about = await self.client.get_workflow_handle(workflow_id).describe(rpc_timeout=CALL)
        except NotFound:
            return _Known(ref)
        if about.close_time is None or about.status is None:
            return _Known(ref)
        how = about.status.name.replace("_", " ").capitalize()
        shown = about.typed_search_attributes.get(names.PHASE) or ""
        return _Known(ref, EndedTicket(run=about.run_id, at=about.close_time, how=how, shown=shown))

    async def _gone(self, ref: TicketRef) -> Disagreement | None:
        """A ticket under way that has a card no tracker shows; None where it is only just begun, or has ended."""
        try:
            line = await ticket_line(self.client, names.ticket_workflow_id(ref))
        except NotFound:
            return None
        phase = phase_of(line.phase)
        if line.ended or phase is None or phase.is_final or phase is Phase.TODO:
            return None
        why = f"The card is gone: {ref.tracker} does not show it any more."
        return Disagreement(ref=ref, identifier=line.identifier, run=line.run_id, why=why)

    # Putting right

    async def put_right(self, found: Disagreement) -> bool:
        if found.to:
            return await self._moved(found)
        if found.move:
            return await carry(self.client, TellMove(ref=found.ref, move=found.move), self.ui) is Done.TOLD
        return await self._told_gone(found)

    async def _moved(self, found: Disagreement) -> bool:
        """Whether the card was moved: looked at once more, for people are as fast as we are."""
        known = await self._ended(found.ref)
        if known.ended is None or known.ended.run != found.run:
            return False
        if not any(one.to == found.to for one in await self._left_there([known])):
            return False
        remark = Remark(key=f"sweep-{found.run}", text=found.why)
        await self.tracker.move_ticket(MoveTicket(ref=found.ref, to=found.to, remark=remark))
        return True

    async def _told_gone(self, found: Disagreement) -> bool:
        """The agent stops, branch and pull request stay: whatever the person meant, nothing is lost by it."""
        workflow_id = names.ticket_workflow_id(found.ref)
        handle = self.client.get_workflow_handle(workflow_id, run_id=found.run)
        decision = Decision(note=found.why, by="the sweep", id=f"gone-{found.run}")
        try:
            with translated(workflow_id):
                about = await handle.describe(rpc_timeout=CALL)
                if about.status is not WorkflowExecutionStatus.RUNNING:
                    return False
                await handle.signal(Action.TAKE_OVER.value, decision, rpc_timeout=CALL)
        except NotFound:
            return False
        return True


class _Known(NamedTuple):
    ref: TicketRef
    ended: EndedTicket | None = None
