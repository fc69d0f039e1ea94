"""What E2B's exceptions mean to the port."""

from collections.abc import Generator
from contextlib import contextmanager
from json import JSONDecodeError

import httpx
from connectrpc.errors import ConnectError
from e2b import (
    AuthenticationException,
    InvalidArgumentException,
    NotEnoughSpaceException,
    RateLimitException,
    SandboxException,
    SandboxNotFoundException,
    SandboxNotRunningException,
    ServiceBusyException,
    TimeoutException,
)

from workflows.ports.sandbox import BadSpec, Capacity, Denied, Gone, SandboxError, Transient

_KINDS: tuple[tuple[type[Exception], type[SandboxError]], ...] = (
    (SandboxNotFoundException, Gone),
    (SandboxNotRunningException, Gone),
    (TimeoutException, Transient),
    (RateLimitException, Capacity),
    (ServiceBusyException, Capacity),
    (NotEnoughSpaceException, BadSpec),
    (InvalidArgumentException, BadSpec),
    (AuthenticationException, Denied),
    (httpx.TransportError, Transient),
    (ConnectError, Transient),
    (ConnectionError, Transient),
    (TimeoutError, Transient),
    (JSONDecodeError, Transient),  # the SDK reads every answer as the service's own: a proxy's is another
    (KeyError, Transient),
)
"""The first that fits decides. Not every one of them is a SandboxException."""
_STATUSES: dict[int, type[SandboxError]] = {400: BadSpec, 403: Denied, 404: BadSpec}
"""For the exceptions that carry no more than a status; 404 is a template that does not exist."""


@contextmanager
def translated() -> Generator[None]:
    """Raise the port's errors for the SDK's."""
    try:
        yield
    except Exception as error:
        meaning = _meaning(error)
        if meaning is None:
            raise
        raise meaning(f"E2B: {error}") from error


def _meaning(error: Exception) -> type[SandboxError] | None:
    """None for what is not the SDK's."""
    for kind, meaning in _KINDS:
        if isinstance(error, kind):
            return meaning
    return _STATUSES.get(error.status_code or 0, Transient) if isinstance(error, SandboxException) else None
