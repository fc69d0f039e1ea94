"""What commands, webhooks and tests say to tickets: start one, look at one, act on one. Every call is bounded."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from opentelemetry import trace
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from infra.cards import TRACKER
from infra.exits import NotFound, OutOfReach, Refused
from infra.temporal import translated
from workflows import names
from workflows.domain.decision import Action, Decision
from workflows.domain.model import Record
from workflows.domain.order import TicketOrder, TicketOutcome, TicketStatus
from workflows.domain.ticket import TicketRef
from workflows.starting import shown

CALL = timedelta(seconds=10)
"""How long a request to the server may take."""
ANSWER = timedelta(seconds=15)
"""How long a worker may take to answer for a ticket; the first time it has to read the ticket's history."""
_AT_A_TIME = 100
"""Tickets asked for in one query."""
_NO_WORKER = "Start a worker (`pawl up`) and try again; the ticket itself is safe."


_T = TypeVar("_T")


class TicketLine(Record):
    """A ticket as the list shows it: what the server knows without asking a worker."""

    identifier: str
    title: str
    workflow_id: str
    run_id: str
    phase: str
    repository: str
    usd: float
    needs_person: bool
    started: datetime
    ended: datetime | None


class Started(Record):
    workflow_id: str
    run_id: str
    fresh: bool
    """False when the ticket was under way already, or has answered what was asked: then nothing was started."""


