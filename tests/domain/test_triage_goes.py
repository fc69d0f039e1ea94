"""Which goes at a finding are kept, and since when it shows what it shows."""

from datetime import UTC, datetime, timedelta

import pytest

from workflows.domain.triage import Tried, Verdict
from workflows.domain.triage_goes import first_alike, kept, last_telling

C, F, R, U = Verdict.CONFIRMED, Verdict.FLAKY, Verdict.REFUTED, Verdict.UNPROVEN
NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)


def goes(*verdicts: Verdict) -> tuple[Tried, ...]:
    return tuple(
        Tried(at=NOW + timedelta(days=day), base=f"b{day}", runs=5, failed=5 - day % 5, verdict=verdict)
        for day, verdict in enumerate(verdicts)
    )


@pytest.mark.parametrize(
    ("verdicts", "first", "last"),
    [
        ((C,), "b0", "b0"),
        ((C, C, C), "b0", "b2"),
        ((C, R, C, C), "b2", "b3"),
        ((F, U, F, U), "b0", "b2"),
        ((F, F, R), "b0", "b1"),
        ((U, U), None, None),
        ((), None, None),
    ],
)
def test_since_when_it_shows_the_same(verdicts: tuple[Verdict, ...], first: str | None, last: str | None) -> None:
    found, telling = first_alike(goes(*verdicts)), last_telling(goes(*verdicts))
    assert (found and found.base, telling and telling.base) == (first, last)


def test_ten_are_kept_and_the_first_that_showed_the_same_is_one_of_them() -> None:
    assert [go.base for go in kept(goes(R, *[C] * 13))] == ["b1", *(f"b{n}" for n in range(5, 14))]
    assert [go.base for go in kept(goes(*[C, R] * 6))] == [f"b{n}" for n in range(2, 12)]
    assert [go.base for go in kept(goes(*[U] * 12))] == [f"b{n}" for n in range(2, 12)]
    assert kept(kept(goes(*[C] * 20))) == kept(goes(*[C] * 20))
