"""Vendor failure -> retry, wait or stop: the one table."""

from datetime import timedelta

import httpx
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from workflows.domain.failures import Failure
from workflows.domain.shown import visible
from workflows.ports.sandbox import BadSpec, Denied, PolicyUnsupported, SandboxError

FORESEEN = ApplicationErrorCategory.BENIGN
"""What we name ourselves is told in a line of its own; the SDK would add a page of its innards to the log each time."""
FINAL = (PolicyUnsupported, Denied, BadSpec)
"""What of a sandbox's errors only a person can mend."""


def stop(failure: Failure, cause: str, next_step: str = "") -> ApplicationError:
    """A failure no retry can mend. The ticket waits in Blocked and shows cause and next step to people."""
    return ApplicationError(
        visible(f"{cause} {next_step}".strip()), type=failure.value, non_retryable=True, category=FORESEEN
    )


def again(cause: str, after: timedelta | None = None) -> ApplicationError:
    """A failure that may pass. `after` is how long the service asked us to wait."""
    return ApplicationError(visible(cause), type=Failure.OUT_OF_REACH.value, next_retry_delay=after, category=FORESEEN)


def from_response(service: str, response: httpx.Response) -> ApplicationError:
    """What an HTTP error reply means: 429 and 5xx are tried again, 401 and 403 want credentials, the rest is final."""
    said = response.text[:500]
    cause = f"{service} answered {response.status_code}: {said}"
    if response.status_code == 429 or response.status_code >= 500:
        return again(cause, retry_after(response))
    if response.status_code in (401, 403):
        return stop(Failure.BAD_CREDENTIALS, cause, f"Check the credentials for {service}, then resume.")
    return stop(Failure.BAD_REQUEST, cause)


def from_transport(service: str, error: httpx.HTTPError) -> ApplicationError:
    """No reply at all: always tried again."""
    return again(f"{service} cannot be reached ({type(error).__name__}: {error}).")


def from_sandbox(error: SandboxError) -> ApplicationError:
    """Final for what only a person can mend, another try for a sandbox that died, is full or out of reach."""
    if isinstance(error, FINAL):
        return stop(Failure.SANDBOX_REFUSED, str(error))
    return again(f"The sandbox cannot be used now: {error}")


def retry_after(response: httpx.Response) -> timedelta | None:
    """The Retry-After header in its seconds form (RFC 9110, 10.2.3); None when absent or a date."""
    value = response.headers.get("retry-after", "")
    return timedelta(seconds=int(value)) if value.isdigit() else None
