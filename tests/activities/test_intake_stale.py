"""What has gone stale is found in Temporal and on the board, and put right where it still is as it was found."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.intake import TemporalIntake
from activities.tracker.board import BoardTracker
from infra import board
from infra.client import start_ticket, ticket_line, tickets_under_way
from infra.ingress.deliver import CARD_MOVED
from tests.infra.ingress.recorder import Recorder
from workflows import names
from workflows.domain.intake import CardMove, Terms
from workflows.domain.order import TicketOrder, TicketStatus
from workflows.domain.routes import Route
from workflows.domain.sweep import Disagreement
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.intake import CompareCards, ListParked, ListPlaces

pytestmark = pytest.mark.server
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
Found = TypeVar("Found")


@workflow.defn(name="Ticket")
class Stands:
    """A ticket that stands in the phase of its order's label until it is told to end there or in another one."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._end: str | None = None

    @workflow.run
    async def run(self, order: TicketOrder) -> list[str]:
        self._order = order
        self._shows(order.label)
        await workflow.wait_condition(lambda: self._end is not None)
        self._shows(self._end or "")
        return self._heard

    def _shows(self, phase: str) -> None:
        waits = Phase(phase).waits_for_a_person
        workflow.upsert_search_attributes(  # pyright: ignore[reportUnknownMemberType]
            [names.PHASE.value_set(phase), names.NEEDS_PERSON.value_set(waits)]
        )

    @workflow.query
    def status(self) -> TicketStatus:
        name, phase = self._order.identifier, Phase(self._order.label)
        since = LONG_AGO if "old" in name else LONG_AGO + timedelta(days=100)
        reminded = since + timedelta(days=100) if "reminded" in name else None
        paused = "paused" in name
        return TicketStatus(
            identifier=name,
            title="",
            account="a",
            phase=phase,
            since=since,
            reminded=reminded,
            paused=paused,
            branch=f"pawl/{name}",
        )

    @workflow.signal(name=CARD_MOVED)
    def card_moved(self, move: CardMove) -> None:
        self._heard.append(f"moved to {move.status} by {move.by}")

    @workflow.signal(name="take-over")
    def take_over(self, said: dict[str, Any]) -> None:
        self._heard.append(f"take over: {said['note']}")

    @workflow.signal
    def end(self, phase: str) -> None:
        self._end = phase


