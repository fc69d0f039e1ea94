"""A person's card move reaches the ticket, also when the server or the board's folder fails for a while."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from temporalio.client import Client, Interceptor, OutboundInterceptor, SignalWorkflowInput
from temporalio.service import RPCError, RPCStatusCode

from infra import board
from infra.card_moves import obey_the_board


class Line(Interceptor):
    """Stands where the wire to the server begins: fails as told, then takes what is sent."""

    def __init__(self, *failures: RPCStatusCode) -> None:
        self.failures = list(failures)
        self.taken: asyncio.Queue[tuple[str, object]] = asyncio.Queue()

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002  # the SDK's name
        line = self

        class Outbound(OutboundInterceptor):
            async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002
                if line.failures:
                    status = line.failures.pop(0)
                    raise RPCError(status.name, status, b"")
                line.taken.put_nowait((input.id, input.args[0]))

        return Outbound(next)

    async def took(self) -> tuple[str, object]:
        return await asyncio.wait_for(self.taken.get(), 10)


@asynccontextmanager
async def obeying(line: Line, folder: Path) -> AsyncGenerator[None]:
    client = await Client.connect("127.0.0.1:1", lazy=True, interceptors=[line])
    task = asyncio.create_task(obey_the_board(client, folder, pause=0.01))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def put(folder: Path, name: str, status: str) -> None:
    (folder / f"{name}.md").write_text(f"---\ntitle: {name}\nstatus: {status}\n---\nText.\n")


async def known(folder: Path, *names: str) -> None:
    """Cards the watcher has seen: the next change of their status is a move."""
    for name in names:
        put(folder, name, "Todo")
    async for change in board.watch(folder, 0.01):
        if change.id == names[-1]:
            return


@pytest.mark.parametrize("failure", [RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED])
async def test_a_move_waits_for_a_server_that_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, failure: RPCStatusCode
) -> None:
    await known(tmp_path, "T-1")
    put(tmp_path, "T-1", "Cancelled")
    line = Line(failure, failure)
    async with obeying(line, tmp_path):
        assert await line.took() == ("ticket:board:T-1", "Cancelled")
    assert "A card's move waits" in caplog.text


async def test_a_card_without_a_ticket_tells_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await known(tmp_path, "T-1", "T-2")
    put(tmp_path, "T-1", "Cancelled")
    put(tmp_path, "T-2", "Done")
    line = Line(RPCStatusCode.NOT_FOUND)
    async with obeying(line, tmp_path):
        assert await line.took() == ("ticket:board:T-2", "Done")
    assert not caplog.records


async def test_a_board_that_cannot_be_read_for_a_while_loses_no_move(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await known(tmp_path, "T-1")
    put(tmp_path, "T-1", "Cancelled")
    memory = tmp_path / ".pawl" / ".watched"
    memory.unlink(missing_ok=True)
    memory.mkdir()  # in place of a file: whoever reads it fails
    line = Line()
    async with obeying(line, tmp_path):
        async with asyncio.timeout(10):
            while "cannot be watched" not in caplog.text:  # noqa: ASYNC110  # a log keeps no event
                await asyncio.sleep(0.01)
        assert line.taken.empty()
        memory.rmdir()
        assert await line.took() == ("ticket:board:T-1", "Cancelled")
