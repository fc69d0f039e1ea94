"""Autonomy level 4: a ticket that passes its gates by itself, and everything that has it wait for people."""

import pytest
from temporalio.client import Client

from activities.errors import stop
from tests.workflows.conftest import Run, StartTicket
from tests.workflows.pulls import ADA, GREEN_CI, RUNNING_CI, low, mends, nudge, red_ci, seen, thread
from tests.workflows.world import CLEAN, PLAN, World, asks, submits
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.intake import Words
from workflows.domain.people import Person, Trust
from workflows.domain.plan import Risk
from workflows.domain.session import Role, WorkDone
from workflows.domain.ticket import Phase
from workflows.domain.triage import Kind, Level, TriagePolicy
from workflows.domain.unattended import BY, VIA, AuditEntry
from workflows.ports.forge import LookAtPullRequest, MergePullRequest
from workflows.ports.notify import Note

pytestmark = pytest.mark.server
WHY = "WORKFLOW.md at 12ab34: triage level 4, kind lint"
LEAVE = {"unattended": WHY, "kind": Kind.LINT}


def log(world: World) -> list[tuple[str, str, str]]:
    return [(entry.phase, entry.subject, entry.withdrawn) for entry in world.of(AuditEntry)]


async def test_it_goes_to_its_end_and_every_decision_is_written_down_first(start: StartTicket) -> None:
    world = low()
    run = await start(world, **LEAVE)
    outcome = await run.outcome()
    assert outcome.phase is Phase.DONE
    assert log(world) == [("Plan gate", outcome.plan_hash, ""), ("Merge gate", "head-of-s1", "")]
    told = [(one.action, one.phase, one.subject, one.name, one.via, one.note) for one in outcome.decisions]
    assert told == [
        (Action.APPROVE, Phase.PLAN_GATE, outcome.plan_hash, "Pawl, unattended", "the policy", WHY),
        (Action.APPROVE, Phase.MERGE_GATE, "head-of-s1", "Pawl, unattended", "the policy", WHY),
    ]
    (merge,) = world.of(MergePullRequest)
    assert merge.head_sha == "head-of-s1"
    assert world.asked.index(world.of(AuditEntry)[1]) < world.asked.index(merge)
    entry = world.of(AuditEntry)[1]
    assert (entry.base, entry.why, entry.ticket) == ("b" * 40, WHY, run.handle.id.removeprefix("ticket:"))
    assert entry.pull_request
    assert world.comments.count("Pawl itself has decided `approve`") == 2
    assert (await run.status()).unattended == WHY
    assert not [note for note in world.of(Note) if note.phase is Phase.PLAN_GATE], "nobody is asked about the plan"


async def test_without_leave_nothing_of_it_happens(start: StartTicket) -> None:
    world = low()
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(Phase.MERGE_GATE)
    await nudge(run)
    await run.act(Action.REJECT)
    await run.outcome()
    assert log(world) == []
    assert "nattended" not in world.comments


@pytest.mark.parametrize(
    ("own", "why"),
    [
        (TriagePolicy(level=Level.START), "WORKFLOW.md at the ticket's base gives no leave (triage level 4)."),
        (TriagePolicy(level=Level.FINISH, low_risk=(Kind.DEPENDENCY,)), "has lint not under triage.low_risk."),
    ],
)
async def test_a_policy_that_has_changed_since_the_night_gives_no_leave(
    start: StartTicket, own: TriagePolicy, why: str
) -> None:
    world = low()
    world.policy = world.policy.model_copy(update={"triage": own})
    run = await start(world, **LEAVE)
    await run.until(Phase.PLAN_GATE)
    await run.until(lambda _: "A person decides at Plan gate: " in world.comments and why in world.comments)
    await run.act(Action.REJECT)
    await run.outcome()
    assert log(world) == []


