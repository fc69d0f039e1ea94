"""What a schedule starts: one round at a time, for the moment it is meant for, and one alarm for one trouble."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    WorkflowFailureError,
)
from temporalio.exceptions import ApplicationError, CancelledError

from activities.errors import stop
from tests.workflows.conftest import a_worker
from tests.workflows.nights import finding, finds
from tests.workflows.world import World
from workflows.domain.failures import Failure
from workflows.domain.loop import LoopOrder, LoopOutcome
from workflows.loop import Loop
from workflows.ports.forge import FindRecent, OpenRepository
from workflows.ports.notify import Note
from workflows.ports.schedules import PauseSchedule
from workflows.ports.tracker import FileTicket

pytestmark = pytest.mark.server
MONDAY = datetime(2026, 3, 2, 3, tzinfo=UTC)


@workflow.defn(name="Sweep", sandboxed=False)
class Breaks:
    """Work with a bug."""

    @workflow.run
    async def run(self, order: dict[str, str]) -> None:
        raise ApplicationError("a bug", non_retryable=True)


@dataclass
class Rounds:
    """A schedule that starts a loop at three o'clock, by whose backfill nights are played."""

    client: Client
    handle: ScheduleHandle
    world: World

    @property
    def name(self) -> str:
        return self.handle.id

    async def night(self, number: int, *, beside: bool = False) -> LoopOutcome:
        """The round of that night, in the past; `beside` others, as a person may have it who triggers a schedule."""
        at = MONDAY + timedelta(days=number)
        overlap = ScheduleOverlapPolicy.ALLOW_ALL if beside else ScheduleOverlapPolicy.BUFFER_ALL
        second = timedelta(seconds=1)
        once = ScheduleBackfill(start_at=at - second, end_at=at + second, overlap=overlap)
        await self.handle.backfill(once)
        run = self.client.get_workflow_handle_for(Loop.run, f"{self.name}-{at:%Y-%m-%dT%H:%M:%SZ}")
        async with asyncio.timeout(60):
            while True:
                try:
                    return await run.result()
                except Exception as error:
                    if isinstance(error, WorkflowFailureError):
                        raise
                    await asyncio.sleep(0.1)  # the schedule has not started it yet

    async def until_begun(self) -> None:
        """The work of a round is under way."""
        async with asyncio.timeout(30):
            while not self.world.of(OpenRepository):  # noqa: ASYNC110  # the world keeps no event
                await asyncio.sleep(0.02)

    async def breaks(self) -> str:
        """A night that fails, and has its schedule pause itself: why."""
        with pytest.raises(WorkflowFailureError) as failed:
            await self.night(0)
        async with asyncio.timeout(30):
            while not (await self.handle.describe()).schedule.state.paused:  # noqa: ASYNC110  # the server tells nobody
                await asyncio.sleep(0.05)
        assert isinstance(failed.value.cause, ApplicationError)
        why = failed.value.cause.message
        assert self.alarms == [f"It ended with an error, and its schedule pauses itself: {why}"]
        return why

    @property
    def alarms(self) -> list[str]:
        return [note.text for note in self.world.of(Note) if note.alarm]


Edit = Callable[[dict[str, Any]], Any]


def edited(*edits: Edit) -> pytest.MarkDecorator:
    """What people make of the input in the Temporal UI."""
    return pytest.mark.parametrize("rounds", edits, indirect=True)


@pytest.fixture
async def rounds(client: Client, request: pytest.FixtureRequest) -> AsyncIterator[Rounds]:
    world, queue = World(), f"test-{uuid4().hex}"
    name = f"triage:hinge-{uuid4().hex[:8]}"
    order = {"name": name, "repository": "/srv/hinge", "model": "tape:x"}
    written = LoopOrder(name=name, title="Triage of /srv/hinge", flow="Triage", order=order).model_dump(mode="json")
    edit: Edit = getattr(request, "param", lambda given: given)
    spec = ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(3)])])
    action = ScheduleActionStartWorkflow("Loop", edit(written), id=name, task_queue=queue)
    policy = SchedulePolicy(pause_on_failure=True)
    handle = await client.create_schedule(name, Schedule(action=action, spec=spec, policy=policy))
    try:
        async with a_worker(client, world, queue, more=[Breaks]):
            yield Rounds(client, handle, world)
    finally:
        await handle.delete()


async def test_a_backfill_plays_the_nights_it_is_for(rounds: Rounds) -> None:
    finds(rounds.world, finding())
    first = await rounds.night(0)
    assert first.at == MONDAY
    assert first.says.startswith("1 new finding. Written: F-1.")
    rounds.world.recent = World().recent
    second = await rounds.night(1)
    assert second.says == "Nothing new since 2026-03-02 03:00 UTC. Nobody was asked or told anything."
    assert [search.since for search in rounds.world.of(FindRecent)] == [MONDAY - timedelta(days=7), MONDAY]
    assert not rounds.alarms


