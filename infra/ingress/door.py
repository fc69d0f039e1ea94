"""The form of every vendor's door: which deliveries are genuine, and what they say."""

import hmac
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

from workflows.domain.intake import Happening

MOST_ID = 200
"""Characters of a delivery's id."""


class Turned(Exception):
    """A delivery that is not taken. The reason is for the log and the sender; it holds nothing of the delivery."""

    status: int = 400

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status or self.status


class Unsigned(Turned):
    """The signature is missing or wrong."""

    status = 401


class Stale(Turned):
    """Genuine once, and not sent now. `status` where the vendor needs another one."""

    status = 401


class Unreadable(Turned):
    """Not in the vendor's form."""

    status = 400


class Delivery(NamedTuple):
    """What one request says."""

    id: str
    """The vendor's own for the delivery: the same for every try."""
    event: str
    """What kind it is, in the vendor's word, for the log."""
    happenings: tuple[Happening, ...]
    """In the order they are acted on. Empty: nothing that concerns tickets."""
    reply: bytes = b""
    """The answer's body, where the vendor wants one."""


class Door(ABC):
    """One connection's way in."""

    name: str
    """The connection's name, also `TicketRef.tracker`."""
    most_bytes: int
    """A larger body is refused with 413, before it is read to its end."""
    taken: int = 200
    """The status of a delivery that was taken, duplicates and unknown events included."""
    seconds: ClassVar[float] = 2.5
    """How long the sender may wait for its answer, body included; most vendors give up soon after."""

    @property
    def path(self) -> str:
        return f"/hooks/{self.name}"

    @abstractmethod
    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Whether the vendor sent exactly this, and lately. `headers` have lower-case names; `now` is in seconds since
        1970. Raises Unsigned, Stale, Unreadable."""

    @abstractmethod
    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """What a checked delivery says. Raises Unreadable."""


def hex_digests(secrets: Iterable[str], signed: bytes) -> list[str]:
    """The HMAC-SHA256 that each secret gives: several are in force while one replaces another."""
    return [hmac.new(secret.encode(), signed, "sha256").hexdigest() for secret in secrets]


def is_one_of(said: str, right: Iterable[str]) -> bool:
    """Whether a header is one of the right signatures. Takes the same time however much of it is right, and whatever
    characters it has."""
    given = said.encode("ascii", "backslashreplace")
    return sum(hmac.compare_digest(given, one.encode()) for one in right) > 0  # none is left out for one that fits


def real_secrets(secrets: Iterable[str]) -> tuple[str, ...]:
    """The secrets of a door. Raises ValueError when there is none, or an empty one, which anybody could sign with."""
    kept = tuple(secrets)
    if not kept or not all(kept):
        raise ValueError("A door needs a secret, and no secret may be empty.")
    return kept


def json_only(headers: Mapping[str, str]) -> None:
    """Raises Unreadable for a body that is not sent as JSON."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Unreadable("The body must be JSON: set the webhook's content type to application/json.")


def delivery_id(headers: Mapping[str, str], name: str) -> str:
    """The id that the header `name` gives. Raises Unreadable when it is missing or endless."""
    value = headers.get(name, "")
    if not value or len(value) > MOST_ID:
        raise Unreadable(f"The header {name} is missing or too long.")
    return value
