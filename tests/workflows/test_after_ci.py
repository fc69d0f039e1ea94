"""CI after the pull request: run again, mended, awaited, and left to people when the strikes are used up."""

import asyncio

from activities.errors import stop
from tests.workflows.conftest import StartTicket
from tests.workflows.pulls import GREEN_CI, RUNNING_CI, mends, nudge, red_ci, to_the_merge_gate, until_at
from tests.workflows.world import World, policy, submits
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.policy import MergePolicy
from workflows.domain.session import Role, WorkDone
from workflows.domain.ticket import Phase
from workflows.ports.forge import MergePullRequest, PublishChange, ReadJobLogs, RerunJobs


async def test_a_flaky_job_runs_again_and_nothing_else_happens(start: StartTicket) -> None:
    world = World(looks=[red_ci(), red_ci(), GREEN_CI])
    run = await start(world)
    await to_the_merge_gate(run)
    await run.act(Action.APPROVE)
    assert (await run.outcome()).phase is Phase.DONE
    (rerun,) = world.of(RerunJobs)
    assert (rerun.head_sha, [job.id for job in rerun.jobs]) == ("head-of-s1", ["job1"])
    assert not world.turns_of(Role.FIXER)


async def test_what_fails_again_is_mended_with_its_log_and_reviewed(start: StartTicket) -> None:
    world = mends(World(looks=[red_ci(), red_ci(attempt=2), RUNNING_CI]), "s2")
    run = await start(world)
    await to_the_merge_gate(run)
    await until_at(run, "head-of-s2")
    assert len(world.of(RerunJobs)) == 1
    assert [job.id for job in world.of(ReadJobLogs)[0].jobs] == ["job2"]
    order = world.turns_of(Role.FIXER)[0].order
    assert order is not None
    assert order.brief.failure == "sha256:logs"
    assert "test (3.12)" in order.brief.remarks[0]
    assert len(world.turns_of(Role.REVIEWER)) == 2
    assert "Attempt 1 of 3" in world.comments


async def test_a_job_that_cannot_run_again_is_mended_at_once(start: StartTicket) -> None:
    world = mends(World(looks=[red_ci(rerunnable=False), GREEN_CI]), "s2")
    run = await start(world)
    await to_the_merge_gate(run)
    await until_at(run, "head-of-s2")
    assert not world.of(RerunJobs)


async def test_an_approval_waits_for_green_and_can_be_thought_better_of(start: StartTicket) -> None:
    world = World(looks=[RUNNING_CI])
    run = await start(world)
    gate = await to_the_merge_gate(run)
    await run.act(Action.APPROVE, by="Ada", of=gate.subject)
    waiting = await run.until(lambda status: "the merge waits" in status.waiting_for)
    assert "CI is running" in waiting.waiting_for
    assert not world.of(MergePullRequest)
    assert "Approved by Ada. The merge waits: CI is running." in world.comments
    await run.act(Action.REJECT, note="Not today.")
    assert (await run.outcome()).phase is Phase.DECLINED


async def test_the_merge_comes_when_ci_is_green(start: StartTicket) -> None:
    world = World(looks=[RUNNING_CI])
    run = await start(world)
    await to_the_merge_gate(run)
    await run.act(Action.APPROVE)
    await run.until(lambda status: "the merge waits" in status.waiting_for)
    world.looks = [GREEN_CI]
    await nudge(run)
    assert (await run.outcome()).phase is Phase.DONE
    assert len(world.of(MergePullRequest)) == 1


async def test_a_policy_may_merge_without_ci(start: StartTicket) -> None:
    rules = policy().model_copy(update={"merge": MergePolicy(require_ci=False)})
    world = World(policy=rules, looks=[RUNNING_CI])
    run = await start(world)
    await to_the_merge_gate(run)
    await run.act(Action.APPROVE)
    assert (await run.outcome()).phase is Phase.DONE


async def test_used_up_strikes_are_left_to_a_person_and_end_nothing(start: StartTicket) -> None:
    world = mends(World(policy=policy(ci_strikes=1, flaky_reruns=0), looks=[red_ci(), red_ci(attempt=2)]), "s2")
    run = await start(world)
    await to_the_merge_gate(run)
    status = await until_at(run, "head-of-s2")
    assert "It was not mended in 1 attempt (`ci_strikes`)" in world.comments
    await nudge(run)
    await asyncio.sleep(3)
    assert len(world.turns_of(Role.FIXER)) == 1
    assert (await run.status()).phase is Phase.MERGE_GATE
    world.looks = [GREEN_CI]
    await run.act(Action.APPROVE, of=status.subject)
    assert (await run.outcome()).phase is Phase.DONE


async def test_an_attempt_that_fails_leaves_the_branch_and_the_ticket_alive(start: StartTicket) -> None:
    world = World(policy=policy(strikes=1, flaky_reruns=0, ci_strikes=1), looks=[red_ci()])
    mends(world, "s2")
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(lambda _: bool(world.turns_of(Role.REVIEWER)))
    world.checks = [world.checks[0].model_copy(update={"ok": False, "summary": "tests: exited 1", "fingerprint": "x"})]
    await run.until(lambda status: status.phase is Phase.MERGE_GATE and status.subject == "head-of-s1")
    assert "**Not mended.** The checks still fail after 1 strike." in world.comments
    await run.act(Action.REJECT)
    assert (await run.outcome()).phase is Phase.DECLINED
    assert [change.state for change in world.of(PublishChange)] == ["s1"], "what failed is pushed nowhere"


async def test_a_fixer_that_finds_nothing_to_mend_says_so_at_the_gate(start: StartTicket) -> None:
    world = World(policy=policy(flaky_reruns=0), looks=[red_ci()])
    world.turns[Role.FIXER] = [submits(WorkDone(summary="The runner was full."), "s1")]
    run = await start(world)
    await to_the_merge_gate(run)
    await run.until(lambda status: status.phase is Phase.MERGE_GATE and "The runner was full." in world.comments)
    assert len(world.turns_of(Role.REVIEWER)) == 1, "nothing new is to be reviewed"


async def test_a_look_that_fails_is_told_and_the_gate_works_on(start: StartTicket) -> None:
    world = World(failures={"look_at_pull_request": [stop(Failure.BAD_CREDENTIALS, "The token is old.")]})
    run = await start(world)
    await to_the_merge_gate(run)
    assert any("The token is old." in line for line in (await run.status()).story)
    await run.act(Action.APPROVE)
    assert (await run.outcome()).phase is Phase.DONE
