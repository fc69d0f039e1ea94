"""The ways a ticket can go of which a history is kept: each story is a world, and what people do in it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from activities.errors import stop
from tests.workflows.conftest import Run
from tests.workflows.world import CLEAN, GREEN, PLAN, World, asks, done, red, refuses, submits, works
from workflows.domain.budget import Budget
from workflows.domain.change import Check
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.plan import PlanDraft, Spike
from workflows.domain.policy import Policy
from workflows.domain.review import Finding, Review, Severity
from workflows.domain.session import Role, TurnEnd, TurnReport
from workflows.domain.ticket import Attachment, Phase

BLOCKER = Finding(severity=Severity.BLOCKER, path="hinge.py", line=3, text="It still squeaks.")
People = Callable[[Run], Awaitable[object]]


@dataclass
class Story:
    """`sessions` names the role whose first session's history is kept as well."""

    world: World
    people: People
    sessions: tuple[Role, ...] = field(default=())
    order: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the order says beside where and what."""


async def _approves(run: Run) -> None:
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE, by="Ada")


async def _approves_twice(run: Run) -> None:
    await _approves(run)
    await run.until(Phase.MERGE_GATE)
    await run.act(Action.APPROVE)


def merged() -> Story:
    return Story(World(), _approves_twice, (Role.PLANNER, Role.REVIEWER))


def struck_reviewed_and_fixed() -> Story:
    world = World(checks=[red("a"), GREEN])
    world.turns[Role.BUILDER] = [works(), done("s1"), done("s2")]
    world.turns[Role.REVIEWER] = [submits(Review(summary="Nearly.", findings=(BLOCKER,)), "s2"), submits(CLEAN, "s3")]
    world.turns[Role.FIXER] = [done("s3")]
    return Story(world, _approves_twice, (Role.BUILDER, Role.FIXER))


def asked_and_topped_up() -> Story:
    world = World()
    question = TurnReport(end=TurnEnd.ASKED, summary="ask_human", question="Left or right?")
    out = TurnReport(end=TurnEnd.MONEY_OUT, summary="not sent", detail="$0.10 is left.")
    world.turns[Role.BUILDER] = [question, out, done("s1")]

    async def people(run: Run) -> None:
        await _approves(run)
        await run.until(Phase.QUESTION)
        await run.act(Action.ANSWER, note="Left.")
        await run.until(Phase.BUDGET_GATE)
        await run.act(Action.TOP_UP, usd=Decimal(3))
        await run.until(Phase.MERGE_GATE)
        await run.act(Action.APPROVE)

    return Story(world, people, (Role.BUILDER,))


def changed_then_declined() -> Story:
    second = PlanDraft(summary="Smaller", steps=("mend",), acceptance=("it works",))
    world = World(turns={Role.PLANNER: [submits(PLAN), submits(second)]})

    async def people(run: Run) -> None:
        first = await run.until(Phase.PLAN_GATE)
        await run.act(Action.REQUEST_CHANGES, note="Smaller, please.")
        await run.until(lambda status: status.phase is Phase.PLAN_GATE and status.subject != first.subject)
        await run.act(Action.REJECT, note="Not now.")

    return Story(world, people)


def gave_up() -> Story:
    policy = Policy(checks=(Check(name="tests", run="true"),), budget=Budget(strikes=2))
    world = World(policy=policy, checks=[red("a"), red("b")])
    world.turns[Role.BUILDER] = [done("s1"), done("s2")]
    return Story(world, _approves)


def blocked_and_resumed() -> Story:
    bad = stop(Failure.BAD_POLICY, "WORKFLOW.md line 3, key pawl.budget: no.")
    misfit = stop(Failure.TAPE_MISMATCH, "The tape no longer fits.")
    world = World(failures={"gather_context": [bad], "take_turn": [misfit]})

    async def people(run: Run) -> None:
        for _ in range(2):
            await run.until(Phase.BLOCKED)
            await run.act(Action.RESUME)
            await run.until(lambda status: status.phase is not Phase.BLOCKED)
        await _approves_twice(run)

    return Story(world, people)


def aborted_in_mid_build() -> Story:
    world = World(delays={"run_checks": 30})

    async def people(run: Run) -> None:
        await _approves(run)
        await run.until(lambda status: any(line.ended and line.role is Role.BUILDER for line in status.sessions))
        await run.act(Action.ABORT, by="Ada")

    return Story(world, people)


def taken_over() -> Story:
    async def people(run: Run) -> None:
        await _approves(run)
        await run.until(Phase.MERGE_GATE)
        await run.handle.signal("card-moved", "Taken over")

    return Story(World(), people)


def steered_and_paused() -> Story:
    world = World(delays={"take_turn": 0.3})
    world.turns[Role.BUILDER] = [works(), works(), works(), done("s1")]

    async def people(run: Run) -> None:
        await run.until(Phase.PLAN_GATE)
        await run.handle.signal("approve")
        await run.until(Phase.BUILDING)
        await run.handle.signal("steer", "Use pathlib.")
        await run.act(Action.PAUSE)
        await run.act(Action.RESUME)
        await run.until(Phase.MERGE_GATE)
        await run.handle.signal("approve", {"note": "fine", "by": "Ada"})

    return Story(world, people, (Role.BUILDER,))


def refused_then_allowed_to_push() -> Story:
    """The first attempt may not leave; the second waits for a person, who first wants something changed."""
    world = World(published=[refuses, asks])
    world.turns[Role.BUILDER] = [done("s1"), done("s2"), done("s3")]

    async def people(run: Run) -> None:
        await _approves(run)
        held = await run.until(Phase.PUSH_GATE)
        await run.act(Action.REQUEST_CHANGES, note="Without the deployment.")
        await run.until(lambda status: status.phase is Phase.PUSH_GATE and status.subject != held.subject)
        await run.act(Action.APPROVE, by="Ada")
        await run.until(Phase.MERGE_GATE)
        await run.act(Action.APPROVE)

    return Story(world, people)


def claim_lost() -> Story:
    world = World(failures={"claim_ticket": [stop(Failure.CLAIM_LOST, "Taken by somebody else.")]})

    async def people(_: Run) -> None:
        return None

    return Story(world, people)


def spike_filed() -> Story:
    """One of two is filed, and a picture is on the card."""
    spikes = (Spike(question="Who owns the hinge?", why="They decide."), Spike(question="Which oil?", why="Cost."))
    world = World(
        attachments=(Attachment(name="hinge.png", media_type="image/png", content="sha256:hinge"),),
        failures={"file_ticket": [stop(Failure.BAD_REQUEST, "No child tickets here.")]},
    )
    world.turns[Role.PLANNER] = [submits(PLAN.model_copy(update={"spikes": spikes}))]
    return Story(world, _approves_twice, (Role.PLANNER,))


STORIES: tuple[Callable[[], Story], ...] = (
    merged,
    struck_reviewed_and_fixed,
    asked_and_topped_up,
    changed_then_declined,
    gave_up,
    blocked_and_resumed,
    aborted_in_mid_build,
    taken_over,
    steered_and_paused,
    refused_then_allowed_to_push,
    claim_lost,
    spike_filed,
)
