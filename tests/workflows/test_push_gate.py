"""What may leave: a change that is refused goes back to the agent, one that touches protected paths to a person."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.workflows.conftest import StartTicket, approved
from tests.workflows.world import CLEAN, World, asks, done, policy, pushes, refuses, role_and_part, submits
from workflows.domain.decision import Action
from workflows.domain.policy import ChangeLimits, ProtectedPaths, SecretScan
from workflows.domain.review import Finding, Review, Severity
from workflows.domain.session import Role
from workflows.domain.ticket import Phase
from workflows.ports.forge import MergePullRequest, OpenPullRequest, PublishChange

pytestmark = pytest.mark.server


async def test_a_refused_change_is_a_strike_that_the_agent_can_mend(start: StartTicket) -> None:
    world = World(published=[refuses, pushes])
    world.turns[Role.BUILDER] = [done("s1"), done("s2")]
    run = await start(world)
    await approved(run)
    gate = await run.until(Phase.MERGE_GATE)
    assert gate.subject == "head-of-s2"
    second = world.turns_of(Role.BUILDER)[1].order
    assert second is not None
    assert second.brief.failure == "sha256:why"
    assert "Strike 1 of 5: what may leave: 1 reason" in world.comments


async def test_what_never_may_leave_is_given_up_and_stays_here(start: StartTicket) -> None:
    world = World(published=[refuses], policy=policy(strikes=2))
    world.turns[Role.BUILDER] = [done("s1"), done("s2")]
    run = await start(world)
    await approved(run)
    outcome = await run.outcome()
    assert (outcome.phase, outcome.branch) == (Phase.GAVE_UP, "")
    assert not world.of(OpenPullRequest)
    assert any("not pushed: what may leave" in line and "journal as s2" in line for line in (await run.status()).story)


async def test_protected_paths_wait_for_a_person_before_anything_is_pushed(start: StartTicket) -> None:
    world = World(published=[asks])
    run = await start(world)
    await approved(run)
    held = await run.until(Phase.PUSH_GATE)
    assert held.subject == "head-of-s1"
    assert "`.ci/run`" in held.change
    assert "    +deploy" in held.change
    assert not world.of(OpenPullRequest)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.act(Action.APPROVE, of="fffffff")
    assert "Stale" in str(refused.value.cause)
    await run.act(Action.APPROVE, of=held.subject)
    await run.until(Phase.MERGE_GATE)
    assert [change.allowed for change in world.of(PublishChange)] == ["", "d" * 40]
    assert world.moves[2:5] == ["Building", "Push gate", "Reviewing"]
    await run.until(lambda _: "Allowed by a person at the push gate" in world.comments)
    await run.act(Action.APPROVE)
    await run.outcome()
    assert len(world.of(MergePullRequest)) == 1


async def test_what_was_allowed_is_not_asked_for_again_while_it_stays_the_same(start: StartTicket) -> None:
    world = World(published=[asks])
    blocker = Finding(severity=Severity.BLOCKER, path="hinge.py", line=3, text="It still squeaks.")
    world.turns[Role.REVIEWER] = [submits(Review(summary="Nearly.", findings=(blocker,)), "s1"), submits(CLEAN, "s2")]
    world.turns[Role.FIXER] = [done("s2")]
    run = await start(world)
    await approved(run)
    await run.until(Phase.PUSH_GATE)
    await run.act(Action.APPROVE)
    gate = await run.until(Phase.MERGE_GATE)
    assert (gate.subject, world.moves.count("Push gate")) == ("head-of-s2", 1)


async def test_changes_asked_for_at_the_push_gate_are_built_and_are_no_strike(start: StartTicket) -> None:
    world = World(published=[asks, pushes], policy=policy(strikes=1))
    world.turns[Role.BUILDER] = [done("s1"), done("s2")]
    run = await start(world)
    await approved(run)
    await run.until(Phase.PUSH_GATE)
    await run.act(Action.REQUEST_CHANGES, note="Leave CI alone.")
    gate = await run.until(Phase.MERGE_GATE)
    second = world.turns_of(Role.BUILDER)[1]
    assert second.order is not None
    assert second.order.brief.remarks == ("Leave CI alone.",)
    assert second.after == f"{world.turns_of(Role.BUILDER)[0].session}/1"
    assert role_and_part(second) == (Role.BUILDER, 2)
    assert gate.subject == "head-of-s2"


@pytest.mark.parametrize(
    ("action", "phase"), [(Action.REJECT, Phase.DECLINED), (Action.ABORT, Phase.CANCELLED)], ids=str
)
async def test_a_change_that_nobody_allows_is_never_pushed(start: StartTicket, action: Action, phase: Phase) -> None:
    world = World(published=[asks])
    run = await start(world)
    await approved(run)
    await run.until(Phase.PUSH_GATE)
    await run.act(action, note="Not CI.")
    outcome = await run.outcome()
    assert (outcome.phase, outcome.branch) == (phase, "")
    assert not any(change.allowed for change in world.of(PublishChange))
    assert any("not pushed: nobody allowed it" in line for line in (await run.status()).story)


async def test_the_repositorys_rules_go_with_every_change(start: StartTicket) -> None:
    rules = {
        "change": ChangeLimits(max_files=7),
        "protected": ProtectedPaths(lock_files=True),
        "secrets": SecretScan(allow_markers=True),
    }
    world = World(policy=policy().model_copy(update=rules))
    run = await start(world)
    await approved(run)
    await run.until(Phase.MERGE_GATE)
    sent = world.of(PublishChange)[0]
    assert (sent.limits, sent.protected, sent.secrets) == tuple(rules.values())
