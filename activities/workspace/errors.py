"""What a sandbox's error means for the ticket: tried again, or shown to people. The one table."""

from collections.abc import Generator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError

from activities.errors import again, stop
from activities.git.failures import told as told_of_git
from workflows.domain.failures import Failure
from workflows.ports.sandbox import BadSpec, Denied, PolicyUnsupported, SandboxError


def failure_of(error: SandboxError) -> ApplicationError:
    """Final for what only a person can mend, another try for a sandbox that died, is full or out of reach."""
    if isinstance(error, (PolicyUnsupported, Denied, BadSpec)):
        return stop(Failure.SANDBOX_REFUSED, str(error))
    return again(str(error))


@contextmanager
def told() -> Generator[None]:
    """Turn what sandboxes and git raise in the block into what a ticket understands."""
    with told_of_git():
        try:
            yield
        except SandboxError as error:
            raise failure_of(error) from error
