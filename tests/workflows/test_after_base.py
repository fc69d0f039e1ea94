"""The base moves under a pull request: by git where that is enough, else by a fixer, and never without an end."""

import asyncio

from activities.errors import stop
from tests.workflows.conftest import StartTicket
from tests.workflows.pulls import mends, nudge, seen, thread, to_the_merge_gate, until_at
from tests.workflows.world import GREEN, World, policy, red, works
from workflows.domain.decision import Action
from workflows.domain.failures import Failure
from workflows.domain.session import Role
from workflows.domain.ticket import Phase
from workflows.ports.forge import MergePullRequest, PublishChange
from workflows.ports.workspace import Carried, CarryOver, DestroyWorkspace, RunChecks

OLD, NEW = "b" * 40, "e" * 40
CONFLICT = seen(conflicts=True, base_moved=True)


def moving(**more: object) -> World:
    return World(bases=[OLD, NEW], **more)  # pyright: ignore[reportArgumentType]  # the fields of a world


async def test_a_change_that_git_can_bring_over_needs_no_agent(start: StartTicket) -> None:
    world = moving(looks=[CONFLICT, seen()])
    run = await start(world)
    await to_the_merge_gate(run)
    await until_at(run, "head-of-carried")
    (carry,) = world.of(CarryOver)
    assert (carry.workspace.state, carry.workspace.repository.base_sha, carry.onto.base_sha) == ("s1", OLD, NEW)
    checked, published = world.of(RunChecks)[-1], world.of(PublishChange)[-1]
    assert (checked.workspace.state, checked.workspace.repository.base_sha) == ("carried", NEW)
    assert (published.repository.base_sha, published.previous_head) == (NEW, "head-of-s1")
    assert not world.turns_of(Role.FIXER)
    assert len(world.turns_of(Role.REVIEWER)) == 1


async def test_a_conflict_is_resolved_by_a_fixer_in_the_marked_files(start: StartTicket) -> None:
    world = mends(moving(looks=[CONFLICT, seen()], carried=[Carried(state="marked", conflicts=("hinge.py",))]), "s2")
    run = await start(world)
    await to_the_merge_gate(run)
    await until_at(run, "head-of-s2")
    order = world.turns_of(Role.FIXER)[0].order
    assert order is not None
    assert (order.workspace.state, order.workspace.repository.base_sha) == ("marked", NEW)
    assert "hinge.py" in order.brief.remarks[0]
    assert order.brief.diff == "sha256:diff"
    assert len(world.turns_of(Role.REVIEWER)) == 2


async def test_what_fails_on_the_newer_base_goes_to_a_fixer(start: StartTicket) -> None:
    world = mends(moving(looks=[CONFLICT, seen()], checks=[GREEN, red("a"), GREEN]), "s2")
    run = await start(world)
    await to_the_merge_gate(run)
    await until_at(run, "head-of-s2")
    order = world.turns_of(Role.FIXER)[0].order
    assert order is not None
    assert (order.brief.failure, order.workspace.state) == ("sha256:red", "carried")


async def test_a_base_that_only_moved_is_left_alone_until_the_forge_refuses(start: StartTicket) -> None:
    moved = stop(Failure.BRANCH_MOVED, "The branch is behind its base.")
    world = moving(looks=[seen(base_moved=True)], failures={"merge_pull_request": [moved]})
    run = await start(world)
    await to_the_merge_gate(run)
    assert not world.of(CarryOver)
    await run.act(Action.APPROVE)
    await until_at(run, "head-of-carried")
    await run.act(Action.APPROVE)
    assert (await run.outcome()).phase is Phase.DONE
    assert [merge.head_sha for merge in world.of(MergePullRequest)] == ["head-of-s1", "head-of-carried"]


async def test_a_conflict_that_nobody_resolves_is_left_to_a_person_on_the_old_base(start: StartTicket) -> None:
    rules = policy(conflict_strikes=1, strikes=1, review_strikes=1)
    world = mends(moving(looks=[CONFLICT], policy=rules, carried=[Carried(state="marked", conflicts=("a",))]), "s2")
    world.checks = [GREEN, red("a"), GREEN]
    run = await start(world)
    await to_the_merge_gate(run)
    await until_at(run, "head-of-s1")
    assert "1 attempt at bringing it over did not last (`conflict_strikes`)" in world.comments
    assert len(world.of(PublishChange)) == 1
    assert world.of(DestroyWorkspace), "the next one does not begin in the marked files"
    world.turns[Role.FIXER] = mends(World(), "s3").turns[Role.FIXER]
    world.turns[Role.REVIEWER] = mends(World(), "s3").turns[Role.REVIEWER][-1:]
    world.looks = [seen(conflicts=True, threads=(thread(),))]
    await nudge(run)
    await until_at(run, "head-of-s3")
    order = world.turns_of(Role.FIXER)[-1].order
    assert order is not None
    assert (order.workspace.state, order.workspace.repository.base_sha) == ("s1", OLD)


async def test_a_change_that_the_base_holds_already_is_left_to_a_person(start: StartTicket) -> None:
    world = moving(looks=[CONFLICT], policy=policy(conflict_strikes=1), carried=[Carried(state=None)])
    run = await start(world)
    await to_the_merge_gate(run)
    assert "main holds the whole change already" in world.comments


async def test_a_conflict_on_a_base_that_is_where_it_was_ends_by_its_strikes(start: StartTicket) -> None:
    world = World(looks=[CONFLICT], policy=policy(conflict_strikes=2))
    run = await start(world)
    await to_the_merge_gate(run)
    await asyncio.sleep(0.5)
    assert (await run.status()).phase is Phase.MERGE_GATE
    assert not world.of(CarryOver)


async def test_nothing_with_conflict_markers_is_pushed_when_people_end_the_ticket(start: StartTicket) -> None:
    world = moving(looks=[CONFLICT], carried=[Carried(state="marked", conflicts=("a",))], delays={})
    world.turns[Role.FIXER] = [works(state="half") for _ in range(500)]
    world.delays["take_turn"] = 0.05
    run = await start(world)
    await run.until(Phase.PLAN_GATE)
    await run.act(Action.APPROVE)
    await run.until(lambda _: bool(world.turns_of(Role.FIXER)))
    await run.act(Action.TAKE_OVER)
    assert (await run.outcome()).phase is Phase.TAKEN_OVER
    assert len(world.of(PublishChange)) == 1
