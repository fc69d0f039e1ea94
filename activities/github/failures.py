"""What GitHub's refusals mean: wait, mend the credentials, or let the caller say."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from gidgethub import HTTPException

from activities.errors import again, stop
from workflows.domain.failures import Failure

_AT_LEAST = timedelta(minutes=1)
"""For limits that do not say when they end."""


class Refused(Exception):
    """GitHub says no: what that means depends on what was asked. Unhandled, it is final."""

    def __init__(self, asked: str, status: int, said: str) -> None:
        super().__init__(f"GitHub answered {status} to {asked}: {said}")
        self.status = status
        self.said = said


def failure_of(asked: str, error: HTTPException) -> Exception:
    """Another try for limits and GitHub's own failures, Refused for the rest."""
    status, headers = int(error.status_code), error.headers
    said = str(error)[:500]
    limit = wait_for_limit(status, headers, said)
    if limit is not None:
        return again(
            f"GitHub's rate limit is reached ({said}). It goes on after {int(limit.total_seconds())} s.", limit
        )
    if status >= 500:
        return again(f"GitHub answered {status} to {asked}: {said}", _seconds(headers.get("retry-after")))
    return Refused(asked, status, said)


def wait_for_limit(status: int, headers: Mapping[str, str], said: str) -> timedelta | None:
    """How long a limit keeps us away; None when it is none. GitHub answers 403 for limits and for lack of rights."""
    spent = headers.get("x-ratelimit-remaining") == "0"
    limited = "retry-after" in headers or spent or "rate limit" in said.lower()
    if status != 429 and not (status == 403 and limited):
        return None
    if after := _seconds(headers.get("retry-after")):
        return after
    reset = _seconds(headers.get("x-ratelimit-reset"))
    if spent and reset is not None:
        return max(reset - timedelta(seconds=time.time()), timedelta()) + timedelta(seconds=1)
    return _AT_LEAST


@contextmanager
def told() -> Generator[None]:
    """Turn a refusal that nobody in the block understood into what a ticket understands."""
    try:
        yield
    except Refused as refused:
        if refused.status in (401, 403):
            next_step = "Check GitHub's credentials and what they may do, then resume."
            raise stop(Failure.BAD_CREDENTIALS, str(refused), next_step) from refused
        raise stop(Failure.BAD_REQUEST, str(refused)) from refused


def _seconds(value: str | None) -> timedelta | None:
    return timedelta(seconds=int(value)) if value and value.isdigit() else None
