"""The statements inside the ledger's transactions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from infra.gateway.budget import LastCall, Purse, WorstCase
from infra.gateway.refusals import Kind, Refused
from infra.gateway.tables import (
    ACCOUNTS,
    CALLS,
    GATEWAYS,
    RUNS,
    Metered,
    Outcome,
    Run,
    State,
    now,
    purse,
    usd,
    usd_text,
)
from infra.gateway.wire import Call
from workflows.domain.model import Record
from workflows.domain.session import Role

LEASE = timedelta(seconds=30)
"""A gateway that has not been seen for so long has lost the calls it had in flight."""

_SHARED = [ACCOUNTS.c[name].label(f"shared_{name}") for name in Purse.model_fields if name != "name"]
_RUN = (
    sa.select(RUNS, *_SHARED)
    .join(ACCOUNTS, ACCOUNTS.c.account == RUNS.c.account)
    .where(RUNS.c.session == sa.bindparam("of"))
    .with_for_update()
)
_LATEST = (
    sa.select(CALLS)
    .where(
        CALLS.c.session == sa.bindparam("of"),
        CALLS.c.seq == sa.bindparam("turn"),
        CALLS.c.digest == sa.bindparam("request"),
    )
    .order_by(CALLS.c.attempt.desc())
    .limit(1)
)
_SEEN = sa.select(GATEWAYS.c.seen_at).where(GATEWAYS.c.owner == sa.bindparam("of"))
_INSERT_CALL = sa.insert(CALLS).returning(CALLS.c.id)
_END_CALL = sa.update(CALLS).where(CALLS.c.id == sa.bindparam("of"), CALLS.c.state == State.IN_FLIGHT.value)
_BOOK_RUN = sa.update(RUNS).where(RUNS.c.session == sa.bindparam("of"))
_BOOK_ACCOUNT = sa.update(ACCOUNTS).where(ACCOUNTS.c.account == sa.bindparam("of"))


class Movement(Record):
    """What one step of a call changes in both purses."""

    usd_spent: Decimal = Decimal(0)
    usd_reserved: Decimal = Decimal(0)
    tokens_spent: int = 0
    tokens_reserved: int = 0


def reserving(worst: WorstCase) -> Movement:
    return Movement(usd_reserved=worst.usd or Decimal(0), tokens_reserved=worst.tokens)


def spending(metered: Metered) -> Movement:
    return Movement(usd_spent=metered.usd or Decimal(0), tokens_spent=metered.tokens)


def settling(worst: WorstCase, metered: Metered) -> Movement:
    return Movement(
        usd_spent=metered.usd or Decimal(0),
        usd_reserved=-(worst.usd or Decimal(0)),
        tokens_spent=metered.tokens,
        tokens_reserved=-worst.tokens,
    )


def open_run(connection: sa.Connection, session: str) -> Run:
    """The run, locked until the transaction ends. Raises Refused when it is unknown or revoked."""
    run = any_run(connection, session)
    if not run.open:
        cause = "its session has ended, was cancelled, or made way for another one of its account"
        raise Refused(Kind.NO_RUN, f"The run {session!r} was closed: {cause}.")
    return run


def any_run(connection: sa.Connection, session: str) -> Run:
    """The run, open or revoked, locked until the transaction ends. Raises Refused when it is unknown."""
    row = connection.execute(_RUN, {"of": session}).mappings().first()
    if row is None:
        raise Refused(Kind.NO_RUN, f"The gateway knows no run {session!r}. The worker must open it first.")
    return Run(
        session=row["session"],
        account=row["account"],
        role=Role(row["role"]),
        part=row["part"],
        model=row["model"],
        open=row["open"],
        last=LastCall(
            items=row["last_items"], prefix=row["last_prefix"], size=row["last_size"], tokens=row["last_tokens"]
        ),
        own=purse("this session", row),
        shared=purse("this account", row, "shared_"),
    )


def latest_attempt(connection: sa.Connection, call: Call) -> sa.RowMapping | None:
    key = {"of": call.session, "turn": call.seq, "request": call.digest}
    return connection.execute(_LATEST, key).mappings().first()


def insert_call(connection: sa.Connection, values: dict[str, Any]) -> int:
    return connection.execute(_INSERT_CALL, values).scalar_one()


def end_call(connection: sa.Connection, call_id: int, values: dict[str, Any]) -> bool:
    """Write down how a call in flight ended. False when that was written before: then nothing changes."""
    return connection.execute(_END_CALL, {"of": call_id, **values}).rowcount == 1


def book(connection: sa.Connection, run: Run, move: Movement, last: LastCall | None = None) -> None:
    """Apply the movement to the session's purse and the account's."""
    remembered = {} if last is None else {f"last_{name}": value for name, value in last.model_dump().items()}
    connection.execute(_BOOK_RUN, {"of": run.session, **_moved(run.own, move), **remembered})
    connection.execute(_BOOK_ACCOUNT, {"of": run.account, **_moved(run.shared, move)})


def lose(connection: sa.Connection, row: sa.RowMapping) -> None:
    """Charge the worst case of a call whose gateway died: nobody knows whether it was paid."""
    run = any_run(connection, row["session"])
    worst = WorstCase(
        input_tokens=row["reserved_input"], output_tokens=row["reserved_output"], usd=usd(row["reserved_usd"])
    )
    metered = Metered(
        input_tokens=worst.input_tokens,
        output_tokens=worst.output_tokens,
        estimated=True,
        usd=worst.usd,
        price_source="worst case",
    )
    detail = "The gateway died while this call was in flight: it may have been paid, so its worst case is charged."
    if end_call(connection, row["id"], ended(Outcome(State.LOST, metered, detail=detail))):
        book(connection, run, settling(worst, metered))


def is_alive(connection: sa.Connection, row: sa.RowMapping) -> bool:
    """Whether the gateway that sent this call may still be waiting for its answer."""
    seen: str | None = connection.execute(_SEEN, {"of": row["owner"]}).scalar()
    last_sign = max(seen or "", row["started_at"])
    return datetime.now(UTC) - datetime.fromisoformat(last_sign) < LEASE


def ended(outcome: Outcome) -> dict[str, Any]:
    """The columns of an attempt that has ended."""
    metered = outcome.metered
    return {
        **metered.model_dump(),
        "usd": usd_text(metered.usd),
        "recorded_usd": usd_text(metered.recorded_usd),
        "state": outcome.state.value,
        "status": outcome.status,
        "detail": outcome.detail,
        "ended_at": now(),
    }


def _moved(before: Purse, move: Movement) -> dict[str, Any]:
    return {
        "usd_spent": usd_text(before.usd_spent + move.usd_spent),
        "usd_reserved": usd_text(before.usd_reserved + move.usd_reserved),
        "tokens_spent": before.tokens_spent + move.tokens_spent,
        "tokens_reserved": before.tokens_reserved + move.tokens_reserved,
    }
