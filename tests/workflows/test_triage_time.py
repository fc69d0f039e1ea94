"""A night that takes long: it ends in time, what it had no time for is the first of the next one, and what it learned
is kept on the way."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import Client

from tests.workflows.nights import (
    DOOR,
    SQUEAK,
    StartNights,
    entry,
    filed,
    finding,
    finds,
    ignores,
    meanwhile,
    policy,
    quiet,
    red,
)
from tests.workflows.world import World
from workflows import loop, triage_finding, triage_gathering
from workflows.domain.change import Check
from workflows.domain.triage import Standing
from workflows.ports.context import GatherEvidence
from workflows.ports.notebook import KeepNotebook
from workflows.ports.workspace import RunChecks, TryCommand, Workspace

pytestmark = pytest.mark.server
A_MOMENT = timedelta(microseconds=1)
"""Over when the first step has ended."""
MANY = [f"tests/test_many.py::test_number_{number:02}" for number in range(12)]


def test_a_night_that_uses_up_its_time_is_not_ended_by_its_loop() -> None:
    one_step = Workspace.options.get("start_to_close_timeout")
    assert one_step
    steps = 3 * one_step  # the last command, the triager's sandbox, the last try
    assert triage_gathering.LOOKING + triage_finding.TRYING + steps < loop.LONGEST


async def test_what_there_was_no_time_to_show_is_shown_first_in_the_next_night(
    nights: StartNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(policy=policy(level=2))
    run = await nights(world)
    finds(world, finding(), finding(DOOR))
    with monkeypatch.context() as short:
        short.setattr(triage_finding, "TRYING", A_MOMENT)
        first = await run.next()
    assert (first.tickets, first.waiting, first.trouble) == (("F-1",), 1, "")
    assert [len(world.of(TryCommand)), entry(world, DOOR).tried] == [1, ()]
    quiet(world)
    second = await run.next()
    assert (second.tickets, second.waiting) == (("F-2",), 0)
    assert "5 of 5 runs failed" in filed(world)[1].body
    assert len(world.of(TryCommand)) == 2


async def test_open_findings_that_there_was_no_time_to_try_again_stay_as_they_are(
    nights: StartNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    run = await nights(world)
    finds(world, finding(), finding(DOOR))
    await run.next()
    world.tries = {f"try {SQUEAK}": 0, f"try {DOOR}": 0}
    finds(world)
    with monkeypatch.context() as short:
        short.setattr(triage_finding, "TRYING", A_MOMENT)
        assert (await run.next()).fixed == 1
    standings = {entry(world, one).standing for one in (SQUEAK, DOOR)}
    assert standings == {Standing.FIXED, Standing.REPORTED}
    finds(world)
    assert (await run.next()).fixed == 1


async def test_a_night_that_is_killed_has_lost_only_what_it_learned_last(nights: StartNights, client: Client) -> None:
    world = World(policy=policy(level=2, new_tickets=50, open_tickets=500))
    run = await nights(world)
    finds(world, *map(finding, MANY))
    handle = await client.start_workflow("Triage", run.order(), id=run.name, task_queue=run.queue)
    world.delays = {"try_command": 0.05}
    async with asyncio.timeout(60):
        while len(world.of(TryCommand)) < 7:  # noqa: ASYNC110  # the world keeps no event
            await asyncio.sleep(0.005)
    await handle.terminate()
    kept = [one.subject for one in world.state.findings if one.tried]
    assert kept == MANY[: len(kept)]
    assert len(kept) in (5, 10)
    assert [one.standing for one in world.state.findings] == [Standing.WAITING] * len(MANY)
    base, world.delays, world.asked = world.bases, {}, []
    finds(world, *map(finding, MANY))
    world.bases = base
    said = await run.next()
    assert (len(said.tickets), said.known, said.trouble) == (12, 12, "")
    assert len(world.of(TryCommand)) == 12 - len(kept)


async def test_what_a_person_writes_while_findings_are_tried_is_heeded(nights: StartNights) -> None:
    world = World(policy=policy(level=2, new_tickets=50, open_tickets=500))
    run = await nights(world)
    finds(world, *map(finding, MANY))
    *told, deleted, ignored = MANY

    def a_person_writes() -> None:
        ignores(world, ignored)
        left = tuple(one for one in world.state.findings if one.subject != deleted)
        world.state = world.state.model_copy(update={"findings": left})

    meanwhile(world, KeepNotebook, lambda: meanwhile(world, TryCommand, a_person_writes))
    said = await run.next()
    assert [one.command.run for one in world.of(TryCommand)] == [f"try {subject}" for subject in told]
    assert (len(said.tickets), said.found) == (10, 11)
    assert [one.subject for one in world.state.findings] == [*told, ignored]
    assert entry(world, ignored).standing is Standing.IGNORED


async def test_commands_that_there_was_no_time_for_are_left_out_and_said(
    nights: StartNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(policy=policy(commands=(Check(name="audit", run="a"), Check(name="hunt", run="h"))))
    world.reds = {"tests": red("tests"), "audit": red("audit")}
    run = await nights(world)
    finds(world, finding())
    monkeypatch.setattr(triage_gathering, "LOOKING", A_MOMENT)
    said = await run.next()
    assert [one.checks[0].name for one in world.of(RunChecks)] == ["tests"]
    assert (said.tickets, said.trouble) == (("F-1",), "")
    words = "There was no time to run audit, hunt: those before took too long."
    assert (said.warning, world.of(GatherEvidence)[0].left_out) == (words, (words,))
    assert [report.summary for report in world.of(GatherEvidence)[0].reports] == ["tests: exited 1"]
