"""Runs: who may call, and until when."""

import asyncio

from tests.fakes.gateway import Gateway
from tests.fakes.provider import FakeProvider
from workflows.domain.session import Role
from workflows.domain.tokens import run_token


async def test_unknown_and_revoked_runs_are_refused_on_every_route(gateway: Gateway, provider: FakeProvider) -> None:
    token = await gateway.open()
    assert (await gateway.ask(token)).status_code == 200
    await gateway.runs.close_run("t1.builder1")
    for path in ("/anthropic/v1/messages", "/openai/v1/responses", "/openai/v1/chat/completions"):
        for stranger in (token, run_token(gateway.secret, "t1.nobody1")):
            assert (await gateway.ask(stranger, path=path)).status_code == 403
    await gateway.open()
    assert (await gateway.ask(token)).headers["x-pawl-answer"] == "kept"
    assert provider.total == 1


async def test_of_one_ticket_only_the_session_that_was_opened_last_may_call(
    gateway: Gateway, provider: FakeProvider
) -> None:
    """Where a ticket was reset, the session it left behind stops at its next call; what it had in flight is kept."""
    provider.latency = 0.2
    left_behind = await gateway.open("t1.builder1")
    elsewhere = await gateway.open("t2.builder1", account="t2")
    in_flight = asyncio.create_task(gateway.ask(left_behind, 1))
    async with asyncio.timeout(10):
        while not provider.log:  # noqa: ASYNC110  # the provider is a stranger: it has no event for us
            await asyncio.sleep(0.01)
    due = await gateway.open("t1.planner1", role=Role.PLANNER)
    refused = await gateway.ask(left_behind, 2)
    assert (refused.status_code, "was closed" in refused.text) == (403, True)
    assert (await in_flight).headers["x-pawl-answer"] == "bought"
    assert [receipt["state"] for receipt in await gateway.receipts()] == ["answered"]
    for token in (due, elsewhere):
        assert (await gateway.ask(token)).status_code == 200
    await gateway.open("t1.builder1")
    assert (await gateway.ask(left_behind, 1)).headers["x-pawl-answer"] == "kept"
    assert (await gateway.ask(due, 2)).status_code == 403
    assert provider.total == 3
