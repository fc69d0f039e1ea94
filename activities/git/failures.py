"""What a git failure means to a ticket: the one table for every adapter that uses git."""

from collections.abc import Generator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError

from activities.errors import again, stop
from activities.git.command import GitError
from activities.git.remotes import AccessDenied, PushRejected, RepositoryMissing
from activities.git.states import BadState
from workflows.domain.failures import Failure

_FINAL = (
    (RepositoryMissing, Failure.REPOSITORY_NOT_FOUND, ""),
    (AccessDenied, Failure.BAD_CREDENTIALS, "Give this machine's git access to it, then resume."),
    (BadState, Failure.WORKSPACE_BROKEN, ""),
    (PushRejected, Failure.BRANCH_MOVED, "Look at what is there, then resume or take over."),
)


def failure_of(error: GitError) -> ApplicationError:
    """Final for what only a person can mend, another try for everything else."""
    for kind, failure, next_step in _FINAL:
        if isinstance(error, kind):
            return stop(failure, str(error), next_step)
    return again(str(error))


@contextmanager
def told() -> Generator[None]:
    """Turn what git raises in the block into what a ticket understands."""
    try:
        yield
    except GitError as error:
        raise failure_of(error) from error
