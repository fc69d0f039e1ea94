"""The embedded server: it knows our search attributes, keeps stories long, and a kill costs it nothing."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowHandle

from infra import devserver, home, temporal
from infra.client import find_ticket, list_tickets, start_ticket, ticket_line
from infra.devserver import RETENTION
from infra.exits import NotFound, OutOfReach
from infra.parts import Part
from infra.process import StackEvent, What
from infra.settings import Settings
from infra.stack import Stack
from workflows import names
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import TicketRef

pytestmark = pytest.mark.server

ORDER = TicketOrder(
    ref=TicketRef(tracker="board", id="ENG-1"),
    identifier="ENG-1",
    title="It's [bold]odd",
    repository="/r",
    model="tape:x",
)


@asynccontextmanager
async def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Stack]:
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "/dev/null")
    stack = Stack(Settings(home=home), parts=[Part.SERVER])
    await stack.start()
    try:
        yield stack
    finally:
        await stack.stop()


async def test_it_serves_with_our_names_and_keeps_stories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(tmp_path, monkeypatch) as stack:
        client = stack.client
        assert await temporal.missing_search_attributes(client) == {}
        assert await temporal.ensure_search_attributes(client) == []
        asked = DescribeNamespaceRequest(namespace=client.namespace)
        namespace = await client.workflow_service.describe_namespace(asked)
        kept: timedelta = namespace.config.workflow_execution_retention_ttl.ToTimedelta()
        assert kept == RETENTION
        assert await temporal.pollers(client, names.WORK) == set()


async def test_where_it_is_is_written_down_for_other_commands_of_its_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(tmp_path, monkeypatch) as stack:
        for _ in range(2):
            address = stack.client.service_client.config.target_host
            written, running = home.server_file(stack.settings), home.stack_file(stack.settings)
            assert written
            assert running
            assert (written.address, running.temporal, running.ui) == (address, address, stack.ui_url)
            assert running.pids == {Part.SERVER: written.pid} == {Part.SERVER: stack.pid(Part.SERVER)}
            stack.kill(Part.SERVER, signal.SIGKILL)
            await stack.wait_healthy()


async def test_a_killed_server_comes_back_with_every_ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(tmp_path, monkeypatch) as stack:
        started = await start_ticket(stack.client, ORDER)
        assert started.fresh
        for _ in range(3):
            stack.kill(Part.SERVER, signal.SIGKILL)
            await stack.wait_healthy()
            again = await start_ticket(stack.client, ORDER)
            assert (again.fresh, again.run_id) == (False, started.run_id)
        assert _deaths(stack.events) == ["SIGKILL"] * 3
    async with server(tmp_path, monkeypatch) as stack:  # and a planned end costs nothing either
        handle: WorkflowHandle[object, object] = stack.client.get_workflow_handle(started.workflow_id)
        assert (await handle.describe()).run_id == started.run_id
    with sqlite3.connect(tmp_path / "temporal.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


async def test_a_server_without_its_database_is_told_from_one_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server(tmp_path, monkeypatch) as stack:
        assert await devserver.works(stack.client)
        with sqlite3.connect(tmp_path / "temporal.db", timeout=30) as database:
            database.execute("DROP TABLE current_executions")
        assert not await devserver.works(stack.client)


async def test_tickets_are_found_and_listed_without_a_worker(client: Client) -> None:
    name = f"ENG-{uuid4().hex[:8]}"  # the server is shared by the whole test run
    order = ORDER.model_copy(update={"ref": TicketRef(tracker="elsewhere", id=f"{name}-id"), "identifier": name})
    workflow_id = (await start_ticket(client, order)).workflow_id
    assert workflow_id == f"ticket:elsewhere:{name}-id"
    assert await find_ticket(client, f"elsewhere:{name}-id") == workflow_id
    async with asyncio.timeout(20):
        while not (lines := [line for line in await list_tickets(client) if line.identifier == name]):  # noqa: ASYNC110  # no event here
            await asyncio.sleep(0.05)
    assert await find_ticket(client, name) == workflow_id
    with pytest.raises(NotFound, match="O'Brien"):
        await find_ticket(client, "O'Brien")
    assert (lines[0].title, lines[0].phase, lines[0].repository) == (ORDER.title, "Todo", "/r")
    await client.get_workflow_handle(workflow_id).terminate("the test is over")
    assert (await ticket_line(client, workflow_id)).phase == "Terminated"


async def test_a_server_that_is_away_is_named_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    with pytest.raises(OutOfReach, match=r"127\.0\.0\.1:1 cannot be reached \(connection refused\)") as told:
        await temporal.connect(Settings(home=tmp_path))
    assert "pawl up" in told.value.next_step


def _deaths(events: list[StackEvent]) -> list[str]:
    return [event.how for event in events if event.what is What.DIED]