async def test_one_trouble_is_told_once_until_it_is_over(rounds: Rounds) -> None:
    world = rounds.world

    async def night(number: int, *trouble: str) -> LoopOutcome:
        world.failures = {"find_recent": [stop(Failure.BAD_REQUEST, words) for words in trouble]}
        return await rounds.night(number)

    assert (await night(0, "No access after 3 s.")).told
    assert (await night(1, "No access after 5 s.")).told
    assert rounds.alarms == ["No access after 3 s."]
    await night(2, "The disk is full.")
    assert not (await night(3)).trouble
    await night(4, "The disk is full.")
    assert rounds.alarms == ["No access after 3 s.", "The disk is full.", "The disk is full."]
    assert len({note.key for note in world.of(Note)}) == 3


async def test_an_alarm_that_could_not_be_posted_is_posted_by_the_next_round(rounds: Rounds) -> None:
    rounds.world.failures = {
        "find_recent": [stop(Failure.BAD_REQUEST, "No."), stop(Failure.BAD_REQUEST, "No.")],
        "post_note": [stop(Failure.OUT_OF_REACH, "The chat is away.")],
    }
    assert not (await rounds.night(0)).told
    assert (await rounds.night(1)).told
    assert len(rounds.alarms) == 2


async def test_a_repository_that_is_gone_pauses_its_schedule_with_the_reason(rounds: Rounds) -> None:
    why = "There is no repository at /srv/hinge."
    rounds.world.failures = {"open_repository": [stop(Failure.REPOSITORY_NOT_FOUND, why)]}
    await rounds.night(0)
    assert rounds.world.of(PauseSchedule) == [PauseSchedule(schedule=rounds.name, why=why)]
    assert rounds.alarms == [why]


async def test_a_file_that_was_put_aside_is_told_before_all_else(rounds: Rounds) -> None:
    rounds.world.set_aside = "The state file could not be read: it is kept aside."
    outcome = await rounds.night(0)
    assert outcome.says == "The state file could not be read: it is kept aside. 0 new findings. No model was asked."
    assert not outcome.trouble
    assert rounds.alarms == ["The state file could not be read: it is kept aside."]


async def test_two_loops_at_once_are_one_night(rounds: Rounds) -> None:
    world = rounds.world
    world.delays = {"find_recent": 1}
    finds(world, finding())
    first = asyncio.create_task(rounds.night(0))
    await rounds.until_begun()
    second = await rounds.night(1, beside=True)
    assert "is under way" in second.says
    assert (await first).at == MONDAY
    assert len(world.of(FileTicket)) == len(world.of(FindRecent)) == 1


@edited(lambda given: {"name": given["name"], "flow": "Sweep"})
async def test_a_bug_is_told_and_fails_the_loop(rounds: Rounds) -> None:
    assert await rounds.breaks() == "a bug"


@pytest.mark.parametrize("did", ["terminated", "cancelled"])
async def test_work_that_somebody_ends_in_temporal_is_told_as_that(rounds: Rounds, did: str) -> None:
    rounds.world.delays = {"find_recent": 30}
    ends = asyncio.create_task(rounds.breaks())
    await rounds.until_begun()
    night = rounds.client.get_workflow_handle(rounds.name)
    await (night.terminate() if did == "terminated" else night.cancel())
    assert (await ends).startswith(f"Somebody {did} its workflow {rounds.name} in Temporal. The next round takes up")


async def test_a_loop_that_is_cancelled_tells_nobody(rounds: Rounds) -> None:
    rounds.world.delays = {"find_recent": 30}
    night = asyncio.create_task(rounds.night(0))
    await rounds.until_begun()
    await rounds.client.get_workflow_handle(f"{rounds.name}-{MONDAY:%Y-%m-%dT%H:%M:%SZ}").cancel()
    with pytest.raises(WorkflowFailureError) as ended:
        await night
    assert isinstance(ended.value.cause, CancelledError)
    assert not rounds.alarms


def ordering(**changed: Any) -> Edit:
    return lambda given: {**given, "order": {**given["order"], **changed}}


def lacking(key: str) -> Edit:
    return lambda given: {**given, "order": {name: value for name, value in given["order"].items() if name != key}}


SLIPS: list[tuple[Edit, str]] = [
    (lacking("model"), "`order.model` is missing."),
    (lacking("repository"), "`order.repository` is missing."),
    (ordering(base_branch=7), "`order.base_branch` cannot be used: Input should be a valid string, not 7."),
    (ordering(modell="a:m"), "There is no key 'order.modell'. Did you mean `model`?"),
    (lambda given: {**given, "flow": "Triagee"}, "`flow` is 'Triagee', which no loop can do. Did you mean `Triage`?"),
    (
        lambda given: {**given, "flow": "Ticket"},
        "`flow` is 'Ticket', which no loop can do. There is: `Triage`, `Sweep`.",
    ),
    (lambda given: "{", "It must be an object with the keys `name`, `title`, `flow`, `order`, not '{'."),
    (lambda given: None, "It must be an object with the keys `name`, `title`, `flow`, `order`, not None."),
]


@pytest.mark.parametrize(("rounds", "slip"), SLIPS, indirect=["rounds"])
async def test_an_input_that_cannot_be_used_ends_the_round_at_once_and_says_why(rounds: Rounds, slip: str) -> None:
    said = await rounds.breaks()
    assert said == (
        f"Its input cannot be used. {slip} Correct it in the Temporal UI (Schedules, {rounds.name}, Edit) or run "
        f"`pawl schedule triage` again, then `pawl schedule resume {rounds.name}`."
    )
    assert not rounds.world.of(OpenRepository)