@asynccontextmanager
async def working(client: Client, flow: type = Stands) -> AsyncGenerator[None]:
    worker = Worker(client, task_queue=names.WORK, workflows=[flow], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker:
        yield


@pytest.fixture(autouse=True)
async def alone(client: Client) -> None:  # pyright: ignore[reportUnusedFunction]
    """Tickets that other tests have left on the board, with no card in this test's folder, would be gone ones."""
    for _ in range(100):
        left = await tickets_under_way(client, "board")
        for ref in left:
            with suppress(RPCError):  # the list lags behind
                await client.get_workflow_handle(names.ticket_workflow_id(ref)).terminate()
        if not left:
            break
        await asyncio.sleep(0.1)


async def started(client: Client, name: str, phase: Phase, repository: str = "/srv/shop") -> str:
    ref = TicketRef(tracker="board", id=name)
    order = TicketOrder(ref=ref, identifier=name, repository=repository, model="a:m", label=phase)
    workflow_id = (await start_ticket(client, order)).workflow_id
    for _ in range(100):
        if (await ticket_line(client, workflow_id)).phase == phase:
            break
        await asyncio.sleep(0.05)
    return workflow_id


async def ended(client: Client, workflow_id: str, phase: Phase) -> list[str]:
    handle = client.get_workflow_handle(workflow_id, result_type=list[str])
    await handle.signal("end", phase.value)
    return await handle.result()


async def until(look: Callable[[], Awaitable[Found]], holds: Callable[[Found], bool]) -> Found:
    """The lists of a server lag behind."""
    for _ in range(100):
        if holds(found := await look()):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("It did not come about in 10 s.")


def of(found: tuple[Disagreement, ...], *names_: str) -> dict[str, Disagreement]:
    """By ticket; the server is other tests' as well."""
    return {one.identifier: one for one in found if one.identifier in names_}


def a_name() -> str:
    return f"T-{uuid4().hex[:8]}"


def a_card(folder: Path, name: str, status: str) -> None:
    board.create_ticket(folder, name, f"Mend {name}", status=status)


async def test_gates_that_wait_for_long_are_listed_unless_reminded_or_paused(client: Client, tmp_path: Path) -> None:
    intake = TemporalIntake(client, BoardTracker(tmp_path), Terms())
    mine = f"-{uuid4().hex[:8]}"
    async with working(client):
        ids = [
            await started(client, f"{name}{mine}", phase)
            for name, phase in (
                ("old", Phase.PLAN_GATE),
                ("old-reminded", Phase.MERGE_GATE),
                ("old-paused", Phase.PLAN_GATE),
                ("old-building", Phase.BUILDING),
                ("young", Phase.PLAN_GATE),
            )
        ]
        before = datetime.now(UTC) + timedelta(days=1)

        async def look() -> list[str]:
            asked = ListParked(before=before if "all" in wanted else LONG_AGO + timedelta(days=50), most=500)
            return [one.identifier for one in await intake.list_parked(asked) if one.identifier.endswith(mine)]

        wanted = "all"
        everything = await until(look, lambda found: len(found) == 3)
        assert everything == [f"old{mine}", f"young{mine}", f"old-reminded{mine}"], "the longest first"
        wanted = "long"
        assert not await look(), "none of them began so early"
        for one in ids:
            await ended(client, one, Phase.DONE)


async def test_places_are_those_of_routes_and_tickets_with_the_branches_in_use(client: Client, tmp_path: Path) -> None:
    mine = uuid4().hex[:8]
    routed, other = f"/srv/routed-{mine}", f"/srv/other-{mine}"
    routes = (Route(tracker="board", repository=routed, base_branch="trunk"),)
    intake = TemporalIntake(client, BoardTracker(tmp_path), Terms(routes=routes))
    name, over = a_name(), a_name()

    async def look() -> dict[str, Any]:
        found = await intake.list_places(ListPlaces(since=LONG_AGO))
        return {place.repository: place for place in found if mine in place.repository}

    async with working(client):
        running = await started(client, name, Phase.BUILDING, f"{routed}/")
        await ended(client, await started(client, over, Phase.BUILDING, other), Phase.DONE)
        found = await until(look, lambda found: other in found and bool(found[routed].in_use))
    assert (found[routed].base_branch, found[routed].in_use) == ("trunk", (f"pawl/{name}",))
    assert found[other].in_use == ()
    async with working(client, Recorder):
        await client.get_workflow_handle(running).terminate()
        silent = a_name()
        await started_silent(client, silent, other)
        found = await until(look, lambda found: bool(found[other].silent))
        assert found[other].silent == (silent,)
        await client.get_workflow_handle(names.ticket_workflow_id(TicketRef(tracker="board", id=silent))).terminate()


async def started_silent(client: Client, name: str, repository: str) -> None:
    ref = TicketRef(tracker="board", id=name)
    await start_ticket(client, TicketOrder(ref=ref, identifier=name, repository=repository, model="a:m"))


async def test_a_card_whose_ticket_was_terminated_is_put_back_once(client: Client, tmp_path: Path) -> None:
    intake = TemporalIntake(client, BoardTracker(tmp_path), Terms())
    left, moved, running = a_name(), a_name(), a_name()
    for name in (left, moved, running):
        a_card(tmp_path, name, "Building")

    async def look() -> dict[str, Disagreement]:
        return of((await intake.compare_cards(CompareCards(since=LONG_AGO))).found, left, moved, running)

    async with working(client):
        for name in (left, moved, running):
            workflow_id = await started(client, name, Phase.BUILDING)
            if name != running:
                await client.get_workflow_handle(workflow_id).terminate()
        board.move(tmp_path, moved, "Plan gate")  # by a person, after the end
        found = await until(look, lambda found: left in found)
        assert list(found) == [left]
        assert await intake.put_right(found[left])
        assert board.read(tmp_path, left).status == "Todo"
        assert "ended without a word" in (tmp_path / f"{left}.md").read_text()
        assert not await intake.put_right(found[left]), "it is right already"
        assert left not in await look()
        assert board.read(tmp_path, moved).status == "Plan gate"
        await ended(client, names.ticket_workflow_id(TicketRef(tracker="board", id=running)), Phase.DONE)


async def test_a_card_that_was_started_again_meanwhile_is_left_alone(client: Client, tmp_path: Path) -> None:
    intake = TemporalIntake(client, BoardTracker(tmp_path), Terms())
    name = a_name()
    a_card(tmp_path, name, "Building")

    async def look() -> dict[str, Disagreement]:
        return of((await intake.compare_cards(CompareCards(since=LONG_AGO))).found, name)

    async with working(client):
        await client.get_workflow_handle(await started(client, name, Phase.BUILDING)).terminate()
        found = await until(look, bool)
        again = await started(client, name, Phase.BUILDING)
        assert not await intake.put_right(found[name])
        assert board.read(tmp_path, name).status == "Building"
        await ended(client, again, Phase.DONE)


async def test_a_card_that_missed_its_tickets_last_move_gets_it(client: Client, tmp_path: Path) -> None:
    intake = TemporalIntake(client, BoardTracker(tmp_path), Terms())
    name = a_name()
    a_card(tmp_path, name, "Merge gate")

    async def look() -> dict[str, Disagreement]:
        return of((await intake.compare_cards(CompareCards(since=LONG_AGO))).found, name)

    async with working(client):
        await ended(client, await started(client, name, Phase.MERGE_GATE), Phase.DONE)
        found = await until(look, bool)
    assert await intake.put_right(found[name])
    assert board.read(tmp_path, name).status == "Done"


async def test_tickets_are_told_of_cards_that_are_closed_or_gone(client: Client, tmp_path: Path) -> None:
    intake = TemporalIntake(client, BoardTracker(tmp_path), Terms())
    closed, gone, broken, fine = a_name(), a_name(), a_name(), a_name()
    for name in (closed, gone, broken, fine):
        a_card(tmp_path, name, "Building")

    async def look() -> dict[str, Disagreement]:
        return of((await intake.compare_cards(CompareCards(since=LONG_AGO))).found, closed, gone, broken, fine)

    async with working(client):
        ids = {name: await started(client, name, Phase.BUILDING) for name in (closed, gone, broken, fine)}
        board.move(tmp_path, closed, "Cancelled")
        (tmp_path / f"{gone}.md").unlink()
        (tmp_path / f"{broken}.md").write_text("---\ntitle: [\n---\n")
        found = await until(look, lambda found: {closed, gone} <= found.keys())
        assert found.keys() == {closed, gone}
        for one in found.values():
            assert await intake.put_right(one)
        heard = {name: await ended(client, workflow_id, Phase.CANCELLED) for name, workflow_id in ids.items()}
        assert [await intake.put_right(one) for one in found.values()] == [False, False], "nobody is there to tell"
    assert heard[closed] == ["moved to Cancelled by somebody"]
    assert heard[gone] == ["take over: The card is gone: board does not show it any more."]
    assert (heard[broken], heard[fine]) == ([], [])


async def test_a_board_that_shows_nothing_is_not_believed(client: Client, tmp_path: Path) -> None:
    """A folder that is not there any more, or another one than it was."""
    intake = TemporalIntake(client, BoardTracker(tmp_path), Terms())

    async def look() -> tuple[str, ...]:
        compared = await intake.compare_cards(CompareCards(since=LONG_AGO))
        assert not [one for one in compared.found if not one.to]
        return compared.troubles

    async with working(client):
        workflow_id = await started(client, a_name(), Phase.BUILDING)
        (trouble,) = await until(look, bool)
        assert "see whether Pawl may still read them. No ticket was told." in trouble
        await ended(client, workflow_id, Phase.DONE)
