"""The gateway's tables and the records that go in and out of them. Dollars are decimal text, times ISO 8601 in UTC."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from infra.gateway.budget import LastCall, Purse
from workflows.domain.model import Record
from workflows.domain.session import Role

TABLES = sa.MetaData()
_KEY = sa.String(300)
_USD = sa.String(60)
_TIME = sa.String(40)


def _purse_columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("usd_ceiling", _USD),
        sa.Column("tokens_ceiling", sa.BigInteger),
        sa.Column("usd_spent", _USD, nullable=False, default="0"),
        sa.Column("usd_reserved", _USD, nullable=False, default="0"),
        sa.Column("tokens_spent", sa.BigInteger, nullable=False, default=0),
        sa.Column("tokens_reserved", sa.BigInteger, nullable=False, default=0),
    )


ACCOUNTS = sa.Table("accounts", TABLES, sa.Column("account", _KEY, primary_key=True), *_purse_columns())
RUNS = sa.Table(
    "runs",
    TABLES,
    sa.Column("session", _KEY, primary_key=True),
    sa.Column("account", _KEY, nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("model", _KEY, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    *_purse_columns(),
    sa.Column("last_items", sa.Integer, nullable=False, default=0),
    sa.Column("last_prefix", sa.String(64), nullable=False, default=""),
    sa.Column("last_size", sa.BigInteger, nullable=False, default=0),
    sa.Column("last_tokens", sa.BigInteger, nullable=False, default=0),
    sa.Index("runs_by_account", "account"),
)
CALLS = sa.Table(
    "calls",
    TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("session", _KEY, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("account", _KEY, nullable=False),
    sa.Column("model", _KEY, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("owner", _KEY, nullable=False),
    sa.Column("started_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
    sa.Column("reserved_usd", _USD),
    sa.Column("reserved_input", sa.BigInteger, nullable=False),
    sa.Column("reserved_output", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("input_tokens", sa.BigInteger, nullable=False, default=0),
    sa.Column("cached_tokens", sa.BigInteger, nullable=False, default=0),
    sa.Column("cache_write_tokens", sa.BigInteger, nullable=False, default=0),
    sa.Column("output_tokens", sa.BigInteger, nullable=False, default=0),
    sa.Column("estimated", sa.Boolean, nullable=False, default=False),
    sa.Column("usd", _USD),
    sa.Column("recorded_usd", _USD, nullable=False, default="0"),
    sa.Column("price_source", sa.String(20), nullable=False, default=""),
    sa.Column("price_version", sa.String(20), nullable=False, default=""),
    sa.Column("detail", sa.Text, nullable=False, default=""),
    sa.Column("headers", sa.Text),
    sa.Column("answer", sa.LargeBinary),
    sa.Column("answer_object", sa.String(64)),
    sa.UniqueConstraint("session", "seq", "digest", "attempt"),
    sa.Index("calls_by_account", "account"),
    sa.Index(
        "calls_in_flight",
        "state",
        sqlite_where=sa.text("state = 'in flight'"),
        postgresql_where=sa.text("state = 'in flight'"),
    ),
)
GATEWAYS = sa.Table(
    "gateways",
    TABLES,
    sa.Column("owner", _KEY, primary_key=True),
    sa.Column("seen_at", _TIME, nullable=False),
)
"""Who of several gateways on one database still lives."""


class State(StrEnum):
    """How one attempt to buy an answer stands."""

    IN_FLIGHT = "in flight"
    ANSWERED = "answered"
    INCOMPLETE = "incomplete"
    """The provider's answer broke off: paid, as far as it came, and never served again."""
    LOST = "lost"
    """The gateway died while it was in flight: it may have been paid, so its worst case is charged."""
    FAILED = "failed"
    """The provider refused or was out of reach: nothing was paid."""


class Run(Record):
    """A session that may call, with its own purse and its account's."""

    session: str
    account: str
    role: Role
    part: int
    model: str
    open: bool
    last: LastCall
    own: Purse
    shared: Purse

    @property
    def limited(self) -> bool:
        return self.own.limited or self.shared.limited


@dataclass(frozen=True)
class Answer:
    """An answer as the caller gets it."""

    status: int
    headers: dict[str, str]
    body: bytes


class Metered(Record):
    """What an attempt used and cost."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    """The provider did not say: the figures are bounds or guesses from bytes."""
    usd: Decimal | None = Decimal(0)
    recorded_usd: Decimal = Decimal(0)
    price_source: str = ""
    price_version: str = ""

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. Only an ANSWERED one has an answer to keep."""

    state: State
    metered: Metered = field(default_factory=Metered)
    status: int | None = None
    detail: str = ""
    answer: Answer | None = None
    last: LastCall | None = None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def usd_text(amount: Decimal | None) -> str | None:
    if amount is None:
        return None
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def purse(name: str, row: sa.RowMapping, prefix: str = "") -> Purse:
    return Purse(
        name=name,
        usd_ceiling=usd(row[f"{prefix}usd_ceiling"]),
        tokens_ceiling=row[f"{prefix}tokens_ceiling"],
        usd_spent=Decimal(row[f"{prefix}usd_spent"]),
        usd_reserved=Decimal(row[f"{prefix}usd_reserved"]),
        tokens_spent=row[f"{prefix}tokens_spent"],
        tokens_reserved=row[f"{prefix}tokens_reserved"],
    )
