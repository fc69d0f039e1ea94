"""Stories of pull requests that are looked after."""

from activities.errors import stop
from tests.replay.stories import Story
from tests.workflows.conftest import Run, approved
from tests.workflows.pulls import ADA, GREEN_CI, RUNNING_CI, mends, nudge, red_ci, seen, thread, until_at
from tests.workflows.world import GREEN, World, done, policy, red
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.pull import PullState
from workflows.domain.session import Role
from workflows.domain.ticket import Phase
from workflows.ports.workspace import Carried

OLD, NEW, THEIRS = "b" * 40, "e" * 40, "c" * 40


def red_ci_then_green() -> Story:
    """Flaky once, then mended; the approval comes while CI runs, and the merge when it is green."""
    world = mends(World(looks=[red_ci(), red_ci(attempt=2), RUNNING_CI]), "s2")

    async def people(run: Run) -> None:
        await approved(run)
        await until_at(run, "head-of-s2")
        await run.act(Action.APPROVE, by="Ada")
        await run.until(lambda status: "the merge waits" in status.waiting_for)
        world.looks = [GREEN_CI]
        await nudge(run)

    return Story(world, people)


def comment_answered() -> Story:
    world = mends(World(looks=[seen()]), "s2")

    async def people(run: Run) -> None:
        await approved(run)
        await run.until(Phase.MERGE_GATE)
        world.looks = [seen(threads=(thread("Oil it."),))]
        await nudge(run)
        await until_at(run, "head-of-s2")
        world.looks = [seen()]
        await run.act(Action.APPROVE)

    return Story(world, people)


def merged_elsewhere() -> Story:
    return _ended_by(PullState.MERGED)


def closed_elsewhere() -> Story:
    return _ended_by(PullState.CLOSED)


def _ended_by(state: PullState) -> Story:
    world = World(looks=[seen()])

    async def people(run: Run) -> None:
        await approved(run)
        await run.until(Phase.MERGE_GATE)
        world.looks = [seen(state=state, by=ADA, merged_sha="f" * 40 if state is PullState.MERGED else "")]
        await nudge(run)

    return Story(world, people)


def brought_over() -> Story:
    """By git first; then a conflict that a fixer resolves."""
    conflict = seen(conflicts=True, base_moved=True)
    world = mends(World(bases=[OLD, NEW, "d" * 40], looks=[conflict, conflict, seen()]), "s2")
    world.carried = [Carried(state="clean"), Carried(state="marked", conflicts=("hinge.py",))]

    async def people(run: Run) -> None:
        await approved(run)
        await until_at(run, "head-of-s2")
        await run.act(Action.APPROVE)

    return Story(world, people)


def person_pushed() -> Story:
    world = World(looks=[seen()])

    async def people(run: Run) -> None:
        await approved(run)
        await run.until(Phase.MERGE_GATE)
        world.looks = [seen(head_sha=THEIRS)]
        await nudge(run)
        await until_at(run, THEIRS)
        await run.act(Action.REQUEST_CHANGES, note="Sand it.")
        await run.until(lambda _: "which is not Pawl's" in world.comments)
        await until_at(run, THEIRS)
        await run.act(Action.APPROVE, of=THEIRS)

    return Story(world, people)


def strikes_used_up() -> Story:
    world = World(policy=policy(ci_strikes=1, flaky_reruns=0), looks=[red_ci(), red_ci(attempt=2)])
    mends(world, "s2")

    async def people(run: Run) -> None:
        await approved(run)
        await until_at(run, "head-of-s2")
        await run.act(Action.REJECT, note="Not worth it.")

    return Story(world, people)


def told_in_order() -> Story:
    """A tracker that follows, with much to say: a strike, a pull request, a step that blocks, CI that is red."""
    world = mends(World(checks=[red("a"), GREEN], looks=[red_ci(), red_ci(attempt=2), GREEN_CI]), "s3")
    world.turns[Role.BUILDER] = [done("s1"), done("s2")]
    world.failures["mark_ready"] = [stop(Failure.BAD_REQUEST, "Mind the forge.")]

    async def people(run: Run) -> None:
        await approved(run)
        await run.until(Phase.BLOCKED)
        await run.act(Action.RESUME)
        await until_at(run, "head-of-s3")
        await run.act(Action.APPROVE)

    return Story(world, people, order={"follow": True})


AFTER = (
    red_ci_then_green,
    comment_answered,
    merged_elsewhere,
    closed_elsewhere,
    brought_over,
    person_pushed,
    strikes_used_up,
    told_in_order,
)
