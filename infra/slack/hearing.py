"""What somebody said in Slack is carried to Temporal, which has Slack asked who they are before it counts."""

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from infra.client import CALL
from infra.temporal import translated
from workflows import names
from workflows.domain.intake import WordsSaid
from workflows.hearing import Hearing, HearingOrder, hearing_id
from workflows.ports.members import Said


async def have_heard(client: Client, said: WordsSaid) -> bool:
    """Have their place say who it was; False when that was begun before, and has not failed. Once it returns, Temporal
    has it on disk. Raises PawlError when Temporal did not take it."""
    with translated(f"the words {said.id}"):
        try:
            await client.start_workflow(
                Hearing.run,
                HearingOrder(said=Said.model_validate({"words": said})),
                id=hearing_id(said),
                task_queue=names.WORK,
                task_timeout=names.DECISION,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                static_summary=f"Hear {said.by.shown}"[:200],
                rpc_timeout=CALL,
            )
        except WorkflowAlreadyStartedError:
            return False
    return True
