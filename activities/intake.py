"""Looking for what no webhook has told, and doing about it what the webhook would have done."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.errors import again
from activities.stale import Cards, parked, places
from infra.client import TicketLine, list_tickets, ticket_status, tickets_under_way
from infra.exits import PawlError
from infra.ingress.deliver import Done, carry, have_looked
from workflows.domain.chat import Waiting
from workflows.domain.events import phase_of
from workflows.domain.intake import CardSeen, Happening, Leave, Move, Start, TellMove, Terms, decide
from workflows.domain.sweep import Disagreement, Parked, Place
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.intake import (
    CompareCards,
    Compared,
    Intake,
    ListParked,
    ListPlaces,
    Reconcile,
    Reconciled,
)
from workflows.ports.tracker import FindNews, Tracker

FIRST_LOOK = timedelta(days=1)
"""How far back the very first look goes."""
OVERLAP = timedelta(minutes=2)
"""By how much two looks overlap: what a tracker shows late, and clocks that differ, fall between no two of them."""
MOST_REMEMBERED = 10_000


@dataclass
class TemporalIntake(Intake):
    """Carries to Temporal what the trackers tell."""

    client: Client
    tracker: Tracker
    terms: Terms
    redeliver: Mapping[str, Callable[[datetime], Awaitable[int]]] = field(
        default_factory=dict[str, Callable[[datetime], Awaitable[int]]]
    )
    """By connection: asks the sender for the deliveries since then that failed; how many."""
    _carried: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None], init=False)
    """What was passed on lately, so that overlapping looks do not tell it again. Forgotten with the process, which
    does no harm: tickets know what they have heard."""

    @activity.defn
    async def reconcile(self, request: Reconcile) -> Reconciled:
        begun = datetime.now(UTC)
        since = request.since or begun - FIRST_LOOK
        try:
            under_way = await tickets_under_way(self.client, request.tracker)
            news = await self.tracker.find_news(
                FindNews(
                    tracker=request.tracker,
                    since=since - OVERLAP,
                    routes=tuple(route for route in self.terms.routes if route.tracker == request.tracker),
                    under_way=tuple(under_way),
                )
            )
            found = sorted((*news.cards, *news.words), key=lambda happening: happening.at)
            phases = {ref.key: phase for ref, phase in under_way.items()}
            nudged = await self._nudged(under_way) if request.nudge else 0
            counted = [await self._done(happening, since, phases) for happening in found]
        except PawlError as error:  # Temporal's own: the tracker's failures are of the right kind already
            raise again(str(error)) from error
        return Reconciled(
            until=max(since, news.until),
            complete=news.until >= begun - OVERLAP,
            started=tuple(name for started, _ in counted for name in started)[-100:],
            told=sum(told for _, told in counted),
            nudged=nudged,
            redelivered=await self._asked_again(request.tracker, since - OVERLAP),
        )

    async def _asked_again(self, tracker: str, since: datetime) -> int:
        """How many deliveries the sender was asked for. That it refuses spoils no look: looks find what they tell."""
        if (asks := self.redeliver.get(tracker)) is None:
            return 0
        try:
            return await asks(since)
        except ApplicationError as error:
            activity.logger.warning("Lost webhooks of %s could not be asked for: %s", tracker, error.message)
            return 0

    @activity.defn
    async def list_waiting(self) -> list[Waiting]:
        try:
            lines = await list_tickets(self.client, waiting=True)
            return list(await asyncio.gather(*(self._waiting(line) for line in lines)))
        except PawlError as error:
            raise again(str(error)) from error

    @activity.defn
    async def list_parked(self, request: ListParked) -> list[Parked]:
        with _told():
            return await parked(self.client, request)

    @activity.defn
    async def list_places(self, request: ListPlaces) -> list[Place]:
        with _told():
            return await places(self.client, self.terms.routes, request.since)

    @activity.defn
    async def compare_cards(self, request: CompareCards) -> Compared:
        with _told():
            return await self._cards.compared(request.since, request.most)

    @activity.defn
    async def put_right(self, found: Disagreement) -> bool:
        with _told():
            return await self._cards.put_right(found)

    @property
    def _cards(self) -> Cards:
        return Cards(self.client, self.tracker, self.terms.routes, self.terms.ui)

    async def _waiting(self, line: TicketLine) -> Waiting:
        """What a ticket says itself; where it does not answer, what the server knows of it."""
        try:
            status = await ticket_status(self.client, line.workflow_id)
            since, url = status.since or line.started, status.pull_request.url if status.pull_request else ""
        except PawlError:
            since, url = line.started, ""
        phase = phase_of(line.phase) or Phase.BLOCKED
        return Waiting(identifier=line.identifier, title=line.title, phase=phase, since=since, url=url)

    async def _nudged(self, under_way: Mapping[TicketRef, str]) -> int:
        at_the_gate = [ref for ref, phase in under_way.items() if phase == Phase.MERGE_GATE]
        return [await have_looked(self.client, ref) for ref in at_the_gate].count(Done.TOLD)

    async def _done(self, happening: Happening, since: datetime, phases: Mapping[str, str]) -> tuple[list[str], int]:
        """What was started, and how much was passed on."""
        started, told = list[str](), 0
        for move in decide(happening, self.terms):
            if _is_known(happening, move, since, phases) or f"{type(move).__name__} {happening.id}" in self._carried:
                continue
            if isinstance(move, Leave) and move.notable:
                activity.logger.warning("Not started: %s", move.reason)
            done = await carry(self.client, move, self.terms.ui)
            if isinstance(move, Start) and done is Done.STARTED:
                started.append(move.order.identifier)
            told += done is Done.TOLD
            if not isinstance(move, Start):  # the card may be asked for again after its ticket has ended
                self._remember(f"{type(move).__name__} {happening.id}")
        return started, told

    def _remember(self, what: str) -> None:
        self._carried[what] = None
        while len(self._carried) > MOST_REMEMBERED:
            self._carried.popitem(last=False)


@contextmanager
def _told() -> Generator[None]:
    """Temporal's own failures, as a step's; a tracker's are of the right kind already."""
    try:
        yield
    except PawlError as error:
        raise again(str(error)) from error


def _is_known(happening: Happening, move: Move, since: datetime, phases: Mapping[str, str]) -> bool:
    """Whether a ticket under way needs no telling: its card stands where the ticket has put it, or has not moved since
    the last look."""
    if not isinstance(happening, CardSeen):
        return False
    ref = happening.card.ref.key
    if isinstance(move, Start):
        return ref in phases
    shown = phases.get(ref)
    stands = shown is not None and phase_of(happening.card.status) == phase_of(shown)
    return isinstance(move, TellMove) and (stands or happening.at < since - OVERLAP)
