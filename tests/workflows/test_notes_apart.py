"""A place for notes that is away holds nothing up, and loses nothing: they are posted beside the ticket's way."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from activities.errors import again, stop
from tests.workflows.conftest import Run, StartTicket, approved
from tests.workflows.world import World, policy
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.gates import Gates, GateTerms
from workflows.domain.intake import Words
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Phase
from workflows.ports.notify import Note

pytestmark = pytest.mark.server

BOB = Person(place="github", id="2", name="Bob", handle="bob", trust=Trust.MEMBER)


@dataclass
class Away(World):
    """Notes come to nothing, or to no end, until `back` is set."""

    hangs: bool = False
    back: asyncio.Event = field(default_factory=asyncio.Event)
    posted: list[Note] = field(default_factory=list[Note])

    async def heard(self, request: Any) -> None:
        await super().heard(request)
        if not isinstance(request, Note):
            return
        if self.hangs:
            await self.back.wait()
        if not self.back.is_set():
            raise again("Slack is away.")
        self.posted.append(request)

    @property
    def phases(self) -> list[Phase]:
        return [note.phase for note in self.posted]


async def is_over(run: Run) -> bool:
    """Whether the ticket's run has ended."""
    return (await run.handle.describe()).close_time is not None


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_decision_counts_while_the_note_is_still_tried(start: StartTicket, hangs: bool) -> None:
    world = Away(hangs=hangs)
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.until(lambda _: bool(world.of(Note)))
    await run.handle.signal("approve")
    await run.until(Phase.MERGE_GATE)
    assert {note.phase for note in world.of(Note)} == {Phase.PLAN_GATE}, "one at a time: the first is still tried"
    await run.handle.signal("approve")
    await run.until(Phase.DONE)
    await asyncio.sleep(0.5)
    assert not await is_over(run), "the last word is not said yet"
    world.back.set()
    assert (await run.outcome()).phase is Phase.DONE
    assert world.phases == [Phase.PLAN_GATE, Phase.MERGE_GATE, Phase.DONE], "in the order they were said"


async def test_a_cancellation_loses_no_note(start: StartTicket) -> None:
    world = Away()
    run = await start(world)
    await run.until(lambda _: bool(world.of(Note)))
    await run.handle.cancel()
    await run.until(Phase.CANCELLED)
    world.back.set()
    assert (await run.outcome()).phase is Phase.CANCELLED
    assert world.phases == [Phase.PLAN_GATE, Phase.CANCELLED]


async def test_a_reminder_that_cannot_be_posted_holds_up_no_decision(start: StartTicket) -> None:
    terms = Gates(plan=GateTerms(remind_after=1))
    world = Away(policy=policy().model_copy(update={"gates": terms}))
    world.back.set()
    run = await start(world)
    await run.until(lambda _: bool(world.posted))
    world.back.clear()
    await run.until(lambda _: any("Reminder" in note.text for note in world.of(Note)))
    await run.handle.signal("approve")
    await run.until(Phase.MERGE_GATE)
    assert world.phases == [Phase.PLAN_GATE]
    world.back.set()
    await run.act(Action.APPROVE)
    await run.outcome()
    assert world.phases == [Phase.PLAN_GATE, Phase.PLAN_GATE, Phase.MERGE_GATE, Phase.DONE]


async def test_an_answer_elsewhere_keeps_its_place_and_holds_up_no_other(start: StartTicket) -> None:
    world = Away()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    for number in (1, 2):
        await run.handle.signal("said", Words(id=f"comment:{number}", text="status", by=BOB))
    await run.until(lambda _: sum("/answer-" in remark.key for remark in world.remarks) == 2)
    assert not world.posted
    world.back.set()
    await run.act(Action.REJECT)
    await run.outcome()
    assert ["/answer-" in note.key for note in world.posted] == [False, True, True, False]


async def test_a_note_that_is_refused_for_good_is_told_and_the_next_one_comes(start: StartTicket) -> None:
    world = World(failures={"post_note": [stop(Failure.BAD_REQUEST, "There is no such channel.")]})
    run = await start(world)
    await approved(run)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.REJECT)
    await run.outcome()
    assert [note.phase for note in world.of(Note)] == [Phase.PLAN_GATE, Phase.MERGE_GATE, Phase.DECLINED]
    assert any("Left undone: There is no such channel." in line for line in (await run.status()).story)
