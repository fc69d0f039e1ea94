"""A sweep does each of its things whatever the others come to, and is silent when there is nothing."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.errors import stop
from infra.runner import workflow_runner
from tests.workflows.conftest import Run, StartTicket
from tests.workflows.intakes import UnaskedIntake
from tests.workflows.world import World
from workflows import names
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.loop import LoopOrder, LoopOutcome
from workflows.domain.sweep import Disagreement, Parked, Place, SweepOutcome
from workflows.domain.ticket import Phase, TicketRef
from workflows.loop import Loop
from workflows.ports.forge import SweepBranches, Swept
from workflows.ports.intake import (
    CompareCards,
    Compared,
    ListParked,
    ListPlaces,
)
from workflows.ports.notify import Note
from workflows.ports.tracker import PostComment
from workflows.sweep import Sweep

pytestmark = pytest.mark.server
AT = datetime(2026, 3, 9, 5, tzinfo=UTC)
SHOP = Place(repository="/srv/shop", base_branch="main", in_use=("pawl/t-1",))


@dataclass
class Stale(UnaskedIntake):
    """What is stale, as a test writes it, and the sweeps of branches and sandboxes beside it."""

    parked: list[Parked] = field(default_factory=list[Parked])
    places: list[Place] = field(default_factory=list[Place])
    compared: Compared = field(default_factory=Compared)
    branches: Swept = field(default_factory=Swept)
    sandboxes: int = 0
    failing: set[str] = field(default_factory=set[str])
    asked: list[Any] = field(default_factory=list[Any])

    def _do(self, what: str, request: Any = None) -> None:
        self.asked.append(request)
        if what in self.failing:
            raise stop(Failure.BAD_REQUEST, f"{what} fails")

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.asked if isinstance(one, kind)]

    @activity.defn
    async def list_parked(self, request: ListParked) -> list[Parked]:
        self._do("list_parked", request)
        return self.parked

    @activity.defn
    async def list_places(self, request: ListPlaces) -> list[Place]:
        self._do("list_places", request)
        return self.places

    @activity.defn
    async def compare_cards(self, request: CompareCards) -> Compared:
        self._do("compare_cards", request)
        return self.compared

    @activity.defn
    async def put_right(self, found: Disagreement) -> bool:
        self._do(f"put_right {found.identifier}", found)
        return found.identifier != "RIGHT-ALREADY"

    @activity.defn(name="sweep_branches")
    async def sweep(self, sweep: SweepBranches) -> Swept:
        self._do(f"sweep_branches {sweep.repository.url}", sweep)
        return self.branches

    @activity.defn(name="sweep_sandboxes")
    async def sandboxes_swept(self) -> int:
        self._do("sweep_sandboxes")
        return self.sandboxes

    def steps(self, world: World) -> list[Callable[..., Any]]:
        own = ("sweep_branches", "sweep_sandboxes")
        rest = [step for step in world.adapters() if step.__name__ not in own]
        rest = [step for step in rest if step.__name__ not in {own.__name__ for own in self.activities()}]
        return [*rest, *self.activities(), self.sweep, self.sandboxes_swept]


@asynccontextmanager
async def working(client: Client, stale: Stale, world: World) -> AsyncGenerator[str]:
    queue = f"sweep-{uuid4().hex}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Sweep, Loop],
        activities=stale.steps(world),
        workflow_runner=workflow_runner(),
    ):
        yield queue


async def swept(client: Client, stale: Stale, world: World | None = None, **order: Any) -> SweepOutcome:
    async with working(client, stale, world or World()) as queue:
        given = {"at": AT.isoformat(), "name": queue, **order}
        return await client.execute_workflow("Sweep", given, id=queue, task_queue=queue, result_type=SweepOutcome)


def disagreement(name: str, to: str = "") -> Disagreement:
    return Disagreement(ref=TicketRef(tracker="board", id=name), identifier=name, to=to, why="So it is.")


async def test_a_sweep_with_nothing_to_do_is_silent(client: Client) -> None:
    stale = Stale()
    done = await swept(client, stale)
    assert (done.silent, done.trouble) == (True, "")
    assert done.says == "Nothing was stale. Nobody was told anything."
    (parked,) = stale.of(ListParked)
    assert parked.before == AT - timedelta(days=3)


async def test_each_thing_is_done_and_said(client: Client) -> None:
    found = (disagreement("A", "Todo"), disagreement("B"), disagreement("RIGHT-ALREADY", "Done"))
    stale = Stale(
        places=[SHOP],
        branches=Swept(removed=("pawl/old", "pawl/older"), kept=("`pawl/x` is kept: it has commits.",)),
        sandboxes=1,
        compared=Compared(found=found),
    )
    done = await swept(client, stale)
    assert done.says == "2 branches removed, 1 sandbox removed, 1 card put right, 1 ticket told of its card."
    assert (done.cards, done.told, done.silent) == (("A",), ("B",), False)
    assert done.kept == ("`pawl/x` is kept: it has commits.",)
    (sweep,) = stale.of(SweepBranches)
    assert (sweep.prefix, sweep.in_use, sweep.closed_before) == ("pawl/", ("pawl/t-1",), AT - timedelta(days=14))


async def test_what_fails_keeps_nothing_else_from_being_done(client: Client) -> None:
    other = SHOP.model_copy(update={"repository": "/srv/other"})
    mute = SHOP.model_copy(update={"repository": "/srv/mute", "silent": ("ENG-7",)})
    stale = Stale(
        places=[SHOP, other, mute],
        branches=Swept(removed=("pawl/old",)),
        compared=Compared(found=(disagreement("A", "Todo"), disagreement("B")), troubles=("Linear does not answer.",)),
        failing={"list_parked", "sweep_branches /srv/shop", "sweep_sandboxes", "put_right A"},
    )
    done = await swept(client, stale)
    assert (done.branches, done.told, done.cards) == (("pawl/old",), ("B",), ())
    assert done.trouble.splitlines() == [
        "list_parked fails",
        "The branches of /srv/shop were not looked at: sweep_branches /srv/shop fails",
        "No branch of /srv/mute was removed, for ENG-7 did not answer.",
        "sweep_sandboxes fails",
        "Linear does not answer.",
        "A was not put right: put_right A fails",
    ]
    assert done.says.startswith("1 branch removed, 1 ticket told of its card. Not all could be done: ")


async def test_a_sweep_that_could_do_nothing_is_not_silent(client: Client) -> None:
    done = await swept(client, Stale(failing={"sweep_sandboxes"}))
    assert (done.trouble, done.silent) == ("sweep_sandboxes fails", False)


async def test_a_repository_that_is_gone_is_left_out(client: Client) -> None:
    world = World(failures={"open_repository": [stop(Failure.REPOSITORY_NOT_FOUND, "There is none.")]})
    stale = Stale(places=[SHOP, SHOP])
    done = await swept(client, stale, world)
    assert (done.trouble, done.silent, len(stale.of(SweepBranches))) == ("", True, 1)


def parked(run: Run, name: str) -> Parked:
    ref = names.ticket_ref(run.handle.id)
    assert ref
    return Parked(ref=ref, identifier=name, phase=Phase.PLAN_GATE, since=AT)


async def test_a_gate_is_reminded_once_in_a_sweep(client: Client, start: StartTicket) -> None:
    world = World()
    run = await start(world)
    gate = await run.until(Phase.PLAN_GATE)
    gone = Parked(ref=TicketRef(tracker="board", id=uuid4().hex), identifier="GONE", phase=Phase.QUESTION, since=AT)
    stale = Stale(parked=[gone, parked(run, "ENG-1")])
    done = await swept(client, stale)
    assert (done.reminded, done.says, done.trouble) == (("ENG-1",), "1 gate reminded.", "")
    status = await run.until(lambda status: status.reminded is not None)
    assert "Reminder." in status.story[-1]
    await run.until(lambda _: len(reminders(world)) == 2)
    await swept(client, stale)
    assert (await run.until(Phase.PLAN_GATE)).story == status.story, "the same moment again reminds nobody"
    said = next(asked for asked in reminders(world) if isinstance(asked, PostComment))
    assert (said.at, said.subject) == (Phase.PLAN_GATE, gate.subject), "it still waits for an answer"
    note = next(asked for asked in reminders(world) if isinstance(asked, Note))
    assert (note.subject, note.alarm, note.phase) == (gate.subject, False, Phase.PLAN_GATE)
    await swept(client, stale, at=(AT + timedelta(days=3)).isoformat())
    await run.until(lambda _: len(reminders(world)) == 4)


def reminders(world: World) -> list[Note | PostComment]:
    asked = [one for one in world.asked if isinstance(one, Note | PostComment)]
    texts = [(one, one.text if isinstance(one, Note) else one.remark.text) for one in asked]
    return [one for one, text in texts if text.lstrip("*").startswith("Reminder.")]


@pytest.mark.parametrize("where", ["paused", "building", "decided"])
async def test_a_ticket_with_nothing_to_remind_of_says_nothing(start: StartTicket, where: str) -> None:
    world = World(delays={"take_turn": 0.5} if where != "paused" else {})
    run = await start(world)
    if where != "building":
        await run.until(Phase.PLAN_GATE)
    if where == "paused":
        await run.act(Action.PAUSE)
    if where == "decided":
        await run.act(Action.APPROVE)
        await run.until(Phase.BUILDING)
    await run.handle.signal("remind", "sweep 1")
    await run.handle.signal("remind", None)
    status = await run.status()
    assert status.reminded is None
    assert not any("Reminder" in line for line in status.story)
    assert not reminders(world)


async def test_a_person_reminds_from_the_temporal_ui_as_often_as_they_like(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    for times in (2, 4):
        await run.handle.signal("remind")
        await run.until(lambda _, times=times: len(reminders(world)) == times)
    await run.act(Action.ABORT)
    assert (await run.outcome()).phase is Phase.CANCELLED


async def test_the_loop_of_triage_runs_it_and_tells_a_trouble(client: Client) -> None:
    """As a schedule starts it: the sweep gets the moment and the run's name from the loop."""
    world, stale = World(), Stale(failing={"sweep_sandboxes"})
    async with working(client, stale, world) as queue:
        order = LoopOrder(
            name=f"sweep-{queue}", title="Sweep of stale work", flow="Sweep", order={"remind_after": "2d"}
        )
        outcome = await client.execute_workflow(
            "Loop", order, id=f"loop-{queue}", task_queue=queue, result_type=LoopOutcome
        )
    assert (outcome.trouble, outcome.told) == ("sweep_sandboxes fails", True)
    (note,) = world.of(Note)
    assert note.alarm
    (asked,) = stale.of(ListParked)
    assert outcome.at - asked.before == timedelta(days=2)
