"""A ticket's way, branch by branch."""

from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.errors import stop
from tests.workflows.conftest import StartTicket, approved
from tests.workflows.world import CLEAN, GREEN, PLAN, World, done, policy, red, role_and_part, submits, works
from workflows.domain.decision import Action
from workflows.domain.environment import Environment
from workflows.domain.failures import Failure
from workflows.domain.plan import PlanDraft
from workflows.domain.review import Finding, Review, Severity
from workflows.domain.session import Role, TakeTurn, TurnEnd, TurnReport
from workflows.domain.ticket import Phase
from workflows.ports.forge import ClosePullRequest, MergePullRequest, OpenPullRequest, PublishChange
from workflows.ports.model import TopUpAccount
from workflows.ports.workspace import DestroyWorkspace, RunChecks

pytestmark = pytest.mark.server

BLOCKER = Finding(severity=Severity.BLOCKER, path="hinge.py", line=3, text="It still squeaks.")


async def test_a_ticket_becomes_a_merged_pull_request(start: StartTicket) -> None:
    world = World()
    run = await start(world, label="SCRIPTED: no live model")
    gate = await run.until(Phase.PLAN_GATE)
    assert gate.subject
    assert gate.waiting_for
    await run.act(Action.APPROVE, by="Ada", of=gate.subject)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.APPROVE)
    outcome = await run.outcome()
    assert outcome.phase is Phase.DONE
    assert outcome.plan_hash == gate.subject
    assert outcome.approved_by == "Ada"
    assert outcome.pull_request is not None
    assert outcome.pull_request.merged_sha == "merged"
    assert world.moves == ["Planning", "Plan gate", "Building", "Reviewing", "Merge gate", "Done"]
    assert [merge.head_sha for merge in world.of(MergePullRequest)] == ["head-of-s1"]
    assert "SCRIPTED" in world.of(OpenPullRequest)[0].body
    assert "flake" not in world.of(OpenPullRequest)[0].body
    assert all("SCRIPTED" in remark.text for remark in world.remarks)
    assert len({remark.key for remark in world.remarks}) == len(world.remarks)
    assert len(world.of(DestroyWorkspace)) == 1


async def test_a_flake_is_shown_in_the_pull_request_and_is_no_part_of_the_change(start: StartTicket) -> None:
    world = World(proposed_flake="{ the = flake; }\n")
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    assert world.of(OpenPullRequest)[0].body.endswith("run in it.\n\n```nix\n{ the = flake; }\n```")
    assert [publish.state for publish in world.of(PublishChange)] == ["s1"]
    await run.act(Action.REJECT)
    await run.outcome()


async def test_what_may_take_long_is_told_before_it_begins(start: StartTicket) -> None:
    run = await start(World(environment=Environment(prepare=("make deps",), digest="d")))
    story = (await run.until(Phase.PLAN_GATE)).story
    preparing, ready = (line for line in story if "Preparing the env" in line or "sandbox is ready" in line)
    assert "Preparing the environment with 1 command" in preparing
    assert "The sandbox is ready" in ready
    await run.act(Action.REJECT)
    await run.outcome()


async def test_a_stale_approval_is_refused_in_words(start: StartTicket) -> None:
    world = World(
        turns={Role.PLANNER: [submits(PLAN), submits(PlanDraft(summary="B", steps=("b",), acceptance=("b",)))]}
    )
    run = await start(world)
    first = await run.until(Phase.PLAN_GATE)
    await run.act(Action.REQUEST_CHANGES, note="Smaller, please.")
    second = await run.until(lambda status: status.phase is Phase.PLAN_GATE and status.subject != first.subject)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.act(Action.APPROVE, of=first.subject)
    assert "Stale" in str(refused.value.cause)
    assert (await run.status()).phase is Phase.PLAN_GATE
    assert "Smaller, please." in str(world.asked)
    assert "revision 2" in second.plan
    await run.act(Action.REJECT, note="Not now.")
    assert (await run.outcome()).phase is Phase.DECLINED


