"""Labels as columns, for trackers whose tickets are only open or closed, and labels that ask for work."""

from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import AfterValidator

from workflows.domain.events import phase_of
from workflows.domain.routes import AGENT_TODO
from workflows.domain.ticket import Phase
from workflows.domain.triage_look import LABEL

COLUMN = "pawl: "
"""How the labels begin that are columns: `pawl: Building`."""
_NO_WORK_DONE = frozenset({"not_planned", "duplicate"})


def as_trigger(label: str) -> str:
    """A label that asks for work. Raises ValueError for the one that triage puts on every ticket it files: all of them
    would be started."""
    if label.casefold() == LABEL:
        raise ValueError(
            f"{label!r} cannot be the label that asks for work: triage puts it on all it files. Use another"
        )
    return label


Trigger = Annotated[str, AfterValidator(as_trigger)]


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
