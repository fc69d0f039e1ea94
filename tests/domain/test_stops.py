"""The three hard stops, as tables."""

from decimal import Decimal

import pytest

from workflows.domain.budget import Spend
from workflows.domain.session import Limits, Role, StopReason, Track, TurnEnd, TurnReport
from workflows.domain.stops import Strike, no_progress, stop_reason

LIMITS = Limits(
    turns=5, minutes=10, same_failure=3, format_errors=3, turns_without_change=4, tokens=100, usd=Decimal(1)
)


@pytest.mark.parametrize(
    ("role", "track", "expected"),
    [
        (Role.BUILDER, Track(), None),
        (Role.BUILDER, Track(turns=4), None),
        (Role.BUILDER, Track(turns=5), StopReason.TURNS),  # the cap is inclusive
        (Role.BUILDER, Track(seconds=600), StopReason.TIME),
        (Role.BUILDER, Track(spend=Spend(input_tokens=60, output_tokens=39)), None),
        (Role.BUILDER, Track(spend=Spend(input_tokens=60, output_tokens=40)), StopReason.TOKENS),
        (Role.BUILDER, Track(spend=Spend(usd=Decimal("0.99"))), None),
        (Role.BUILDER, Track(spend=Spend(usd=Decimal(1))), StopReason.MONEY),
        (Role.BUILDER, Track(same_failure=3), StopReason.SAME_FAILURE),
        (Role.BUILDER, Track(format_errors=3), StopReason.FORMAT),
        (Role.BUILDER, Track(turns_without_change=4), StopReason.NO_CHANGE),
        (Role.REVIEWER, Track(turns_without_change=4), None),  # who may not write need not change anything
        (Role.BUILDER, Track(turns=5, same_failure=3), StopReason.TURNS),  # the first that holds is named
    ],
)
def test_stop_reason(role: Role, track: Track, expected: StopReason | None) -> None:
    assert stop_reason(role, LIMITS, track) is expected


def report(failing: str = "", *, changed: bool = False, format_error: bool = False) -> TurnReport:
    return TurnReport(end=TurnEnd.WORKING, summary="", failing_call=failing, changed=changed, format_error=format_error)


@pytest.mark.parametrize(
    ("reports", "same_failure", "without_change", "format_errors"),
    [
        ([report("a"), report("a")], 2, 2, 0),
        ([report("a"), report("b")], 1, 2, 0),  # another failure is progress of a kind
        ([report("a"), report()], 0, 2, 0),
        ([report("a"), report(changed=True)], 0, 0, 0),
        ([report(format_error=True), report(format_error=True)], 0, 2, 2),
        ([report(format_error=True), report()], 0, 2, 0),
    ],
)
def test_track_counts_what_repeats(
    reports: list[TurnReport], same_failure: int, without_change: int, format_errors: int
) -> None:
    track = Track()
    for said in reports:
        track = track.after(said)
    assert (track.same_failure, track.turns_without_change, track.format_errors) == (
        same_failure,
        without_change,
        format_errors,
    )


@pytest.mark.parametrize(
    ("strikes", "words"),
    [
        ("s1:a", None),
        ("s1:a s2:b", None),
        ("s1:a s2:a", None),
        ("s1:a s1:a", "same files"),
        ("s1:a s1:b", None),  # a flaky check is not the agent's standstill
        ("s1:a s2:a s3:a", "3 times"),
        ("s1:b s2:a s3:a", None),
        ("s1:a s2:b s3:a", None),
    ],
)
def test_no_progress(strikes: str, words: str | None) -> None:
    pairs = [strike.split(":") for strike in strikes.split()]
    said = no_progress(tuple(Strike(state=state, fingerprint=fingerprint) for state, fingerprint in pairs))
    assert said is None if words is None else said is not None and words in said