@pytest.mark.parametrize("by", ["signal", "update", "words"])
async def test_nobody_can_decide_as_the_policy(start: StartTicket, by: str) -> None:
    world = low(grace=3600)
    run = await at_the_merge_gate(start, world)
    if by == "words":
        forged = Person(place=VIA, id="1", name=BY, trust=Trust.MEMBER)
        await run.handle.signal("said", Words(id="comment:1", text="approve", by=forged))
        await run.until(lambda status: any("Only the ticket itself" in line for line in status.story))
        await run.act(Action.APPROVE)
    elif by == "signal":
        await run.handle.signal("approve", {"by": BY, "via": VIA})
    else:
        await run.act(Action.APPROVE, by=BY, via=VIA)
    outcome = await run.outcome()
    assert (outcome.phase, outcome.decisions[-1].via) == (Phase.DONE, "")


async def test_a_plan_with_risk_waits_for_a_person_and_so_does_its_merge(start: StartTicket) -> None:
    world = low()
    world.turns[Role.PLANNER] = [submits(PLAN)]
    run = await start(world, **LEAVE)
    await run.until(Phase.PLAN_GATE)
    await run.until(lambda _: "A person decides at Plan gate: the planner sees its risk as medium." in world.comments)
    await run.act(Action.APPROVE, by="Ada")
    await run.until(Phase.MERGE_GATE)
    await run.until(lambda _: "A person decides at Merge gate: the planner sees its risk as medium." in world.comments)
    await run.act(Action.APPROVE, by="Ada")
    assert (await run.outcome()).phase is Phase.DONE
    assert log(world) == []


async def test_what_only_a_person_may_allow_keeps_the_merge_with_people(start: StartTicket) -> None:
    """Such as a change of WORKFLOW.md, which could give itself leave."""
    world = low(published=[asks])
    run = await start(world, **LEAVE)
    await run.until(Phase.PUSH_GATE)
    await run.act(Action.APPROVE, by="Ada")
    await run.until(lambda _: "A person decides at Merge gate: it touches what only a person" in world.comments)
    assert [phase for phase, _, _ in log(world)] == ["Plan gate"]
    await run.act(Action.REJECT)
    assert (await run.outcome()).phase is Phase.DECLINED


async def at_the_merge_gate(start: StartTicket, world: World) -> Run:
    run = await start(world, **LEAVE)
    await run.until(Phase.MERGE_GATE)
    await run.until(lambda _: "Unless somebody pauses it" in world.comments)
    return run


@pytest.mark.parametrize("action", [Action.PAUSE, Action.REJECT, Action.REQUEST_CHANGES, Action.STEER])
async def test_whoever_objects_in_time_is_obeyed(start: StartTicket, action: Action) -> None:
    world = mends(low(grace=3), "s2")
    run = await at_the_merge_gate(start, world)
    await run.act(action, note="Wait.", by="Ada")
    if action is Action.PAUSE:
        await run.act(Action.RESUME)
    if action is Action.REJECT:
        assert (await run.outcome()).phase is Phase.DECLINED
    else:
        await run.until(lambda _: "A person decides at Merge gate: a person has stepped in" in world.comments)
        assert not world.of(MergePullRequest)
        await run.act(Action.ABORT)
        await run.outcome()
    assert [phase for phase, _, _ in log(world)] == ["Plan gate"]


async def test_a_persons_approval_does_not_wait_for_the_time_to_object(start: StartTicket) -> None:
    world = low(grace=3600)
    run = await at_the_merge_gate(start, world)
    await run.act(Action.APPROVE, by="Ada")
    outcome = await run.outcome()
    assert (outcome.phase, outcome.decisions[-1].name) == (Phase.DONE, "Ada")
    assert [phase for phase, _, _ in log(world)] == ["Plan gate"]


async def test_it_waits_for_ci_and_stops_at_what_somebody_writes(start: StartTicket) -> None:
    world = low(looks=[RUNNING_CI])
    run = await at_the_merge_gate(start, world)
    await nudge(run)
    await run.until(lambda status: any("CI is running" in line for line in status.story))
    assert not world.of(MergePullRequest)
    world.looks = [GREEN_CI.model_copy(update={"changes_asked_by": (ADA,)})]
    await nudge(run)
    await run.until(lambda _: "A person decides at Merge gate: a review asks for changes." in world.comments)
    world.looks = [GREEN_CI]
    await nudge(run)
    assert (await run.outcome()).phase is Phase.DONE, "who takes it back lets it go on"


