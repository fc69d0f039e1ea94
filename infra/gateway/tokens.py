"""Who is calling: run tokens on the model routes, the shared secret on the admin routes."""

import hmac
from functools import lru_cache

from starlette.datastructures import Headers

from infra.gateway.refusals import Kind, Refused
from workflows.domain.tokens import token_session

_session = lru_cache(maxsize=4_096)(token_session)


def calling_session(headers: Headers, secret: str) -> str:
    """The session whose token came as x-api-key or Bearer."""
    token = headers.get("x-api-key") or _bearer(headers)
    if not token:
        raise Refused(Kind.NO_RUN, "No run token: send it as x-api-key or as Authorization: Bearer.")
    session = _session(secret, token)
    if session is None:
        raise Refused(Kind.NO_RUN, "This is not a run token of this gateway. Ask the worker to open the run again.")
    return session


def is_admin(headers: Headers, secret: str) -> bool:
    return hmac.compare_digest(_bearer(headers).encode(), secret.encode())


def _bearer(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""
