"""What runs show, and what becomes of a finding then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows.domain.triage import Entry, Kind, Standing, Tried, Verdict
from workflows.domain.triage_proof import (
    MOST_TRIED,
    is_proven,
    is_unshown,
    must_name,
    shown,
    shown_again,
    to_try_again,
    verdict,
)

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)


def tried(of: Verdict, base: str = "b1", days: int = 0) -> Tried:
    return Tried(at=NOW + timedelta(days=days), base=base, runs=5, verdict=of)


def entry(kind: Kind = Kind.FAILING_TEST, subject: str = "a::b", **more: Any) -> Entry:
    given: dict[str, Any] = {"standing": Standing.REPORTED, "command": "x", "id": subject, **more}
    return Entry(kind=kind, subject=subject, title="t", first_seen=NOW, last_seen=NOW, **given)


@pytest.mark.parametrize(
    ("runs", "failed", "says"),
    [
        (5, 5, Verdict.CONFIRMED),
        (1, 1, Verdict.CONFIRMED),
        (5, 4, Verdict.FLAKY),
        (5, 1, Verdict.FLAKY),
        (5, 0, Verdict.REFUTED),
        (0, 0, Verdict.UNPROVEN),
    ],
)
def test_the_verdict_is_a_count(runs: int, failed: int, says: Verdict) -> None:
    assert verdict(runs, failed) is says


@pytest.mark.parametrize(
    ("kind", "subject", "name"),
    [
        (Kind.FAILING_TEST, "tests/a.py::test_b", "test_b"),
        (Kind.FLAKY_TEST, "tests/a.py::Class::test_b[1-x/y]", "test_b"),
        (Kind.FAILING_TEST, "`pkg.mod.TestIt.test_b`", "pkg.mod.TestIt.test_b"),
        (Kind.FAILING_TEST, "./tests\\a.py :: test_b()", "test_b"),
        (Kind.OTHER, "tests/a.py::test_b", "test_b"),
        (Kind.LINT, "src/a.py:E501", "E501"),
        (Kind.DEPENDENCY, "leftpad", "leftpad"),
        (Kind.FAILING_TEST, "::", "::"),
        (Kind.BROKEN_BUILD, "make all", ""),
        (Kind.ISSUE, "#12", ""),
        (Kind.STALE_PULL_REQUEST, "7", ""),
        (Kind.OTHER, "whatever", ""),
    ],
)
def test_a_failure_has_to_name_what_it_is_said_to_show(kind: Kind, subject: str, name: str) -> None:
    assert must_name(entry(kind, subject)) == name


@pytest.mark.parametrize(
    ("of", "kind", "standing"),
    [
        (Verdict.CONFIRMED, Kind.FAILING_TEST, Standing.WAITING),
        (Verdict.FLAKY, Kind.FLAKY_TEST, Standing.WAITING),
        (Verdict.REFUTED, Kind.FAILING_TEST, Standing.REFUTED),
        (Verdict.UNPROVEN, Kind.FAILING_TEST, Standing.WAITING),
    ],
)
def test_what_runs_show_is_what_is_told(of: Verdict, kind: Kind, standing: Standing) -> None:
    told = shown(entry(standing=Standing.WAITING), tried(of))
    assert (told.kind, told.standing, len(told.tried)) == (kind, standing, 1)


def test_only_a_test_becomes_flaky() -> None:
    assert shown(entry(Kind.LINT), tried(Verdict.FLAKY)).kind is Kind.LINT
    assert shown(entry(Kind.FLAKY_TEST), tried(Verdict.CONFIRMED)).kind is Kind.FAILING_TEST


def test_what_does_not_fail_any_more_is_fixed_and_a_run_that_says_nothing_changes_nothing() -> None:
    known = entry(tried=(tried(Verdict.CONFIRMED),))
    assert shown_again(known, tried(Verdict.REFUTED)).standing is Standing.FIXED
    assert shown_again(known, tried(Verdict.CONFIRMED)).standing is Standing.REPORTED
    assert shown_again(known, tried(Verdict.UNPROVEN)) == known
    many = entry(tried=tuple(tried(Verdict.CONFIRMED, days=day) for day in range(10)))
    kept = shown_again(many, tried(Verdict.CONFIRMED, days=10)).tried
    assert [one.at.day for one in kept] == [2, *range(4, 13)], "ten: the newest, and since when it is so"


@pytest.mark.parametrize(
    ("goes", "now", "standing"),
    [
        ([(Verdict.FLAKY, "b1")], (Verdict.REFUTED, "b2"), Standing.REPORTED),
        ([(Verdict.FLAKY, "b1"), (Verdict.REFUTED, "b2")], (Verdict.REFUTED, "b3"), Standing.FIXED),
        ([(Verdict.FLAKY, "b1"), (Verdict.REFUTED, "b2")], (Verdict.REFUTED, "b2"), Standing.REPORTED),
        (
            [(Verdict.FLAKY, "b1"), (Verdict.REFUTED, "b2"), (Verdict.UNPROVEN, "b3")],
            (Verdict.REFUTED, "b4"),
            Standing.FIXED,
        ),
        (
            [(Verdict.FLAKY, "b1"), (Verdict.REFUTED, "b2"), (Verdict.FLAKY, "b3")],
            (Verdict.REFUTED, "b4"),
            Standing.REPORTED,
        ),
        ([(Verdict.FLAKY, "b1"), (Verdict.CONFIRMED, "b2")], (Verdict.REFUTED, "b3"), Standing.FIXED),
    ],
)
def test_what_is_flaky_is_fixed_when_two_goes_in_a_row_have_passed_on_different_commits(
    goes: list[tuple[Verdict, str]], now: tuple[Verdict, str], standing: Standing
) -> None:
    known = entry(tried=tuple(tried(*go) for go in goes))
    assert shown_again(known, tried(*now)).standing is standing


@pytest.mark.parametrize(
    ("goes", "waits"),
    [
        ([], True),
        ([(Verdict.CONFIRMED, "b1")], False),
        ([(Verdict.UNPROVEN, "b1")], False),
        ([(Verdict.CONFIRMED, "b1"), (Verdict.REFUTED, "b2")], True),
        ([(Verdict.FLAKY, "b1"), (Verdict.REFUTED, "b2")], False),
        ([(Verdict.FLAKY, "b1"), (Verdict.REFUTED, "b2"), (Verdict.REFUTED, "b3")], True),
    ],
)
def test_what_waits_is_to_be_shown_where_it_was_not_since_it_came_up(
    goes: list[tuple[Verdict, str]], waits: bool
) -> None:
    waiting = entry(standing=Standing.WAITING, tried=tuple(tried(*go) for go in goes))
    assert is_unshown(waiting) is waits
    assert not is_unshown(waiting.model_copy(update={"command": ""}))
    assert not is_unshown(waiting.model_copy(update={"standing": Standing.REPORTED}))


def test_open_ones_that_were_run_on_another_commit_are_run_again_the_longest_ago_first() -> None:
    old, older = (entry(subject=f"s{day}", tried=(tried(Verdict.CONFIRMED, days=day),)) for day in (2, 1))
    left = (
        entry(subject="here", tried=(tried(Verdict.CONFIRMED, "b2"),)),
        entry(subject="never"),
        entry(subject="no command", command="", tried=(tried(Verdict.UNPROVEN),)),
        entry(subject="fixed", standing=Standing.FIXED, tried=(tried(Verdict.REFUTED),)),
        entry(subject="ignored", standing=Standing.IGNORED, tried=(tried(Verdict.CONFIRMED),)),
    )
    assert to_try_again((old, *left, older), "b2") == (older, old)
    many = tuple(entry(subject=f"s{n}", tried=(tried(Verdict.CONFIRMED),)) for n in range(MOST_TRIED + 5))
    assert len(to_try_again(many, "b2")) == MOST_TRIED


def test_proven_is_what_failed_every_time_the_last_time() -> None:
    assert is_proven(entry(tried=(tried(Verdict.FLAKY), tried(Verdict.CONFIRMED))))
    assert not is_proven(entry(tried=(tried(Verdict.CONFIRMED), tried(Verdict.FLAKY))))
    assert not is_proven(entry(command="", tried=(tried(Verdict.CONFIRMED),)))
    assert not is_proven(entry())
