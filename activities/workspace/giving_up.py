"""When a sandbox is of no use to anybody any more, and goes at once."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

from activities.errors import FINAL
from activities.workspace.errors import NotPrepared
from workflows.ports.sandbox import Sandbox, SandboxError


@asynccontextmanager
async def removed_when_refused(sandbox: Sandbox, key: str) -> AsyncGenerator[None]:
    """Remove the sandbox when the block ends in what only a person can mend: after that another one is asked for."""
    try:
        yield
    except (*FINAL, NotPrepared):
        with suppress(SandboxError):  # the first error says more; what is left goes with the orphans
            await sandbox.destroy(key)
        raise


def is_given_up() -> bool:
    """Whether nobody waits for a cancelled activity any more. When only this worker ends, the next one goes on."""
    if not activity.in_activity():
        return True
    details = activity.cancellation_details()
    return details is not None and (details.cancel_requested or details.not_found)
