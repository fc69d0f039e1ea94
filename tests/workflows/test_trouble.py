"""What a person can see of a step that fails and is tried again."""

import asyncio

import pytest
from temporalio.client import Client

from activities.errors import again, stop
from infra.following import troubles
from tests.workflows.conftest import StartTicket, reset_to_the_start
from tests.workflows.world import PLAN, World, submits
from workflows.domain.change import Check
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.plan import PlanDraft
from workflows.domain.policy import Policy
from workflows.domain.session import Role
from workflows.domain.ticket import Phase
from workflows.ports.forge import OpenRepository
from workflows.ports.model import OpenAccount

pytestmark = pytest.mark.server


async def test_a_step_that_is_tried_again_is_named_with_its_last_failure(start: StartTicket, client: Client) -> None:
    world = World(failures={"open_repository": [again("The host nohost cannot be reached.") for _ in range(5)]})
    run = await start(world)
    async with asyncio.timeout(60):
        while not (told := await troubles(client, run.handle.id)):  # noqa: ASYNC110  # the server keeps no event
            await asyncio.sleep(0.02)
    assert "open_repository is being tried again" in told[0].sentence
    assert "nohost cannot be reached" in told[0].sentence
    await run.until(Phase.PLAN_GATE)
    assert await troubles(client, run.handle.id) == ()


async def test_after_a_resume_the_repository_is_looked_at_anew(start: StartTicket) -> None:
    bad = stop(Failure.BAD_POLICY, "WORKFLOW.md line 3: no.")
    world = World(failures={"gather_context": [bad], "open_account": [stop(Failure.BAD_REQUEST, "No such model.")]})
    run = await start(world)
    for times in (1, 2):
        await run.until(Phase.BLOCKED)
        assert len(world.of(OpenRepository)) == times
        await run.act(Action.RESUME)
        await run.until(lambda status: status.phase is not Phase.BLOCKED)
    await run.until(Phase.PLAN_GATE)
    assert len(world.of(OpenRepository)) == 3


async def test_a_branch_that_git_cannot_have_beside_the_base_is_found_before_anything_is_paid(
    start: StartTicket,
) -> None:
    world = World(policy=Policy(checks=(Check(name="tests", run="true"),), branch_prefix="main/"))
    run = await start(world)
    blocked = await run.until(Phase.BLOCKED)
    assert "pawl.branch_prefix: git cannot have a branch main/" in blocked.waiting_for
    assert not world.of(OpenAccount)


async def test_a_text_after_a_reset_is_said_though_another_one_had_its_place(
    start: StartTicket, client: Client
) -> None:
    world = World()
    other = PlanDraft(summary="Another plan", steps=("a",), acceptance=("b",))
    world.turns[Role.PLANNER] = [submits(PLAN), submits(other)]
    run = await start(world)
    first = await run.until(Phase.PLAN_GATE)
    await reset_to_the_start(client, run)
    await run.until(lambda status: status.phase is Phase.PLAN_GATE and status.subject != first.subject)

    def keys() -> list[str]:
        return [remark.key for remark in world.remarks if "Plan, revision" in remark.text]

    await run.until(lambda _: len(keys()) == 2)
    assert len(set(keys())) == 2
