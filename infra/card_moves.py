"""Telling tickets that a person moved their card on the local board."""

from contextlib import suppress
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from infra import board
from workflows import names
from workflows.domain.ticket import TicketRef


async def obey_the_board(client: Client, folder: Path) -> None:
    """Pass every move by a person on to the ticket, forever. A card without a running ticket tells nobody; a new
    card and what Pawl itself moved need no telling."""
    async for change in board.watch(folder):
        if change.by_pawl or not change.before:
            continue
        ref = TicketRef(tracker="board", id=change.id)
        with suppress(RPCError):
            await client.get_workflow_handle(names.ticket_workflow_id(ref)).signal("card-moved", change.status)
