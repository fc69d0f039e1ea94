"""A night that fails somewhere: nothing is lost, nothing is said twice, and the next one begins at the same place."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError

from activities.errors import stop
from tests.workflows.nights import (
    DOOR,
    FIRST,
    SQUEAK,
    StartNights,
    entry,
    filed,
    finding,
    finds,
    policy,
    pushed,
    rewritten,
)
from tests.workflows.world import World
from workflows import names
from workflows.domain.failures import Failure
from workflows.domain.session import Role, TurnEnd, TurnReport
from workflows.domain.triage import Standing
from workflows.ports.forge import FindRecent
from workflows.ports.workspace import DestroyWorkspace

pytestmark = pytest.mark.server


@pytest.mark.parametrize(
    "step", ["find_recent", "list_open", "run_checks", "gather_context", "gather_evidence", "open_account"]
)
async def test_a_step_that_fails_for_good_leaves_the_night_to_the_next_one(nights: StartNights, step: str) -> None:
    world = World(failures={step: [stop(Failure.BAD_REQUEST, "They do not want to.")]})
    finds(world, finding())
    run = await nights(world)
    said = await run.next()
    assert said.trouble == "They do not want to."
    assert "The next night looks at the same again." in said.says
    assert not said.silent
    assert "Nobody was told" not in said.says
    assert not filed(world)
    assert world.state.seen_until is None
    said = await run.next()
    assert (said.trouble, said.tickets) == ("", ("F-1",))
    assert len({search.since for search in world.of(FindRecent)}) <= 2


async def test_the_next_night_begins_where_the_failed_one_did(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    await run.next()
    world.failures = {"find_recent": [stop(Failure.BAD_REQUEST, "No.")]}
    await run.next()
    await run.next()
    assert [search.since for search in world.of(FindRecent)][1:] == [FIRST, FIRST]


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([TurnReport(end=TurnEnd.ASKED, summary="ask", question="Which @hinge?")], "(asked). Which @ hinge?"),
        ([TurnReport(end=TurnEnd.MONEY_OUT, summary="", detail="$0 left.")], "(stopped: the money is used up). $0"),
        ([TurnReport(end=TurnEnd.REFUSED, summary="", detail="I won't.")], "(stopped: the model refused to answer)"),
        ([TurnReport(end=TurnEnd.WORKING, summary="x", failing_call="c")] * 3, "(stopped: the same call failed"),
        ([], "(blocked). The script has no further turn"),
    ],
)
async def test_a_triager_that_submits_nothing_is_trouble_with_a_name(
    nights: StartNights, turns: list[Any], why: str
) -> None:
    world = World()
    world.turns[Role.TRIAGER] = turns
    pushed(world)
    run = await nights(world)
    said = await run.next()
    assert why in said.trouble
    assert world.state.seen_until is None
    assert world.of(DestroyWorkspace)


async def test_without_a_triager_what_waited_is_told_all_the_same(nights: StartNights) -> None:
    world = World(policy=policy(level=2, new_tickets=1))
    run = await nights(world)
    finds(world, finding(), finding(DOOR))
    await run.next()
    world.turns[Role.TRIAGER] = [TurnReport(end=TurnEnd.MONEY_OUT, summary="", detail="$0 left.")]
    pushed(world)
    said = await run.next()
    assert said.tickets == ("F-2",)
    assert said.trouble
    assert world.state.seen_until == FIRST


async def test_what_a_triager_cost_that_was_terminated_is_not_spent_again(nights: StartNights, client: Client) -> None:
    world = World(policy=policy(level=3, usd_per_night=2, usd_per_finding=1, new_tickets=0), spent=Decimal("1.5"))
    run = await nights(world)
    finds(world, finding())
    await run.next()
    world.policy = policy(level=3, usd_per_night=2, usd_per_finding=1)
    finds(world)
    world.delays, world.asked = {"take_turn": 2}, []
    night = asyncio.create_task(run.next())
    async with asyncio.timeout(30):
        while not world.turns_of(Role.TRIAGER):  # noqa: ASYNC110  # the world keeps no event
            await asyncio.sleep(0.02)
    (turn,) = world.turns_of(Role.TRIAGER)
    await client.get_workflow_handle(names.session_workflow_id(turn.session)).terminate()
    said = await night
    assert "did not end by itself" in said.trouble
    assert (said.tickets, said.started) == (("F-1",), ())
    assert "The triager cost $1.50." in said.says


@pytest.mark.parametrize("submits", [True, False])
async def test_where_nobody_can_tell_what_the_triager_cost_no_ticket_is_started(
    nights: StartNights, submits: bool
) -> None:
    world = World(policy=policy(level=3, usd_per_night=2, usd_per_finding=1))
    run = await nights(world)
    finds(world, finding())
    if not submits:
        world.turns[Role.TRIAGER] = [TurnReport(end=TurnEnd.REFUSED, summary="", detail="I won't.")]
    world.failures = {"read_bill": [stop(Failure.BAD_REQUEST, "The gateway is away.")]}
    said = await run.next()
    assert (said.started, said.spend, said.silent, said.waiting) == ((), None, False, int(submits))
    assert said.warning == "What the triager has cost could not be read: The gateway is away."
    assert said.says.startswith(said.warning)
    assert "$" not in said.says
    assert ("the model refused to answer" in said.trouble) is not submits, "neither hides the other"


@pytest.mark.parametrize("level", [1, 2, 3])
async def test_a_tracker_that_fails_leaves_the_finding_waiting(nights: StartNights, level: int, client: Client) -> None:
    world = World(policy=policy(level=level), failures={"file_ticket": [stop(Failure.BAD_REQUEST, "No tickets here.")]})
    run = await nights(world)
    finds(world, finding())
    assert (await run.next()).trouble == "No tickets here."
    assert entry(world).standing is Standing.WAITING
    finds(world, finding())
    said = await run.next()
    assert said.tickets == ("F-1",)
    assert len(world.cards.filed) == 1
    for workflow_id in [f"ticket:{ticket.ref.key}" for ticket in world.cards.filed.values() if level == 3]:
        await client.get_workflow_handle(workflow_id).terminate()


@pytest.mark.parametrize("level", [1, 3])
async def test_a_file_that_cannot_be_written_after_filing_files_nothing_twice(
    nights: StartNights, level: int, client: Client
) -> None:
    world = World(policy=policy(level=level, usd_per_night=9))
    run = await nights(world)
    finds(world, finding())
    refusing = stop(Failure.BAD_REQUEST, "The disk is full.")

    async def heard(request: Any) -> None:
        """The second write and the third fail."""
        await before(request)
        if filed(world) and type(request).__name__ == "KeepNotebook" and len(refused) < 2:
            refused.append(request)
            raise refusing

    before, refused = world.heard, list[Any]()
    world.heard = heard  # pyright: ignore[reportAttributeAccessIssue]
    assert (await run.next()).trouble == "The disk is full."
    finds(world, finding(), finding(DOOR))
    said = await run.next()
    assert not said.trouble
    expected = 1 if level == 1 else 2
    assert len(world.cards.filed) == expected
    assert entry(world).standing in (Standing.REPORTED, Standing.STARTED)
    if level == 1:
        assert DOOR in next(iter(world.cards.filed.values())).body
    for ticket in world.cards.filed.values() if level == 3 else ():
        await client.get_workflow_handle(f"ticket:{ticket.ref.key}").terminate()


async def test_what_is_fixed_while_the_tracker_is_away_is_told_when_it_is_back(nights: StartNights) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding())
    await run.next()
    world.tries = {f"try {SQUEAK}": 0}
    world.failures = {"rewrite_ticket": [stop(Failure.OUT_OF_REACH, "Away.")]}
    finds(world)
    assert (await run.next()).trouble == "Away."
    assert entry(world).standing is Standing.REPORTED
    finds(world)
    assert (await run.next()).fixed == 1
    assert "### Fixed since" in rewritten(world)[-1].body


async def test_a_repository_that_is_gone_is_said(nights: StartNights) -> None:
    gone = stop(Failure.REPOSITORY_NOT_FOUND, "There is no repository at /srv/hinge.")
    said = await (await nights(World(failures={"open_repository": [gone]}))).next()
    assert said.gone == said.trouble == "There is no repository at /srv/hinge."


async def test_a_file_that_was_put_aside_is_a_warning(nights: StartNights) -> None:
    world = World(set_aside="The file could not be read (line 3). It is kept at /triage/hinge.yaml.broken.")
    said = await (await nights(world)).next()
    assert said.warning.startswith("The file could not be read")
    assert not said.trouble


async def test_a_night_that_is_cancelled_ends_cancelled_and_leaves_nothing(nights: StartNights, client: Client) -> None:
    world = World(delays={"take_turn": 2})
    finds(world, finding())
    run = await nights(world)
    handle = await client.start_workflow("Triage", run.order(), id=run.name, task_queue=run.queue)
    async with asyncio.timeout(30):
        while not world.turns_of(Role.TRIAGER):  # noqa: ASYNC110  # the world keeps no event
            await asyncio.sleep(0.02)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    assert world.of(DestroyWorkspace)
    assert world.state.seen_until is None
