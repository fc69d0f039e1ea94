"""What fits into a night."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from workflows.domain.triage import Entry, Kind, Standing, TriagePolicy, Tried, Verdict
from workflows.domain.triage_brakes import Purse, what_fits

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
RICH = Purse(night=None)


def entry(
    name: str, of: Verdict = Verdict.CONFIRMED, days: int = 0, kind: Kind = Kind.LINT, subject: str = ""
) -> Entry:
    at = NOW - timedelta(days=days)
    return Entry(
        id=name,
        kind=kind,
        subject=subject or name,
        title=name,
        command="x",
        standing=Standing.WAITING,
        first_seen=at,
        last_seen=at,
        tried=(Tried(at=at, base="b", runs=5, verdict=of),),
    )


def policy(**more: Any) -> TriagePolicy:
    return TriagePolicy.model_validate({"level": 2, "new_tickets": 9, "open_tickets": 9, **more})


def purse(night: str, spent: str, price: str | None = "1") -> Purse:
    return Purse(night=Decimal(night), spent=Decimal(spent), price=Decimal(price) if price else None)


A, B, C = entry("a"), entry("b"), entry("c")


@pytest.mark.parametrize(
    ("new", "cap", "open_now", "fit"),
    [(9, 9, 0, 3), (2, 9, 0, 2), (0, 9, 0, 0), (9, 9, 7, 2), (9, 9, 9, 0), (9, 3, 9, 0)],
)
def test_tickets_are_capped(new: int, cap: int, open_now: int, fit: int) -> None:
    fitted = what_fits((), (A, B, C), policy(new_tickets=new, open_tickets=cap), RICH, open_now)
    assert [one.entry.id for one in fitted.now] == ["a", "b", "c"][:fit]
    assert [one.id for one in fitted.waiting] == ["a", "b", "c"][fit:]


def test_what_waited_longest_is_first_and_new_ones_keep_their_order() -> None:
    fitted = what_fits((entry("d", days=1), entry("e", days=2)), (C, A), policy(), RICH, 0)
    assert [one.entry.id for one in fitted.now] == ["e", "d", "c", "a"]


@pytest.mark.parametrize(
    ("level", "of", "starts"),
    [
        (1, Verdict.CONFIRMED, False),
        (2, Verdict.CONFIRMED, False),
        (3, Verdict.CONFIRMED, True),
        (3, Verdict.FLAKY, False),
        (3, Verdict.UNPROVEN, False),
        (4, Verdict.CONFIRMED, True),
        (4, Verdict.FLAKY, False),
    ],
)
def test_only_what_is_proven_is_started_and_only_from_level_3(level: int, of: Verdict, starts: bool) -> None:
    (one,) = what_fits((), (entry("a", of),), policy(level=level), RICH, 0).now
    assert one.start is starts
    assert not one.unattended


@pytest.mark.parametrize(
    ("level", "kind", "subject", "said", "by_itself"),
    [
        (4, Kind.LINT, "src/a.py:E501", "src/a.py:3:1: E501 long", True),
        (4, Kind.LINT, "src/a.py:E501", "src/a.py:3:1: F401", False),
        (4, Kind.LINT, "src/a.py:E501", "", False),
        (4, Kind.LINT, " : ", "anything", False),
        (4, Kind.LINT, "a.py:E501", "src/a.py:3:1: E501 long", False),  # another file's name
        (4, Kind.LINT, "src/a.py:E501", "src/a.py:3:1: F401\nsrc/b.py:1:1: E501", False),  # not in one line
        (4, Kind.LINT, "a d d", "a bad word", False),  # no name
        (4, Kind.LINT, "E501:src/a.py", "src/a.py:3:1: E501 long", False),  # not in this order
        (4, Kind.LINT, "tests/a.py::test_login", "tests/a.py::test_login FAILED", False),  # a test
        (4, Kind.FAILING_TEST, "src/a.py:E501", "src/a.py:3:1: E501 long", False),
        (3, Kind.LINT, "src/a.py:E501", "src/a.py:3:1: E501 long", False),
    ],
)
def test_a_low_risk_kind_that_a_command_of_the_policy_names_needs_nobody(
    level: int, kind: Kind, subject: str, said: str, by_itself: bool
) -> None:
    (one,) = what_fits((), (entry("a", kind=kind, subject=subject),), policy(level=level), RICH, 0, said).now
    assert one.start
    assert one.unattended is by_itself


@pytest.mark.parametrize(
    ("purse", "started", "drafted", "waiting"),
    [
        (purse("3", "0"), 3, 0, 0),
        (purse("3", "0.01"), 2, 0, 1),
        (purse("2", "1.5"), 0, 0, 3),
        (purse("0.5", "0"), 0, 3, 0),  # no night can pay it
        (purse("5", "0", None), 0, 3, 0),  # nobody knows what one would cost
        (Purse(night=None, price=None), 3, 0, 0),
        (Purse(night=None, spent=Decimal(99), price=Decimal(1)), 3, 0, 0),
    ],
)
def test_a_night_starts_what_it_can_pay(purse: Purse, started: int, drafted: int, waiting: int) -> None:
    fitted = what_fits((), (A, B, C), policy(level=3), purse, 0)
    assert sum(one.start for one in fitted.now) == started
    assert sum(not one.start for one in fitted.now) == drafted
    assert len(fitted.waiting) == waiting
    spent = purse.spent + sum((purse.price or Decimal(0) for one in fitted.now if one.start), Decimal(0))
    assert purse.night is None or not started or spent <= purse.night


def test_without_money_for_the_first_that_waited_it_becomes_a_draft_so_that_nothing_waits_for_ever() -> None:
    fitted = what_fits((entry("old", days=1), entry("older", days=2)), (A,), policy(level=3), purse("1", "0.1"), 0)
    assert [(one.entry.id, one.start) for one in fitted.now] == [("older", False), ("old", False)]
    assert [one.id for one in fitted.waiting] == ["a"]
    fitted = what_fits((entry("old", days=1), entry("older", days=2)), (A,), policy(level=3), purse("2", "0.1"), 0)
    assert [(one.entry.id, one.start) for one in fitted.now] == [("older", True)]
    assert [one.id for one in fitted.waiting] == ["old", "a"]


def test_a_draft_needs_no_money() -> None:
    fitted = what_fits((), (A, entry("flaky", Verdict.FLAKY)), policy(level=3), purse("2", "1.9"), 0)
    assert [one.entry.id for one in fitted.now] == ["flaky"]
    assert [one.id for one in fitted.waiting] == ["a"]