async def test_raw_failures_go_back_until_the_checks_pass(start: StartTicket) -> None:
    failing = red("a").model_copy(update={"excerpt": "assert 1 == 2\n# not a heading"})
    world = World(checks=[failing, red("b"), GREEN])
    world.turns[Role.BUILDER] = [done("s1"), done("s2"), done("s3")]
    run = await start(world)
    await approved(run)
    await run.until(Phase.MERGE_GATE)
    builders = world.turns_of(Role.BUILDER)
    assert [role_and_part(turn)[1] for turn in builders] == [1, 2, 3]
    assert builders[1].after == f"{builders[0].session}/1", "the second attempt continues the same conversation"
    assert [check.workspace.state for check in world.of(RunChecks)] == ["s1", "s2", "s3"]
    assert [change.state for change in world.of(PublishChange)] == ["s3"]
    assert "    assert 1 == 2" in world.comments, "the failure is on the ticket, as a block of text"


@pytest.mark.parametrize(
    ("checks", "states", "reason"),
    [
        ([red("a"), red("b"), red("c")], ["s1", "s2", "s3"], "after 3 strikes"),
        ([red("a"), red("a")], ["s1", "s1"], "the same files again"),
        ([red("a"), red("a"), red("a")], ["s1", "s2", "s3"], "3 times in the same way"),
    ],
)
async def test_a_ticket_gives_up_with_a_summary_and_keeps_the_work(
    start: StartTicket, checks: list[object], states: list[str], reason: str
) -> None:
    world = World(policy=policy(strikes=3 if reason.startswith("after") else 5))
    world.checks = list(checks)  # type: ignore[arg-type]
    world.turns[Role.BUILDER] = [done(state) for state in states]
    run = await start(world)
    await approved(run)
    outcome = await run.outcome()
    assert outcome.phase is Phase.GAVE_UP
    assert reason in outcome.summary
    assert outcome.branch, "what was made is on a branch"
    assert world.of(PublishChange)[-1].state == states[-1]
    assert outcome.summary in world.comments


async def test_findings_are_fixed_and_reviewed_again(start: StartTicket) -> None:
    world = World()
    world.turns[Role.REVIEWER] = [submits(Review(summary="Nearly.", findings=(BLOCKER,)), "s1"), submits(CLEAN, "s2")]
    world.turns[Role.FIXER] = [done("s2")]
    run = await start(world)
    await approved(run)
    gate = await run.until(Phase.MERGE_GATE)
    assert gate.subject == "head-of-s2"
    assert [change.previous_head for change in world.of(PublishChange)] == ["", "head-of-s1"]


async def test_review_rounds_are_capped_and_the_rest_goes_to_the_person(start: StartTicket) -> None:
    world = World(policy=policy(review_rounds=2))
    review = submits(Review(summary="Nearly.", findings=(BLOCKER,)), "s1")
    world.turns[Role.REVIEWER] = [review, review]
    world.turns[Role.FIXER] = [done("s2")]
    run = await start(world)
    await approved(run)
    await run.until(Phase.MERGE_GATE)
    await run.until(lambda _: "still squeaks" in world.comments)


async def test_changes_asked_for_at_the_merge_gate_are_built(start: StartTicket) -> None:
    world = World()
    world.turns[Role.REVIEWER] = [submits(CLEAN, "s1"), submits(CLEAN, "s2")]
    world.turns[Role.FIXER] = [done("s2")]
    run = await start(world)
    await approved(run)
    first = await run.until(Phase.MERGE_GATE)
    await run.act(Action.REQUEST_CHANGES, note="Rename it.")
    await run.until(lambda status: status.phase is Phase.MERGE_GATE and status.subject != first.subject)
    await run.act(Action.APPROVE)
    assert (await run.outcome()).phase is Phase.DONE


async def test_a_question_waits_for_the_answer_and_the_session_goes_on(start: StartTicket) -> None:
    world = World()
    asks = TurnReport(end=TurnEnd.ASKED, summary="ask_human", question="Left or right?")
    world.turns[Role.BUILDER] = [asks, done("s1")]
    run = await start(world)
    await approved(run)
    waiting = await run.until(Phase.QUESTION)
    assert "Left or right?" in waiting.waiting_for
    await run.act(Action.ANSWER, note="Left.")
    await run.until(Phase.MERGE_GATE)
    second = world.turns_of(Role.BUILDER)[1]
    assert (second.seq, role_and_part(second)[1]) == (2, 1), "the same session at its next turn"
    assert "Left." in second.steering[0]


