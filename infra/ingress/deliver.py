"""Delivery to Temporal: what was decided about a happening is carried to its ticket, however often it is heard of."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum

from temporalio.client import Client, WorkflowExecutionStatus

from infra.client import CALL, start_ticket
from infra.exits import NotFound, OutOfReach
from infra.slack.filing import file_task
from infra.slack.hearing import have_heard
from infra.temporal import translated
from workflows import names
from workflows.domain.chat import TaskAsked
from workflows.domain.intake import AskWho, Happening, Leave, Move, Nudge, Start, TellMove, TellWords, Terms, decide
from workflows.domain.model import Record
from workflows.domain.order import TicketOrder
from workflows.domain.people import Trust
from workflows.domain.ticket import TicketRef

CARD_MOVED, SAID, PULL_REQUEST_MOVED = "card-moved", "said", "pull-request-moved"
"""The signals of a ticket."""


class Done(StrEnum):
    """What became of a move."""

    STARTED = "started"
    STARTED_BEFORE = "under way or answered already"
    TOLD = "told"
    TOO_OLD = "older than the run"
    NOBODY = "no run to tell"
    ASKED = "who said it is asked for"
    ASKED_BEFORE = "asked for before"
    LEFT = "left"


async def attend(client: Client, happening: Happening, terms: Terms) -> list[str]:
    """Do about a happening what is to be done; what became of it, for the log. Once it returns, Temporal has it on
    disk. Raises PawlError when Temporal did not take all of it: then it may be attended to again."""
    if isinstance(happening, TaskAsked) and happening.by.trust is Trust.MEMBER:
        with _reached():
            return ["filed" if await file_task(client, happening, terms) else "filed before"]
    return [
        move.reason if isinstance(move, Leave) else f"{type(move).__name__} {await carry(client, move, terms.ui)}"
        for move in decide(happening, terms)
    ]


async def carry(client: Client, move: Move, ui: str = "") -> Done:
    """Carry out one move. Once it returns, Temporal has it on disk, whether or not a worker runs; done twice it has
    the effect of once. Raises PawlError when Temporal did not take it: then it may be carried again."""
    with _reached():
        match move:
            case Start():
                started = await start_ticket(client, _linked(move.order, client.namespace, ui), asked=move.at)
                return Done.STARTED if started.fresh else Done.STARTED_BEFORE
            case TellMove():
                return await _tell(client, move.ref, CARD_MOVED, move.move, move.move.at)
            case TellWords():
                return await _tell(client, move.ref, SAID, move.words, move.at if move.words.stop else None)
            case Nudge():
                return await _nudge(client, move)
            case AskWho():
                return Done.ASKED if await have_heard(client, move.said) else Done.ASKED_BEFORE
            case Leave():
                return Done.LEFT


def _linked(order: TicketOrder, namespace: str, ui: str) -> TicketOrder:
    """With the page of its run for people, where they can open the Temporal UI."""
    page = names.page(ui, namespace, names.ticket_workflow_id(order.ref))
    return order.model_copy(update={"ui": page}) if ui else order


async def _tell(client: Client, ref: TicketRef, signal: str, what: Record, at: datetime | None) -> Done:
    """Signal the run. With `at`, unless it began later: a move of the card, or an order to stop, that is older than the
    run was not meant for it. Among those is the move that started it, when it is delivered once more."""
    workflow_id = names.ticket_workflow_id(ref)
    handle = client.get_workflow_handle(workflow_id)
    try:
        with translated(workflow_id):
            if at is not None:
                described = await handle.describe(rpc_timeout=CALL)
                if described.status is not WorkflowExecutionStatus.RUNNING:
                    return Done.NOBODY
                if at < described.start_time:
                    return Done.TOO_OLD
            await handle.signal(signal, what, rpc_timeout=CALL)
    except NotFound:
        return Done.NOBODY
    return Done.TOLD


async def _nudge(client: Client, nudge: Nudge) -> Done:
    pull_request = f"{nudge.repository}#{nudge.number}"
    quoted = pull_request.replace("\\", "\\\\").replace("'", "''")
    query = f"WorkflowType = 'Ticket' AND ExecutionStatus = 'Running' AND {names.PULL_REQUEST.name} = '{quoted}'"
    with translated(f"the ticket of {pull_request}"):
        found = [one.id async for one in client.list_workflows(query, limit=10, rpc_timeout=CALL)]
    told = [await _look_again(client, workflow_id) for workflow_id in found]
    return Done.TOLD if Done.TOLD in told else Done.NOBODY


async def have_looked(client: Client, ref: TicketRef) -> Done:
    """Have a ticket look at its pull request, whatever is known of that. Raises PawlError."""
    return await _look_again(client, names.ticket_workflow_id(ref))


async def _look_again(client: Client, workflow_id: str) -> Done:
    try:
        with translated(workflow_id):
            await client.get_workflow_handle(workflow_id).signal(PULL_REQUEST_MOVED, rpc_timeout=CALL)
    except NotFound:  # it ended meanwhile
        return Done.NOBODY
    return Done.TOLD


@contextmanager
def _reached() -> Generator[None]:
    try:
        yield
    except RuntimeError as error:  # what the SDK's core raises for a first connection that fails
        raise OutOfReach(
            "The Temporal server cannot be reached.", "Start it; whoever sent this tries again."
        ) from error
