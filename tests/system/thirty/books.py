"""The gateway's own books, read beside it."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa

from infra.gateway.tables import ACCOUNTS, usd


@dataclass(frozen=True)
class Account:
    ceiling: Decimal | None
    spent: Decimal
    reserved: Decimal


def accounts(path: Path) -> dict[str, Account]:
    """Every account by its name, in dollars."""
    engine = sa.create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as books:
            rows = books.execute(sa.select(ACCOUNTS)).mappings().all()
    finally:
        engine.dispose()
    return {
        str(row["account"]): Account(usd(row["usd_ceiling"]), Decimal(row["usd_spent"]), Decimal(row["usd_reserved"]))
        for row in rows
    }
