"""The receipts: every attempt to buy an answer, what was set aside for it, what it cost, and the answer itself."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from infra.gateway import rows
from infra.gateway.budget import WorstCase, refuse_overspending
from infra.gateway.tables import CALLS, GATEWAYS, Answer, Outcome, Run, State, now, usd_text
from infra.gateway.wire import Call
from infra.storage import Objects

SMALL = 16 * 1024
"""Compressed bytes up to which an answer lives in its own row and shares its commit."""


@dataclass(frozen=True)
class Quote:
    """What a call may cost at worst; with an outcome when the answer is at hand already, as on a tape."""

    worst: WorstCase
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Reserved:
    """The call may be sent: its worst case is set aside under this id."""

    id: int
    run: Run
    worst: WorstCase


@dataclass(frozen=True)
class InFlight:
    """The same call is on its way already, at the named gateway."""

    owner: str


@dataclass(frozen=True)
class Played:
    """An answer that cost nothing, kept like any other."""

    answer: Answer


class Ledger:
    """All methods block; each is one transaction and durable when it returns. `owner` names this gateway for good:
    what an earlier process of that name left in flight is lost."""

    def __init__(self, engine: sa.Engine, objects: Objects, owner: str) -> None:
        self._engine = engine
        self._objects = objects
        self.owner = owner

    def admit(self, call: Call, quote: Callable[[Run], Quote]) -> Reserved | InFlight | Played | Answer:
        """Find the call's answer, or set its worst case aside. Raises Refused, having changed nothing."""
        with self._engine.begin() as connection:
            run = rows.open_run(connection, call.session)
            known = rows.latest_attempt(connection, call)
            if known is None or known["state"] != State.ANSWERED:
                return self._reserve(connection, call, run, known, quote)
        return self._answer(known)

    def settle(self, reserved: Reserved, outcome: Outcome) -> None:
        """Put what really happened in the place of what was set aside, and keep the answer."""
        kept = self._kept(outcome.answer)
        with self._engine.begin() as connection:
            run = rows.any_run(connection, reserved.run.session)
            rows.end_call(connection, reserved.id, rows.ended(outcome) | kept)
            rows.book(connection, run, rows.settling(reserved.worst, outcome.metered), outcome.last)

    def recover(self) -> int:
        """At the start: what was in flight when a gateway died is lost. Returns how many calls that were."""
        in_flight = sa.select(CALLS).where(CALLS.c.state == State.IN_FLIGHT.value).with_for_update()
        with self._engine.begin() as connection:
            found = connection.execute(in_flight).mappings().all()
            lost = [row for row in found if row["owner"] == self.owner or not rows.is_alive(connection, row)]
            for row in lost:
                rows.lose(connection, row)
        return len(lost)

    def beat(self) -> None:
        """Say that this gateway lives, for others on the same database."""
        with self._engine.begin() as connection:
            seen = sa.update(GATEWAYS).where(GATEWAYS.c.owner == self.owner).values(seen_at=now())
            if connection.execute(seen).rowcount == 0:
                connection.execute(sa.insert(GATEWAYS).values(owner=self.owner, seen_at=now()))

    def _reserve(
        self,
        connection: sa.Connection,
        call: Call,
        run: Run,
        known: sa.RowMapping | None,
        quote: Callable[[Run], Quote],
    ) -> Reserved | InFlight | Played | Answer:
        if known is not None and known["state"] == State.IN_FLIGHT:
            if known["owner"] == self.owner or rows.is_alive(connection, known):
                return InFlight(known["owner"])
            rows.lose(connection, known)
            run = rows.open_run(connection, call.session)
        quoted = quote(run)
        refuse_overspending(run.own, quoted.worst)
        refuse_overspending(run.shared, quoted.worst)
        attempt = {
            "session": call.session,
            "seq": call.seq,
            "digest": call.digest,
            "attempt": 1 if known is None else known["attempt"] + 1,
            "account": run.account,
            "model": run.model,
            "state": State.IN_FLIGHT.value,
            "owner": self.owner,
            "started_at": now(),
            "reserved_usd": usd_text(quoted.worst.usd),
            "reserved_input": quoted.worst.input_tokens,
            "reserved_output": quoted.worst.output_tokens,
        }
        if quoted.outcome is None or quoted.outcome.answer is None:
            call_id = rows.insert_call(connection, attempt)
            rows.book(connection, run, rows.reserving(quoted.worst))
            return Reserved(id=call_id, run=run, worst=quoted.worst)
        rows.insert_call(connection, attempt | rows.ended(quoted.outcome) | self._kept(quoted.outcome.answer))
        rows.book(connection, run, rows.spending(quoted.outcome.metered))
        return Played(quoted.outcome.answer)

    def _kept(self, answer: Answer | None) -> dict[str, Any]:
        """The columns that hold an answer. A large one is in the object store when they are written."""
        if answer is None:
            return {}
        packed = zlib.compress(answer.body, 1)
        if len(packed) <= SMALL:
            return {"headers": json.dumps(answer.headers), "answer": packed}
        return {"headers": json.dumps(answer.headers), "answer_object": self._objects.keep(packed)}

    def _answer(self, row: sa.RowMapping) -> Answer:
        packed = row["answer"] if row["answer"] is not None else self._objects.load(row["answer_object"])
        return Answer(status=row["status"], headers=json.loads(row["headers"]), body=zlib.decompress(packed))
