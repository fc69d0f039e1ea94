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


@dataclass(frozen=True)
class Kept:
    """An answer that was bought before, as it lies in the ledger."""

    status: int
    headers: str
    packed: bytes | None
    digest: str | None


Admission = Reserved | InFlight | Played | Kept


class Ledger:
    """Its methods are parts of the writer's transactions, but for `pack` and `unpack`, which may use the object store.
    `owner` names this gateway for good: what an earlier process of that name left in flight is lost."""

    def __init__(self, objects: Objects, owner: str) -> None:
        self._objects = objects
        self.owner = owner

    def admit(self, connection: sa.Connection, call: Call, quote: Callable[[Run], Quote]) -> Admission:
        """Find the call's answer, or set its worst case aside. Raises Refused."""
        run = rows.open_run(connection, call.session)
        known = rows.latest_attempt(connection, call)
        if known is not None and known["state"] == State.ANSWERED:
            return Kept(known["status"], known["headers"], known["answer"], known["answer_object"])
        return self._reserve(connection, call, run, known, quote)

    def settle(self, connection: sa.Connection, reserved: Reserved, outcome: Outcome, packed: dict[str, Any]) -> None:
        """Put what really happened in the place of what was set aside; `packed` is the outcome's answer, packed.

        Nothing changes when another gateway took this one for dead and wrote the call off: its worst case is charged.
        """
        run = rows.any_run(connection, reserved.run.session)
        if rows.end_call(connection, reserved.id, rows.ended(outcome) | packed):
            rows.book(connection, run, rows.settling(reserved.worst, outcome.metered), outcome.last)

    def recover(self, connection: sa.Connection) -> int:
        """At the start: what was in flight when a gateway died is lost. Returns how many calls that were."""
        in_flight = sa.select(CALLS).where(CALLS.c.state == State.IN_FLIGHT.value).with_for_update()
        found = connection.execute(in_flight).mappings().all()
        lost = [row for row in found if row["owner"] == self.owner or not rows.is_alive(connection, row)]
        for row in lost:
            rows.lose(connection, row)
        return len(lost)

    def beat(self, connection: sa.Connection) -> None:
        """Say that this gateway lives, for others on the same database."""
        seen = sa.update(GATEWAYS).where(GATEWAYS.c.owner == self.owner).values(seen_at=now())
        if connection.execute(seen).rowcount == 0:
            connection.execute(sa.insert(GATEWAYS).values(owner=self.owner, seen_at=now()))

    def pack(self, answer: Answer) -> dict[str, Any]:
        """The columns that hold an answer. A large one is in the object store, durably, when this returns."""
        packed = zlib.compress(answer.body, 1)
        if len(packed) <= SMALL:
            return {"headers": json.dumps(answer.headers), "answer": packed}
        return {"headers": json.dumps(answer.headers), "answer_object": self._objects.keep(packed)}

    def unpack(self, kept: Kept) -> Answer:
        packed = self._objects.load(kept.digest or "") if kept.packed is None else kept.packed
        return Answer(status=kept.status, headers=json.loads(kept.headers), body=zlib.decompress(packed))

    def _reserve(
        self,
        connection: sa.Connection,
        call: Call,
        run: Run,
        known: sa.RowMapping | None,
        quote: Callable[[Run], Quote],
    ) -> Admission:
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
        rows.insert_call(connection, attempt | rows.ended(quoted.outcome) | self.pack(quoted.outcome.answer))
        rows.book(connection, run, rows.spending(quoted.outcome.metered))
        return Played(quoted.outcome.answer)