async def start_ticket(client: Client, order: TicketOrder, asked: datetime | None = None) -> Started:
    """Start the ticket's workflow, or find the one that is running: two triggers cannot start two.

    With the moment at which it was `asked` for, a ticket that has ended is started again only where it ended before.
    """
    if asked is None:
        return await _start(client, order, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
    started = await _start(client, order, WorkflowIDReusePolicy.REJECT_DUPLICATE)
    if started.fresh:
        return started
    last = await ticket_line(client, started.workflow_id)
    if last.ended is None or last.ended > asked:
        return started
    return await _start(client, order, WorkflowIDReusePolicy.ALLOW_DUPLICATE)


async def _start(client: Client, order: TicketOrder, again: WorkflowIDReusePolicy) -> Started:
    workflow_id = names.ticket_workflow_id(order.ref)
    span = trace.get_tracer("pawl").start_as_current_span("start ticket", attributes={"pawl.ticket": order.identifier})
    with span, translated(f"ticket {order.identifier}"):
        try:
            handle = await client.start_workflow(
                "Ticket",
                order,
                id=workflow_id,
                task_queue=names.WORK,
                id_reuse_policy=again,
                **shown(order),
                rpc_timeout=CALL,
            )
        except WorkflowAlreadyStartedError as running:
            return Started(workflow_id=workflow_id, run_id=running.run_id or "", fresh=False)
    return Started(workflow_id=workflow_id, run_id=handle.result_run_id or "", fresh=True)


async def list_tickets(client: Client, *, waiting: bool = False, limit: int = 100) -> list[TicketLine]:
    """The newest tickets first; with `waiting` only those that wait for a person."""
    query = "WorkflowType = 'Ticket'"
    if waiting:
        query += f" AND ExecutionStatus = 'Running' AND {names.NEEDS_PERSON.name} = true"
    with translated("the list of tickets"):
        found = client.list_workflows(query, limit=limit, rpc_timeout=CALL)
        return [await _line(execution) async for execution in found]


async def tickets_since(
    client: Client, since: datetime, *, waiting: bool = False, limit: int = 2_000
) -> list[TicketLine]:
    """The tickets that are under way or ended after the moment; with `waiting` only those that wait for a person."""
    query = "WorkflowType = 'Ticket' AND "
    running = "ExecutionStatus = 'Running'"
    query += (
        f"{running} AND {names.NEEDS_PERSON.name} = true" if waiting else f"({running} OR CloseTime > '{_at(since)}')"
    )
    with translated("the list of tickets"):
        found = client.list_workflows(query, limit=limit, rpc_timeout=CALL)
        return [await _line(execution) async for execution in found]


async def started_among(client: Client, identifiers: Sequence[str]) -> set[str]:
    """Which of these tickets were ever started."""
    found: set[str] = set()
    for first in range(0, len(identifiers), _AT_A_TIME):
        named = ", ".join(_quoted(one) for one in identifiers[first : first + _AT_A_TIME])
        query = f"WorkflowType = 'Ticket' AND {names.TICKET.name} IN ({named})"
        with translated("the list of tickets"):
            async for execution in client.list_workflows(query, rpc_timeout=CALL):
                found.add(execution.typed_search_attributes.get(names.TICKET) or "")
    return found


async def tickets_under_way(client: Client, tracker: str, limit: int = 2_000) -> dict[TicketRef, str]:
    """The tickets of a tracker that have not ended, the newest first, and the phase that each of them shows."""
    prefix = names.ticket_workflow_id(TicketRef(tracker=tracker, id=""))
    query = f"WorkflowType = 'Ticket' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH {_quoted(prefix)}"
    found: dict[TicketRef, str] = {}
    with translated("the tickets under way"):
        async for execution in client.list_workflows(query, limit=limit, rpc_timeout=CALL):
            ref = TicketRef(tracker=tracker, id=execution.id.removeprefix(prefix))
            found[ref] = execution.typed_search_attributes.get(names.PHASE) or ""
    return found


async def is_under_way(client: Client, identifier: str) -> bool:
    """Whether a ticket of this identifier has not ended."""
    query = f"WorkflowType = 'Ticket' AND ExecutionStatus = 'Running' AND {names.TICKET.name} = {_quoted(identifier)}"
    with translated(f"ticket {identifier}"):
        return (await client.count_workflows(query, rpc_timeout=CALL)).count > 0


async def find_ticket(client: Client, name: str) -> str:
    """The workflow id of the ticket a person means by `name`: its identifier, or `tracker:id`. Raises NotFound."""
    for workflow_id in [names.ticket_workflow_id(ref) for ref in _refs(name)]:
        if await _exists(client, workflow_id):
            return workflow_id
    with translated(f"ticket {name}"):
        query = f"WorkflowType = 'Ticket' AND {names.TICKET.name} = {_quoted(name)}"
        async for execution in client.list_workflows(query, limit=1, rpc_timeout=CALL):
            return execution.id
    raise NotFound(f"No ticket {name} was ever started.", "See `pawl list`, or start it: `pawl run` says how.")


async def ticket_line(client: Client, workflow_id: str) -> TicketLine:
    with translated(workflow_id):
        return await _line(await client.get_workflow_handle(workflow_id).describe(rpc_timeout=CALL))


async def ticket_status(client: Client, workflow_id: str) -> TicketStatus:
    """What the ticket itself says. Needs a worker. Raises OutOfReach when none answers."""
    return await _asked(client, workflow_id, "status", TicketStatus)


async def ticket_outcome(client: Client, workflow_id: str) -> TicketOutcome | None:
    """How the ticket ended; None while it runs, and when it ended without a word (it was terminated)."""
    handle = client.get_workflow_handle(workflow_id, result_type=TicketOutcome)
    with translated(workflow_id):
        described: WorkflowExecutionDescription = await handle.describe(rpc_timeout=CALL)
        if described.status is not WorkflowExecutionStatus.COMPLETED:
            return None
        return await handle.result(rpc_timeout=CALL)


async def act(client: Client, workflow_id: str, action: Action, decision: Decision) -> str:
    """Take a human action; the ticket's answer. Raises Refused in the ticket's words, OutOfReach without a worker."""
    line = await _running(client, workflow_id)
    try:
        with translated(workflow_id):
            return await client.get_workflow_handle(workflow_id).execute_update(  # pyright: ignore[reportUnknownMemberType]
                action.value, decision, id=uuid.uuid4().hex, result_type=str, rpc_timeout=ANSWER
            )
    except WorkflowUpdateFailedError as error:
        words = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
        raise Refused(words) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise OutOfReach(
            f"No worker took {action} for {line.identifier} within {ANSWER.total_seconds():.0f} s; "
            "one that comes soon may still take it.",
            "Start a worker (`pawl up`), then look with `pawl show` before you try again.",
        ) from error


async def check(client: Client, workflow_id: str, action: Action, decision: Decision) -> None:
    """Ask the ticket whether it would take the action now; nothing changes. Raises as `act` does."""
    await _running(client, workflow_id)
    words = await _asked(client, workflow_id, "refusal", str, action, decision)
    if words:
        raise Refused(words)


async def wait_answered(client: Client, workflow_id: str) -> None:
    """Until a worker answers for a workflow of any type. Raises OutOfReach when none does."""
    await _asked(client, workflow_id, "__temporal_workflow_metadata", WorkflowMetadata)


async def _running(client: Client, workflow_id: str) -> TicketLine:
    line = await ticket_line(client, workflow_id)
    if line.ended is not None:
        raise Refused(f"{line.identifier} has ended ({line.phase}); nothing can be changed any more.")
    return line


async def _asked(client: Client, workflow_id: str, query: str, kind: type[_T], *about: object) -> _T:
    try:
        with translated(workflow_id):
            return await client.get_workflow_handle(workflow_id).query(
                query, args=about, result_type=kind, rpc_timeout=ANSWER
            )
    except WorkflowQueryFailedError as error:
        raise OutOfReach(f"No worker answers for {workflow_id} ({error}).", _NO_WORKER) from error


def _quoted(name: str) -> str:
    """As a visibility query takes it: it reads backslashes as escapes."""
    escaped = name.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _at(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _refs(name: str) -> list[TicketRef]:
    tracker, colon, ticket_id = name.partition(":")
    return [TicketRef(tracker=tracker, id=ticket_id)] if colon else [TicketRef(tracker=TRACKER, id=name)]


async def _exists(client: Client, workflow_id: str) -> bool:
    try:
        await ticket_line(client, workflow_id)
    except NotFound:
        return False
    return True


async def _line(execution: WorkflowExecution) -> TicketLine:
    known = execution.typed_search_attributes
    title = await execution.memo_value("title", default="", type_hint=str)
    return TicketLine(
        identifier=known.get(names.TICKET) or execution.id,
        title=title,
        workflow_id=execution.id,
        run_id=execution.run_id,
        phase=_phase(execution, known.get(names.PHASE) or ""),
        repository=known.get(names.REPO) or "",
        usd=known.get(names.COST) or 0.0,
        needs_person=bool(known.get(names.NEEDS_PERSON)) and execution.close_time is None,
        started=execution.start_time,
        ended=execution.close_time,
    )


def _phase(execution: WorkflowExecution, shown: str) -> str:
    """The phase as the ticket last wrote it; a ticket that Temporal ended for it could not write its last one."""
    if execution.status in (WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.RUNNING, None):
        return shown
    return execution.status.name.replace("_", " ").capitalize()
