"""How a ticket is started, and by a flow, which it outlives."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypedDict

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows import names
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Phase


class Shown(TypedDict):
    """What Temporal shows of a ticket before its first step, whoever starts it."""

    task_timeout: timedelta
    static_summary: str
    static_details: str
    memo: Mapping[str, Any]
    search_attributes: TypedSearchAttributes


def shown(order: TicketOrder) -> Shown:
    return Shown(
        task_timeout=names.DECISION,
        static_summary=f"{order.identifier} {order.title}"[:200],
        static_details=f"Repository {order.repository}, model {order.model}.",
        memo={"title": order.title},
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(names.TICKET, order.identifier),
                SearchAttributePair(names.REPO, order.repository),
                SearchAttributePair(names.PHASE, Phase.TODO.value),
            ]
        ),
    )


async def start_ticket(order: TicketOrder, *, again: bool = True) -> None:
    """Start the ticket, unless it is under way; without `again`, unless it ever was."""
    reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE if again else WorkflowIDReusePolicy.REJECT_DUPLICATE
    try:
        await workflow.start_child_workflow(
            "Ticket",
            order,
            id=names.ticket_workflow_id(order.ref),
            id_reuse_policy=reuse,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            **shown(order),
        )
    except WorkflowAlreadyStartedError:
        return  # somebody was faster
