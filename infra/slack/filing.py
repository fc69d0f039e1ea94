"""Tasks from Slack are carried to Temporal, which files them once."""

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from infra.client import CALL
from infra.temporal import translated
from workflows import names
from workflows.domain.chat import TaskAsked
from workflows.domain.intake import Terms
from workflows.filing import Filing, FilingOrder, filing_id


async def file_task(client: Client, task: TaskAsked, terms: Terms) -> bool:
    """Have the task filed and started; False when that was begun before. Once it returns, Temporal has it on disk.
    Raises PawlError when Temporal did not take it."""
    with translated(f"the task {task.id}"):
        try:
            await client.start_workflow(
                Filing.run,
                FilingOrder(task=task, terms=terms),
                id=filing_id(task),
                task_queue=names.WORK,
                task_timeout=names.DECISION,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=f"File: {task.title}"[:200],
                rpc_timeout=CALL,
            )
        except WorkflowAlreadyStartedError:
            return False
    return True
