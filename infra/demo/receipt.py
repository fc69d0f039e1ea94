"""The demo's last word: what it took, counted where it was recorded."""

from collections.abc import Iterable
from decimal import Decimal

from infra.parts import Part
from infra.process import StackEvent, What
from workflows.domain.model import Record
from workflows.domain.order import TicketOutcome
from workflows.domain.ticket import Phase


class Receipt(Record):
    """The JSON object a script reads."""

    ticket: str
    phase: Phase
    turns: int
    calls_bought_twice: int
    pull_requests: int
    kills: int
    recorded_usd: float
    spent_usd: float
    seconds: float

    @property
    def kept_every_promise(self) -> bool:
        return self.phase is Phase.DONE and self.calls_bought_twice == 0 and self.pull_requests == 1


def receipt(
    outcome: TicketOutcome, *, turns: int, pull_requests: int, events: Iterable[StackEvent], seconds: float
) -> Receipt:
    """Money and repeated purchases are the gateway's count, turns the journal's, pull requests the forge's, kills the
    supervisor's."""
    kills = [event for event in events if event.part == Part.WORKER and event.what is What.DIED]
    return Receipt(
        ticket=outcome.identifier,
        phase=outcome.phase,
        turns=turns,
        calls_bought_twice=outcome.bill.calls_bought_twice,
        pull_requests=pull_requests,
        kills=sum(event.how == "SIGKILL" for event in kills),
        recorded_usd=_usd(outcome.bill.spend.recorded_usd),
        spent_usd=_usd(outcome.bill.spend.usd),
        seconds=round(seconds, 1),
    )


def lines(receipt: Receipt, outcome: TicketOutcome) -> list[tuple[str, str]]:
    """The receipt for people: what, how much."""
    spend = outcome.bill.spend
    rows = [
        ("ticket", f"{receipt.ticket}: {receipt.phase}"),
        ("turns", f"{receipt.turns}"),
        ("tokens", f"{spend.tokens:,} ({spend.input_tokens:,} in, {spend.output_tokens:,} out)"),
        ("recorded cost", f"${receipt.recorded_usd:.2f}") if receipt.recorded_usd else None,
        ("spent now", f"${receipt.spent_usd:.2f}"),
        ("worker killed", f"{receipt.kills} time{'' if receipt.kills == 1 else 's'}"),
        ("model calls bought twice", f"{receipt.calls_bought_twice}"),
        ("pull requests opened", f"{receipt.pull_requests}"),
        ("time", f"{receipt.seconds:.0f} s"),
    ]
    return [row for row in rows if row]


def _usd(amount: Decimal) -> float:
    return float(round(amount, 6))
