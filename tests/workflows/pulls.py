"""Pull requests as they may stand, for tests of what a ticket does about them."""

from typing import Any

from tests.workflows.conftest import Run, approved
from tests.workflows.world import CLEAN, PLAN, World, done, submits
from workflows.domain.change import Check
from workflows.domain.order import TicketStatus
from workflows.domain.people import Person, Trust
from workflows.domain.plan import Risk
from workflows.domain.policy import Policy
from workflows.domain.pull import CiState, FailedJob, PullSeen, PullState, Thread, ThreadComment
from workflows.domain.session import Role, WorkDone
from workflows.domain.ticket import Phase
from workflows.domain.triage import Level, TriagePolicy

ADA = Person(place="github", id="1", name="Ada", trust=Trust.MEMBER)
EVE = Person(place="github", id="2", name="Eve", trust=Trust.STRANGER)
PAWL = Person(place="github", id="3", name="pawl", trust=Trust.OURS)


def seen(**more: Any) -> PullSeen:
    """Without a head: where we pushed last."""
    return PullSeen.model_validate({"number": 1, "state": PullState.OPEN, "head_sha": "", **more})


def red_ci(attempt: int = 1, **more: Any) -> PullSeen:
    job = FailedJob(id=f"job{attempt}", name="test (3.12)", attempt=attempt, **more)
    return seen(ci=CiState.RED, failed=(job,))


def thread(text: str = "Why not oil?", by: Person = ADA, name: str = "t1", **more: Any) -> Thread:
    return Thread(id=name, comments=(ThreadComment(id=f"{name}-c", by=by, text=text),), **more)


GREEN_CI = seen(ci=CiState.GREEN)
RUNNING_CI = seen(ci=CiState.RUNNING)


def mends(world: World, *states: str) -> World:
    """Every one of these is a fixer's work, and is found good by a reviewer."""
    world.turns[Role.FIXER] = [done(state) for state in states]
    world.turns[Role.REVIEWER] += [submits(CLEAN, state) for state in states]
    return world


def low(grace: int = 0, **more: Any) -> World:
    """On autonomy level 4; all agents see little risk."""
    world = World(
        policy=Policy(
            checks=(Check(name="tests", run="true"),),
            triage=TriagePolicy(level=Level.FINISH, grace=grace),
        ),
        **more,
    )
    world.turns[Role.PLANNER] = [submits(PLAN.model_copy(update={"risk": Risk.LOW}))]
    world.turns[Role.BUILDER] = [submits(WorkDone(summary="Mended.", risk=Risk.LOW), "s1")]
    return world


async def to_the_merge_gate(run: Run) -> TicketStatus:
    await approved(run)
    return await run.until(Phase.MERGE_GATE)


async def nudge(run: Run) -> None:
    await run.handle.signal("pull-request-moved")


async def until_at(run: Run, head: str) -> TicketStatus:
    """Until the merge gate asks about this commit."""
    return await run.until(lambda status: status.phase is Phase.MERGE_GATE and status.subject == head)
