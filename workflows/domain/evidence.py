"""What a pull request says of how it was made: who worked with which model, what it took, which checks passed."""

from collections.abc import Callable

from workflows.domain.budget import Spend
from workflows.domain.change import Check
from workflows.domain.order import SessionLine
from workflows.domain.session import Role
from workflows.domain.shown import code
from workflows.domain.words import counted


def evidence(sessions: tuple[SessionLine, ...], model_of: Callable[[Role], str], checks: tuple[Check, ...]) -> str:
    """Markdown. A session's name leads to its conversation in the journal."""
    rows = "\n".join(
        f"| {code(line.session)} | {code(model_of(line.role))} | {line.spend.turns} | {_cost(line.spend)} |"
        for line in sessions
    )
    passed = ", ".join(code(check.run) for check in checks)
    total = Spend()
    for line in sessions:
        total = total.plus(line.spend)
    return (
        f"**How it was made** ({counted(total.turns, 'turn')}, {_cost(total)})\n\n"
        f"| session | model | turns | cost |\n|---|---|---|---|\n{rows}\n\n"
        f"Passed on exactly this tree: {passed or 'no checks'}. "
        "The whole conversation of a session is in the journal: `pawl events SESSION`."
    )


def _cost(spend: Spend) -> str:
    if spend.unpriced:
        return f"${spend.usd:.2f} and {counted(spend.unpriced, 'call')} without a price"
    return f"${spend.usd:.2f}" if not spend.recorded_usd else f"${spend.recorded_usd:.2f} on the tape"
