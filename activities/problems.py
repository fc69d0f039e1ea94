"""What a failure means for a command that asked for something."""

from datetime import timedelta

from temporalio.exceptions import ApplicationError

from infra.errands import Problem
from infra.exits import Exit, PawlError
from workflows.domain.failures import Failure

_EXITS = {Failure.BAD_CREDENTIALS.value: Exit.AUTH, Failure.OUT_OF_REACH.value: Exit.OUTSIDE}


def problem_of(error: ApplicationError | PawlError) -> Problem:
    if isinstance(error, PawlError):
        return Problem(exit=error.exit, cause=error.cause, next_step=error.next_step)
    cause = error.message.replace(", then resume.", ".")  # as it is said to tickets
    if wait := error.next_retry_delay:
        minutes = -(-wait // timedelta(minutes=1))
        return Problem(exit=Exit.RATE_LIMITED, cause=cause, next_step=f"Try again in {minutes} min.")
    return Problem(exit=_EXITS.get(error.type or "", Exit.REFUSED), cause=cause)
