"""What a plan leaves to be found out becomes child tickets once it is approved; what is on the card is passed on."""

import pytest

from activities.errors import stop
from tests.workflows.conftest import StartTicket, approved
from tests.workflows.world import PLAN, World, submits
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.plan import Spike
from workflows.domain.session import Role
from workflows.domain.ticket import Attachment, Phase
from workflows.ports.tracker import FileTicket, PostComment

pytestmark = pytest.mark.server

SPIKES = (Spike(question="Who owns the hinge?", why="They decide."), Spike(question="Which oil?", why="Cost."))


def planned(**more: object) -> World:
    world = World(**more)  # pyright: ignore[reportArgumentType]  # whatever a world is made of
    world.turns[Role.PLANNER] = [submits(PLAN.model_copy(update={"spikes": SPIKES}))]
    return world


async def test_each_is_filed_once_as_a_child_when_the_plan_is_approved(start: StartTicket) -> None:
    world = planned()
    run = await start(world)
    gate = await run.until(Phase.PLAN_GATE)
    assert not world.of(FileTicket)
    assert "Who owns the hinge?" in gate.plan
    await run.act(Action.APPROVE, of=gate.subject)
    status = await run.until(Phase.MERGE_GATE)
    first, second = world.of(FileTicket)
    assert (first.title, first.labels, first.parent) == ("Who owns the hinge?", ("spike",), first.parent)
    assert first.parent is not None
    assert first.tracker == first.parent.tracker
    assert first.key.startswith(f"{status.account}/spike-")
    assert first.key != second.key
    assert first.parent.id in first.body
    (said,) = [one.remark.text for one in world.of(PostComment) if "found out" in one.remark.text]
    assert "- [F](https://board.test/F) Who owns the hinge?" in said
    assert any(line.endswith("Filed F https://board.test/F: Which oil?") for line in status.story)
    await run.act(Action.REJECT)
    await run.outcome()


async def test_a_tracker_that_refuses_them_does_not_hurt_the_ticket(start: StartTicket) -> None:
    refusal = stop(Failure.BAD_REQUEST, "No child tickets here.")
    world = planned(failures={"file_ticket": [refusal, refusal]})
    run = await start(world)
    await approved(run)
    status = await run.until(Phase.MERGE_GATE)
    assert sum("Left undone: No child tickets here." in line for line in status.story) == 2
    assert not [one for one in world.of(PostComment) if "found out" in one.remark.text]
    await run.act(Action.REJECT)
    await run.outcome()


async def test_agents_are_told_what_is_on_the_card(start: StartTicket) -> None:
    files = (Attachment(name="hinge.png", media_type="image/png", content="sha256:hinge"),)
    world = World(attachments=files)
    run = await start(world)
    await approved(run)
    await run.until(Phase.MERGE_GATE)
    for role in (Role.PLANNER, Role.BUILDER):
        order = world.turns_of(role)[0].order
        assert order is not None
        assert order.brief.attachments == files
    await run.act(Action.REJECT)
    await run.outcome()
