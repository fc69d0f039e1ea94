"""What a person can see of a step that fails and is tried again."""

import asyncio

import pytest
from temporalio.client import Client

from activities.errors import again
from infra.following import troubles
from tests.workflows.conftest import StartTicket
from tests.workflows.world import World
from workflows.domain.ticket import Phase

pytestmark = pytest.mark.server


async def test_a_step_that_is_tried_again_is_named_with_its_last_failure(start: StartTicket, client: Client) -> None:
    world = World(failures={"open_repository": [again("The host nohost cannot be reached.") for _ in range(5)]})
    run = await start(world)
    async with asyncio.timeout(60):
        while not (told := await troubles(client, run.handle.id)):  # noqa: ASYNC110  # the server keeps no event
            await asyncio.sleep(0.02)
    assert "open_repository is being tried again" in told[0].sentence
    assert "nohost cannot be reached" in told[0].sentence
    await run.until(Phase.PLAN_GATE)
    assert await troubles(client, run.handle.id) == ()
