"""The receipt counts what was recorded, and only a run that kept every promise is a success."""

from decimal import Decimal

import pytest

from infra.demo.receipt import Receipt, lines, receipt
from infra.process import StackEvent, What
from workflows.domain.budget import Bill, Spend
from workflows.domain.order import TicketOutcome
from workflows.domain.ticket import Phase


def outcome(phase: Phase = Phase.DONE, twice: int = 0) -> TicketOutcome:
    spend = Spend(turns=3, input_tokens=1_200, output_tokens=34, recorded_usd=Decimal("0.123456789"))
    bill = Bill(spend=spend, calls=3, calls_bought_twice=twice)
    return TicketOutcome(identifier="ENG-1", phase=phase, summary="", bill=bill)


def died(part: str, how: str) -> StackEvent:
    return StackEvent(part=part, what=What.DIED, pid=1, seconds=1, how=how)


def made(phase: Phase = Phase.DONE, twice: int = 0, pull_requests: int = 1) -> Receipt:
    events = [
        died("worker", "SIGKILL"),
        died("worker", "exit code 1"),
        died("gateway", "SIGKILL"),
        StackEvent(part="worker", what=What.READY, pid=2, seconds=1),
    ]
    return receipt(outcome(phase, twice), turns=3, pull_requests=pull_requests, events=events, seconds=12.34)


def test_scripts_find_these_keys() -> None:
    assert made().model_dump(mode="json") == {
        "ticket": "ENG-1",
        "phase": "Done",
        "turns": 3,
        "calls_bought_twice": 0,
        "pull_requests": 1,
        "kills": 1,
        "recorded_usd": 0.123457,
        "spent_usd": 0.0,
        "seconds": 12.3,
    }


@pytest.mark.parametrize(
    ("receipt", "kept"),
    [
        (made(), True),
        (made(phase=Phase.DECLINED), False),
        (made(twice=1), False),
        (made(pull_requests=0), False),
        (made(pull_requests=2), False),
    ],
)
def test_promises(receipt: Receipt, kept: bool) -> None:
    assert receipt.kept_every_promise is kept


def test_people_read_all_of_it() -> None:
    said = dict(lines(made(), outcome()))
    assert said["tokens"] == "1,234 (1,200 in, 34 out)"
    assert said["recorded cost"] == "$0.12"
    assert said["spent now"] == "$0.00"
    assert said["model calls bought twice"] == "0"
    assert said["pull requests opened"] == "1"
    assert said["worker killed"] == "1 time"