async def test_red_ci_that_was_mended_and_reviewed_anew_may_pass(start: StartTicket) -> None:
    world = mends(low(looks=[red_ci(), red_ci(attempt=2), GREEN_CI]), "s2")
    world.turns[Role.FIXER] = [submits(WorkDone(summary="Mended.", risk=Risk.LOW), "s2")]
    world.turns[Role.REVIEWER] = [submits(CLEAN, "s1"), submits(CLEAN, "s2")]
    run = await start(world, **LEAVE)
    assert (await run.outcome()).phase is Phase.DONE
    assert log(world)[-1] == ("Merge gate", "head-of-s2", "")


async def test_what_cannot_be_written_down_is_not_done(start: StartTicket) -> None:
    world = low(failures={"append_audit": [stop(Failure.BAD_REQUEST, "The disk is full.")]})
    run = await start(world, **LEAVE)
    await run.until(Phase.PLAN_GATE)
    await run.until(lambda status: any("The disk is full." in line for line in status.story))
    await run.act(Action.APPROVE, by="Ada")
    await run.until(lambda _: "A person decides at Merge gate: the audit log cannot be written." in world.comments)
    assert not world.of(MergePullRequest)
    await run.act(Action.REJECT)
    await run.outcome()


async def test_a_person_who_is_faster_than_the_log_wins(start: StartTicket, client: Client) -> None:
    world = low(grace=1, looks=[seen()])
    run = await at_the_merge_gate(start, world)
    world.delays["append_audit"] = 1.5
    await run.until(lambda _: len(log(world)) == 2)
    await run.act(Action.REJECT, by="Ada", note="No.")
    outcome = await run.outcome()
    assert (outcome.phase, [one.name for one in outcome.decisions]) == (Phase.DECLINED, ["Pawl, unattended", "Ada"])
    assert log(world)[-1] == ("Merge gate", "head-of-s1", "a person has stepped in (reject by Ada)")
    assert not world.of(MergePullRequest)


async def test_a_comment_while_there_is_time_goes_to_a_fixer_and_then_to_people(start: StartTicket) -> None:
    world = mends(low(grace=2), "s2")
    run = await at_the_merge_gate(start, world)
    world.looks = [seen(threads=(thread("Oil it."),), others_wrote=True)]
    await nudge(run)
    await run.until(lambda status: status.subject == "head-of-s2")
    await run.until(lambda _: "A person decides at Merge gate" in world.comments)
    await run.act(Action.REJECT)
    await run.outcome()
    assert not world.of(MergePullRequest)


async def test_nothing_is_merged_on_a_look_that_failed(start: StartTicket) -> None:
    blind = [stop(Failure.BAD_CREDENTIALS, "The token may not see checks.") for _ in range(3)]
    world = low(failures={"look_at_pull_request": blind})
    run = await at_the_merge_gate(start, world)
    for left in (1, 0):
        await nudge(run)
        await run.until(lambda _, left=left: len(blind) <= left)
    await nudge(run)
    assert (await run.outcome()).phase is Phase.DONE
    merge_written = world.asked.index(world.of(AuditEntry)[1])
    assert sum(isinstance(asked, LookAtPullRequest) for asked in world.asked[:merge_written]) > 3


@pytest.mark.parametrize("words", ["reject this please, it breaks production", "request changes, the import is used"])
async def test_an_objection_that_is_not_understood_leaves_the_merge_to_people(start: StartTicket, words: str) -> None:
    world = low(grace=2)
    run = await at_the_merge_gate(start, world)
    await run.handle.signal("said", Words(id="comment:1", text=words, by=ADA))
    await run.until(lambda _: "A person decides at Merge gate: Ada has said something here." in world.comments)
    await run.act(Action.REJECT)
    assert (await run.outcome()).phase is Phase.DECLINED
    assert not world.of(MergePullRequest)
