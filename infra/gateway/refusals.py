"""What the gateway says when it does not hand on an answer, in the error shape of each API."""

import json
from enum import Enum
from typing import Any, NamedTuple

from infra.gateway.wire import Flavour
from infra.gateway.writer import Declined


class Shape(NamedTuple):
    """How one kind of refusal reads on Messages and on the OpenAI routes. Agent CLIs end cleanly on these statuses."""

    status: int
    type: str
    openai_status: int
    openai_type: str
    code: str


class Kind(Enum):
    BAD_REQUEST = Shape(400, "invalid_request_error", 400, "invalid_request_error", "bad_request")
    MONEY_OUT = Shape(402, "billing_error", 429, "insufficient_quota", "insufficient_quota")
    NO_RUN = Shape(403, "permission_error", 403, "permission_error", "run_revoked")
    TAPE_MISMATCH = Shape(409, "tape_mismatch", 409, "tape_mismatch", "tape_mismatch")
    NO_CREDENTIALS = Shape(403, "no_credentials", 403, "no_credentials", "no_credentials")
    UNKNOWN_PRICE = Shape(400, "unknown_price", 400, "unknown_price", "unknown_price")
    UPSTREAM_LOST = Shape(502, "api_error", 502, "server_error", "upstream_lost")
    BUSY = Shape(503, "overloaded_error", 503, "server_error", "busy")


class Refused(Declined):
    """A call that is not answered. The message is for people: cause and next step."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Refusal(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def refusal(flavour: Flavour, kind: Kind, message: str) -> Refusal:
    """The whole HTTP reply."""
    shape = kind.value
    status = shape.status if flavour is Flavour.MESSAGES else shape.openai_status
    headers = {"content-type": "application/json"}
    if kind is Kind.BUSY:
        headers["retry-after"] = "1"
    elif kind is not Kind.UPSTREAM_LOST:
        headers["x-should-retry"] = "false"  # the vendors' clients would repeat 409 and 429, which cannot help here
    return Refusal(status, headers, json.dumps(_body(flavour, shape, message)).encode())


def refusal_event(flavour: Flavour, kind: Kind, message: str) -> bytes:
    """The same inside a stream that has begun. The vendors' clients raise it as an error."""
    body = _body(flavour, kind.value, message)
    if flavour is Flavour.RESPONSES:
        named = {"type": "error", "code": kind.value.code, "message": message, "param": None, "sequence_number": 0}
        body = {**named, **body}  # as documented, and with the `error` without which OpenAI's client reads on
    name = "" if flavour is Flavour.CHAT else "event: error\n"
    return f"{name}data: {json.dumps(body)}\n\n".encode()


def _body(flavour: Flavour, shape: Shape, message: str) -> dict[str, Any]:
    if flavour is Flavour.MESSAGES:
        return {"type": "error", "error": {"type": shape.type, "message": message}}
    return {"error": {"message": message, "type": shape.openai_type, "param": None, "code": shape.code}}
