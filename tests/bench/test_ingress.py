"""The ingress benchmark runs, and its verdicts are the documented ones."""

from pathlib import Path

import pytest

from bench.ingress.__main__ import run
from bench.ingress.measure import Arrived, Size, missing
from bench.ingress.plan import Kind
from bench.ingress.results import IngressResults, Run, lines, quantile
from bench.ingress.sender import Answered

FINE = Run(
    name="200/s for 60 s",
    rate=200,
    seconds=60,
    deliveries=12_000,
    again=2_400,
    p50_ms=5,
    p99_ms=249,
    max_ms=300,
    tries=12_000,
    refused=0,
    tickets=1_200,
    signals=7_200,
    given_up=0,
    lost=0,
    duplicated=0,
    told_twice=0,
    cpu_ms=1,
    resident_mb=80,
)


@pytest.mark.server
async def test_a_short_run_loses_nothing_and_starts_nothing_twice(tmp_path: Path) -> None:
    results = await run(tmp_path, [Size(rate=50, seconds=2)])
    (measured,) = results.runs
    assert (measured.deliveries, measured.again) == (100, 20)
    assert (measured.lost, measured.duplicated, measured.told_twice) == (0, 0, 0)
    assert measured.tickets >= 10
    assert measured.signals + measured.tickets == 70
    assert measured.p50_ms > 0
    assert "deliveries" in "\n".join(lines(results))


@pytest.mark.parametrize(
    ("change", "met"),
    [
        ({}, [True, True, True]),
        ({"p99_ms": 250.0}, [True, True, False]),
        ({"lost": 1}, [False, True, True]),
        ({"duplicated": 1}, [True, False, True]),
        ({"away_seconds": 10.0, "p99_ms": 4_000.0}, [True, True]),
    ],
)
def test_targets(change: dict[str, float], met: list[bool]) -> None:
    results = IngressResults(host={"cores": "2"}, runs=(FINE.model_copy(update=change),)).judged()
    assert [target.met for target in results.targets] == met


def test_what_was_taken_and_is_not_there_counts_as_lost() -> None:
    def taken(kind: Kind, issue: str, happening: str = "", *, again: bool = False) -> Answered:
        answered = Answered(
            kind=kind, delivery="d", issue=issue, happening=happening, again=again, due=0, ms=(1,), statuses=(200,)
        )
        return answered.model_copy(update={"taken_at": 1.0})

    arrived = Arrived(runs={"a": 1}, signals={"a comment:1": 1})
    there = [taken(Kind.START, "a"), taken(Kind.WORDS, "a", "comment:1"), taken(Kind.OTHER, "")]
    gone = [taken(Kind.START, "b"), taken(Kind.WORDS, "a", "comment:2")]
    assert missing(there, arrived) == 0
    assert missing([*there, *gone], arrived) == 2


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100)])
def test_quantiles(share: float, value: float) -> None:
    assert quantile(range(100, 0, -1), share) == value
    assert quantile([], share) == 0
