"""How a flow starts a ticket, which lives longer than what started it."""

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows import names
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Phase


async def start_ticket(order: TicketOrder, *, again: bool = True) -> None:
    """Start the ticket, unless it is under way; without `again`, unless it ever was."""
    reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE if again else WorkflowIDReusePolicy.REJECT_DUPLICATE
    try:
        await workflow.start_child_workflow(
            "Ticket",
            order,
            id=names.ticket_workflow_id(order.ref),
            id_reuse_policy=reuse,
            task_timeout=names.DECISION,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
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
    except WorkflowAlreadyStartedError:
        return  # somebody was faster
