"""Payloads: thin records of what vendors send, and what may go wrong in reading them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from infra.ingress.door import Unreadable

Id = Annotated[str, Field(min_length=1, max_length=150)]
Number = Annotated[int, Field(ge=1, le=10**15)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Payload(BaseModel):
    """Part of a delivery. What Pawl does not need is not looked at, so a vendor may add to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CamelPayload(Payload):
    """The same for vendors that write `likeThis`."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


P = TypeVar("P", bound=Payload)


def parsed(kind: type[P], body: bytes) -> P:
    """The body as a record. Raises Unreadable for what is no JSON, too deep, not UTF-8, or lacks what is needed."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise Unreadable(f"Not readable: {place} ({first['type']}).") from None


def moment(written: str) -> datetime:
    """A vendor's time. Raises Unreadable."""
    try:
        at = datetime.fromisoformat(written)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable("Not readable: a time is not in the form of ISO 8601.") from None


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - _EPOCH) // timedelta(milliseconds=1)
