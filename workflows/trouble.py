"""What a failed step says to people, and what a cancellation must not cut short."""

import asyncio
from typing import TypeVar

from temporalio.exceptions import ActivityError, ApplicationError, FailureError

Result = TypeVar("Result")


async def to_its_end(work: "asyncio.Future[Result]") -> Result:
    """Wait for work that a cancellation from Temporal must not stop half-way. A run is cancelled at most once."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        return await work


def cause_of(error: FailureError) -> BaseException:
    """What the activity itself raised: below Temporal's wrappers, above what a library had told the activity."""
    cause: BaseException = error
    while isinstance(cause, FailureError) and not isinstance(cause, ApplicationError) and cause.cause is not None:
        cause = cause.cause
    return cause


def message_of(error: FailureError) -> str:
    """The sentence to show: the activity's own words, with the step's name where those say nothing."""
    cause = cause_of(error)
    words = cause.message if isinstance(cause, FailureError) else str(cause)
    if isinstance(cause, ApplicationError) or not isinstance(error, ActivityError):
        return words
    return f"The step {error.activity_type} failed: {words}"


def is_final(error: BaseException | None) -> bool:
    """Whether the activity itself said that no retry can mend it, as `stop` does."""
    cause = cause_of(error) if isinstance(error, FailureError) else error
    return isinstance(cause, ApplicationError) and cause.non_retryable


def type_of(error: FailureError) -> str:
    """The failure's type (see domain.failures), empty when it has none."""
    cause = cause_of(error)
    return cause.type or "" if isinstance(cause, ApplicationError) else ""
