"""Telling tickets that a person moved their card on the local board."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from infra import board
from workflows import names
from workflows.domain.ticket import TicketRef

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 2.0


@asynccontextmanager
async def obeying_the_board(client: Client, folder: Path) -> AsyncGenerator[None]:
    """Pass every move by a person on to the ticket while the block runs."""
    obeying = asyncio.create_task(obey_the_board(client, folder))
    try:
        yield
    finally:
        obeying.cancel()
        await asyncio.wait([obeying])


async def obey_the_board(client: Client, folder: Path, pause: float = _PAUSE_SECONDS) -> None:
    """Pass every move by a person on to the ticket, forever. Whatever goes wrong, the watcher is started again after
    the pause and begins with the move that could not be passed on, so that none is lost."""
    while True:
        try:
            await _pass_on(client, folder)
        except RPCError as error:
            _LOG.warning("A card's move waits, since the Temporal server cannot take it: %s. Trying again.", error)
        except Exception:
            _LOG.exception("The board in %s cannot be watched. Card moves wait. Trying again.", folder)
        await asyncio.sleep(pause)


async def _pass_on(client: Client, folder: Path) -> None:
    """A card without a running ticket tells nobody; a new card and what Pawl itself moved need no telling."""
    async with aclosing(board.watch(folder)) as changes:
        async for change in changes:
            if change.by_pawl or not change.before:
                continue
            ref = TicketRef(tracker="board", id=change.id)
            try:
                await client.get_workflow_handle(names.ticket_workflow_id(ref)).signal("card-moved", change.status)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
