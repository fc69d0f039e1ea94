"""Accounts and runs: whose ceilings are in force, who may call, and what it has all cost."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import sqlalchemy as sa

from infra.gateway.tables import ACCOUNTS, CALLS, RUNS, State, usd, usd_text
from infra.gateway.writer import Declined
from infra.storage import READS
from workflows.domain.budget import Bill, Spend
from workflows.domain.model import Record
from workflows.domain.session import Role

_PAID = (State.ANSWERED.value, State.INCOMPLETE.value, State.LOST.value)
"""Attempts that were, or may have been, paid."""


_Ceiling = TypeVar("_Ceiling", Decimal, int)


class UnknownAccount(Declined):
    """Nobody opened this account."""


class Conflict(Declined):
    """The session exists and is something else."""


class RunOrder(Record):
    """Who may call: one session, on one account, with one model."""

    account: str
    role: Role
    part: int
    model: str
    usd: Decimal | None = None
    tokens: int | None = None


class Receipt(Record):
    """One attempt to buy one answer."""

    session: str
    seq: int
    attempts: int
    """Which attempt this is at the same call."""
    state: State
    model: str
    status: int | None
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    estimated: bool
    usd: str | None
    """Dollars as decimal text; None: the price is unknown."""
    recorded_usd: str
    price_source: str
    price_version: str
    started_at: str
    ended_at: str | None
    detail: str


class Accounts:
    """Writing methods are parts of the writer's transactions and may be repeated; reading ones block and see what is
    committed."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = engine.execution_options(**READS)

    def open_account(
        self, connection: sa.Connection, account: str, ceiling: Decimal | None, tokens: int | None
    ) -> None:
        """Put ceilings in force; what is in force already is never lowered."""
        row = _account(connection, account)
        if row is None:
            values = {"account": account, "usd_ceiling": usd_text(ceiling), "tokens_ceiling": tokens}
            connection.execute(sa.insert(ACCOUNTS), values)
            return
        _raise(connection, row, ceiling, tokens)

    def top_up(self, connection: sa.Connection, account: str, ceiling: Decimal | None, tokens: int | None) -> None:
        """Raise what is in force; never lowers it."""
        row = _account(connection, account)
        if row is None:
            raise UnknownAccount(account)
        _raise(connection, row, ceiling, tokens)

    def open_run(self, connection: sa.Connection, session: str, order: RunOrder) -> None:
        """Open or reopen a run; its ceilings are then those of the order. A ticket has one session at a time: from here
        on the account's other runs are closed, also the one of a session that a reset of the ticket left behind."""
        values: dict[str, Any] = {
            "model": order.model,
            "open": True,
            "usd_ceiling": usd_text(order.usd),
            "tokens_ceiling": order.tokens,
        }
        if _account(connection, order.account) is None:
            raise UnknownAccount(order.account)
        known = connection.execute(sa.select(RUNS).where(RUNS.c.session == session)).mappings().first()
        fixed = {"account": order.account, "role": order.role.value, "part": order.part}
        if known is None:
            connection.execute(sa.insert(RUNS), {"session": session, **fixed, **values})
        elif any(known[name] != value for name, value in fixed.items()):
            was = f"{known['role']} {known['part']} of account {known['account']!r}"
            raise Conflict(f"The session {session!r} is {was} already. Use another session key.")
        else:
            connection.execute(sa.update(RUNS).where(RUNS.c.session == session), values)
        others = sa.and_(RUNS.c.account == order.account, RUNS.c.session != session, RUNS.c.open)
        connection.execute(sa.update(RUNS).where(others), {"open": False})

    def close_run(self, connection: sa.Connection, session: str) -> None:
        """Revoke it: its next call is refused. What is unknown is closed already."""
        connection.execute(sa.update(RUNS).where(RUNS.c.session == session), {"open": False})

    def usd_ceiling(self, account: str) -> Decimal | None:
        """Raises UnknownAccount."""
        with self._reading.connect() as connection:
            row = _account(connection, account)
        if row is None:
            raise UnknownAccount(account)
        return usd(row["usd_ceiling"])

    def receipts(self, *, session: str = "", account: str = "") -> list[Receipt]:
        """Every attempt of a session or an account, oldest first."""
        where = CALLS.c.session == session if session else CALLS.c.account == account
        columns = [CALLS.c[name] for name in Receipt.model_fields if name != "attempts"]
        query = sa.select(*columns, CALLS.c.attempt.label("attempts")).where(where).order_by(CALLS.c.id)
        with self._reading.connect() as connection:
            return [Receipt.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def bill(self, account: str) -> Bill:
        """What the account has cost so far. Raises UnknownAccount."""
        row, attempts = self._paid(account)
        bought = Counter((attempt["session"], attempt["seq"], attempt["digest"]) for attempt in attempts)
        return Bill(
            spend=_spend(attempts),
            calls=len(attempts),
            calls_bought_twice=sum(times > 1 for times in bought.values()),
            usd_ceiling=usd(row["usd_ceiling"]),
            tokens_ceiling=row["tokens_ceiling"],
            reserved_usd=Decimal(row["usd_reserved"]),
        )

    def spend_by_session(self, account: str) -> dict[str, Spend]:
        """The same, session by session. Raises UnknownAccount."""
        _, attempts = self._paid(account)
        sessions: dict[str, list[sa.RowMapping]] = {}
        for attempt in attempts:
            sessions.setdefault(attempt["session"], []).append(attempt)
        return {session: _spend(own) for session, own in sessions.items()}

    def _paid(self, account: str) -> tuple[sa.RowMapping, Sequence[sa.RowMapping]]:
        names = ("session", "seq", "digest", "state", "usd", "recorded_usd", "input_tokens", "cached_tokens")
        columns = [CALLS.c[name] for name in (*names, "output_tokens")]
        paid = sa.select(*columns).where(CALLS.c.account == account, CALLS.c.state.in_(_PAID)).order_by(CALLS.c.id)
        with self._reading.connect() as connection:
            row = _account(connection, account)
            if row is None:
                raise UnknownAccount(account)
            return row, connection.execute(paid).mappings().all()


def _spend(attempts: Sequence[sa.RowMapping]) -> Spend:
    return Spend(
        turns=sum(attempt["state"] == State.ANSWERED for attempt in attempts),
        input_tokens=sum(attempt["input_tokens"] for attempt in attempts),
        cached_tokens=sum(attempt["cached_tokens"] for attempt in attempts),
        output_tokens=sum(attempt["output_tokens"] for attempt in attempts),
        usd=sum((Decimal(attempt["usd"] or 0) for attempt in attempts), Decimal(0)),
        recorded_usd=sum((Decimal(attempt["recorded_usd"]) for attempt in attempts), Decimal(0)),
        unpriced=sum(attempt["usd"] is None for attempt in attempts),
    )


def _raised(current: _Ceiling | None, wanted: _Ceiling | None) -> _Ceiling | None:
    """No ceiling at all is the highest; an order without one changes nothing."""
    if current is None or wanted is None:
        return current
    return max(current, wanted)


def _account(connection: sa.Connection, account: str) -> sa.RowMapping | None:
    query = sa.select(ACCOUNTS).where(ACCOUNTS.c.account == account).with_for_update()
    return connection.execute(query).mappings().first()


def _raise(connection: sa.Connection, row: sa.RowMapping, ceiling: Decimal | None, tokens: int | None) -> None:
    values = {
        "usd_ceiling": usd_text(_raised(usd(row["usd_ceiling"]), ceiling)),
        "tokens_ceiling": _raised(row["tokens_ceiling"], tokens),
    }
    connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.account == row["account"]), values)
