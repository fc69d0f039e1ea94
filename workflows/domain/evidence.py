"""What a pull request says of how it was made: who worked with which model, what it took, which checks passed."""

from collections.abc import Callable

from workflows.domain.budget import Spend
from workflows.domain.change import Check
from workflows.domain.order import SessionLine
from workflows.domain.session import Role
from workflows.domain.shown import code
from workflows.domain.words import cost, counted, session_name


def evidence(
    identifier: str,
    sessions: tuple[SessionLine, ...],
    model_of: Callable[[Role], str],
    checks: tuple[Check, ...],
    run: str = "",
) -> str:
    """Markdown. A session's name leads to its conversation in the journal; `run` is where people see the run itself."""
    rows = "\n".join(f"| {' | '.join(_row(identifier, line, model_of))} |" for line in sessions)
    passed = ", ".join(code(check.run) for check in checks)
    total = Spend()
    for line in sessions:
        total = total.plus(line.spend)
    page = f"; step by step it is [the run in Temporal]({run})" if run.startswith(("https://", "http://")) else ""
    return (
        f"**How it was made** ({counted(total.turns, 'turn')}, {cost(total)})\n\n"
        f"| session | model | turns | cost |\n|---|---|---|---|\n{rows}\n\n"
        f"Passed on exactly this tree: {passed or 'no checks'}. "
        f"The whole conversation of a session is kept in the journal: `pawl events SESSION`{page}."
    )


def _row(identifier: str, line: SessionLine, model_of: Callable[[Role], str]) -> tuple[str, ...]:
    name, model = session_name(identifier, line.session), model_of(line.role)
    return code(name), code(model), str(line.spend.turns), cost(line.spend)