async def test_what_cannot_go_on_is_said_and_goes_on_when_mended(start: StartTicket) -> None:
    world = World(failures={"gather_context": [stop(Failure.BAD_POLICY, "WORKFLOW.md line 3, key pawl.budget: no.")]})
    run = await start(world)
    blocked = await run.until(Phase.BLOCKED)
    assert "WORKFLOW.md line 3" in blocked.waiting_for
    await run.until(lambda _: "WORKFLOW.md line 3" in world.comments)
    await run.act(Action.RESUME)
    await run.until(Phase.PLAN_GATE)


async def test_a_turn_that_fails_for_good_blocks_and_is_taken_again(start: StartTicket) -> None:
    world = World(failures={"take_turn": [stop(Failure.TAPE_MISMATCH, "The tape no longer fits.")]})
    run = await start(world)
    blocked = await run.until(Phase.BLOCKED)
    assert "The tape no longer fits." in blocked.waiting_for
    await run.act(Action.RESUME)
    await run.until(Phase.PLAN_GATE)
    assert [turn.seq for turn in world.of(TakeTurn)] == [1, 1]


async def test_a_lost_claim_lets_go_without_touching_the_card(start: StartTicket) -> None:
    world = World(failures={"claim_ticket": [stop(Failure.CLAIM_LOST, "ENG-1 was taken by somebody else.")]})
    run = await start(world)
    outcome = await run.outcome()
    assert outcome.phase is Phase.CANCELLED
    assert world.moves == []


async def test_abort_undoes(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await approved(run)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.ABORT, by="Ada")
    outcome = await run.outcome()
    assert outcome.phase is Phase.CANCELLED
    assert len(world.of(ClosePullRequest)) == 1
    assert len(world.of(DestroyWorkspace)) == 1
    assert world.moves[-2:] == ["Cancelled", "Todo"], "the card is put back"


async def test_abort_in_mid_build_keeps_the_patch(start: StartTicket) -> None:
    world = World(delays={"run_checks": 30})
    run = await start(world)
    await approved(run)
    await run.until(lambda status: any(line.ended for line in status.sessions if line.role is Role.BUILDER))
    await run.act(Action.ABORT)
    outcome = await run.outcome()
    assert outcome.branch
    assert world.of(PublishChange)[-1].state == "s1"
    assert not world.of(OpenPullRequest)


async def test_take_over_leaves_branch_and_pull_request(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await approved(run)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.TAKE_OVER, by="Ada")
    outcome = await run.outcome()
    assert outcome.phase is Phase.TAKEN_OVER
    assert not world.of(ClosePullRequest)


async def test_cancel_from_temporal_is_an_abort(start: StartTicket) -> None:
    world = World()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.handle.cancel()
    outcome = await run.outcome()
    assert outcome.phase is Phase.CANCELLED
    assert world.moves[-1] == "Todo"


async def test_money_given_early_is_in_force_at_once_and_nobody_is_asked_for_it_later(start: StartTicket) -> None:
    world = World(delays={"take_turn": 0.3})
    world.turns[Role.BUILDER] = [
        works(),
        TurnReport(end=TurnEnd.MONEY_OUT, summary="not sent", detail="$5 are used up."),
        done("s1"),
    ]
    run = await start(world)
    await approved(run)
    await run.until(lambda _: bool(world.turns_of(Role.BUILDER)))
    await run.act(Action.TOP_UP, usd=Decimal(3))
    await run.until(lambda _: bool(world.of(TopUpAccount)))
    assert len(world.turns_of(Role.BUILDER)) == 1, "while the session is at work"
    await run.until(Phase.MERGE_GATE)
    assert Phase.BUDGET_GATE not in world.moves
    assert [turn.seq for turn in world.turns_of(Role.BUILDER)] == [1, 2, 2]
