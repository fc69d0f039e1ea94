"""When a night has nothing to look at: what stays from night to night is known by digests, the rest is new."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from workflows.domain.ticket import Ticket
from workflows.domain.triage import TriageState
from workflows.domain.written import carries

FIRST_LOOK = timedelta(days=7)
"""How far back the first night looks."""
LABEL = "triage"
"""On every ticket that triage files."""
_NEVER_STALE = datetime(1970, 1, 1, tzinfo=UTC)


def since(state: TriageState, at: datetime) -> datetime:
    """Where a night begins to look."""
    return state.seen_until or at - FIRST_LOOK


def stale_before(at: datetime, stale_after: int) -> datetime:
    """Since when nobody may have touched a pull request that counts as stale; `stale_after` in seconds, 0: none is."""
    return at - timedelta(seconds=stale_after) if stale_after else _NEVER_STALE


def what_stays(failing: Iterable[tuple[str, str]], pulls: Iterable[int], tickets: Iterable[Ticket]) -> tuple[str, ...]:
    """Digests of failing commands (name and fingerprint), stale pull requests and other people's open tickets."""
    return tuple(
        sorted(
            {
                *(_digest("command", name, how) for name, how in failing),
                *(_digest("pull", str(number)) for number in pulls),
                *(_digest("ticket", one.ref.key, one.title, one.body) for one in tickets),
            }
        )
    )


def is_anything_new(state: TriageState, base: str, happened: int, stays: tuple[str, ...]) -> bool:
    """Whether there is something that no night before has looked at. `happened`: commits and failed runs since."""
    moved = bool(state.base) and state.base != base
    return bool(happened) or moved or not set(stays) <= set(state.saw)


def is_ours(ticket: Ticket, state: TriageState) -> bool:
    """Whether triage has filed the ticket itself. The label alone says nothing: anybody's template may give it."""
    tickets = (state.inbox, *(entry.ticket for entry in state.findings if not entry.elsewhere))
    return ticket.ref in tickets or (ticket.ours and carries(ticket, (LABEL,)))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
