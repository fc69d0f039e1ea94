"""Staying with a ticket as `pawl run` does: its story, what stands in its way, an exit code that says how it ended."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from temporalio.client import Client

from activities.errors import again
from infra.commands import starting
from infra.console import Console
from infra.exits import Exit, Told
from tests.workflows.conftest import Run, StartTicket
from tests.workflows.world import World
from workflows.domain.decision import Action
from workflows.domain.ticket import Phase

pytestmark = pytest.mark.server


@contextmanager
def watching(run: Run, client: Client, *, as_json: bool) -> Generator[asyncio.Task[None]]:
    task = asyncio.create_task(starting.watch(Console(as_json), client, run.handle.id))
    try:
        yield task
    finally:
        task.cancel()


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_step_that_is_tried_again_is_remarked_once_and_for_people_only(
    start: StartTicket,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    monkeypatch.setattr("infra.following._PATIENCE_SECONDS", 0.05)
    world = World(failures={"open_repository": [again("The host nohost cannot be reached.") for _ in range(2)]})
    run = await start(world)
    with watching(run, client, as_json=as_json) as watched:
        await run.until(Phase.PLAN_GATE)
        await run.act(Action.REJECT)
        with pytest.raises(Told):
            await asyncio.wait_for(watched, 30)
    said = capsys.readouterr().err
    assert said.count("open_repository is being tried again") == (0 if as_json else 1)


async def test_watching_ends_well_only_with_a_ticket_that_is_done(start: StartTicket, client: Client) -> None:
    declined, terminated, done = [await start(World()) for _ in range(3)]
    for run in (declined, terminated, done):
        await run.until(Phase.PLAN_GATE)
    await declined.act(Action.REJECT)
    await terminated.handle.terminate()
    for run in (declined, terminated):
        with watching(run, client, as_json=True) as watched, pytest.raises(Told) as told:
            await asyncio.wait_for(watched, 30)
        assert told.value.code is Exit.REFUSED
    await done.act(Action.APPROVE)
    await done.until(Phase.MERGE_GATE)
    await done.act(Action.APPROVE)
    with watching(done, client, as_json=True) as watched:
        await asyncio.wait_for(watched, 30)
