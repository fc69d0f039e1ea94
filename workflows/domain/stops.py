"""Three hard stops on every loop: count, no progress, budget. Each is a rule in one table."""

from workflows.domain.model import Record
from workflows.domain.session import Limits, Role, StopReason, Track


def stop_reason(role: Role, limits: Limits, track: Track) -> StopReason | None:
    """Why a session must not take another turn, or None. Caps are inclusive; the first reason that holds is named."""
    spend = track.spend
    rules = (
        (StopReason.TURNS, track.turns >= limits.turns),
        (StopReason.TIME, track.seconds >= 60 * limits.minutes),
        (StopReason.TOKENS, limits.tokens is not None and spend.tokens >= limits.tokens),
        (StopReason.MONEY, limits.usd is not None and spend.usd >= limits.usd),
        (StopReason.SAME_FAILURE, track.same_failure >= limits.same_failure),
        (StopReason.FORMAT, track.format_errors >= limits.format_errors),
        (StopReason.NO_CHANGE, role.writes and track.turns_without_change >= limits.turns_without_change),
    )
    return next((reason for reason, holds in rules if holds), None)


class Strike(Record):
    """One failed build-test attempt, as far as the rule below looks at it."""

    state: str
    """The workspace state that was tested; empty when nothing was changed."""
    fingerprint: str
    """Digest of the failure text."""


SAME_STRIKES = 3
"""So many equal failures in a row are no progress, whatever the agent changed in between."""


def no_progress(strikes: tuple[Strike, ...]) -> str | None:
    """Why another attempt is pointless, in words, or None: the same files failed again, or the same failure stays."""
    if len(strikes) >= 2 and strikes[-1] == strikes[-2]:
        return "the agent submitted the same files again, and they fail in the same way"
    last = strikes[-SAME_STRIKES:]
    if len(last) == SAME_STRIKES and len({strike.fingerprint for strike in last}) == 1:
        return f"the checks failed {SAME_STRIKES} times in the same way"
    return None
