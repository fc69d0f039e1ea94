"""Labels as columns, for trackers whose tickets are only open or closed."""

from collections.abc import Collection, Sequence

from workflows.domain.events import phase_of
from workflows.domain.routes import AGENT_TODO
from workflows.domain.ticket import Phase

COLUMN = "pawl: "
"""How the labels begin that are columns: `pawl: Building`."""
_NO_WORK_DONE = frozenset({"not_planned", "duplicate"})


def column_of(labels: Sequence[str], *, closed: bool, reason: str, trigger: str) -> str:
    """The newest label that is a column, else what being open or closed says, and whether the label `trigger` asks for
    work. `reason` is why it was closed, in GitHub's words."""
    column = next((name.removeprefix(COLUMN) for name in reversed(labels) if name.startswith(COLUMN)), "")
    phase = phase_of(column)
    if closed and not (phase and phase.is_final):
        return Phase.CANCELLED if reason in _NO_WORK_DONE else Phase.DONE
    if column:
        return column
    return AGENT_TODO if trigger and has(labels, trigger) else Phase.TODO


def has(labels: Collection[str], label: str) -> bool:
    return label.casefold() in {name.casefold() for name in labels}
