"""Three hard stops on every loop: count, no progress, budget. Each is a rule in one table."""

from datetime import timedelta

from workflows.domain.session import Limits, Role, StopReason, Track


def stop_reason(role: Role, limits: Limits, track: Track, elapsed: timedelta) -> StopReason | None:
    """Why a session must not take another turn, or None. Caps are inclusive; the first reason that holds is named."""
    spend = track.spend
    rules = (
        (StopReason.TURNS, track.turns >= limits.turns),
        (StopReason.TIME, elapsed >= timedelta(minutes=limits.minutes)),
        (StopReason.TOKENS, limits.tokens is not None and spend.tokens >= limits.tokens),
        (StopReason.MONEY, limits.usd is not None and spend.usd >= limits.usd),
        (StopReason.SAME_FAILURE, track.same_failure >= limits.same_failure),
        (StopReason.FORMAT, track.format_errors >= limits.format_errors),
        (StopReason.NO_CHANGE, role.writes and track.turns_without_change >= limits.turns_without_change),
    )
    return next((reason for reason, holds in rules if holds), None)
