"""Events from the board: what it means that a person moved a card."""

from workflows.domain.decision import GATES, Action
from workflows.domain.ticket import Phase

_AT_WORK = (Phase.PLANNING, Phase.BUILDING, Phase.REVIEWING)


def phase_of(status: str) -> Phase | None:
    """The phase a column stands for, however people write it: `plan gate`, `PLAN-GATE`, `Canceled`, `to do`.

    None when the column is not one of ours.
    """
    return _PHASES.get(_letters(status))


def meaning_of_move(phase: Phase, to: str) -> Action | None:
    """What a person says by moving the card of a ticket in `phase` into the column `to`; None when it says nothing.

    Moves that would need words (request changes, answer) or dollars (top up) mean nothing by themselves. Nor does
    Blocked, for moving the card back could not be told from its being there. Nor does any move of a card whose ticket
    has ended: Todo there is a fresh start, which is a trigger and not an action.
    """
    target = phase_of(to)
    if target is None or target is phase or phase.is_final:
        return None
    return _MOVES.get((phase, target)) or _MOVES_FROM_ANYWHERE.get(target)


def _letters(status: str) -> str:
    return "".join(character for character in status.lower() if character.isalnum())


_PHASES = {_letters(phase): phase for phase in Phase} | {"canceled": Phase.CANCELLED, "givenup": Phase.GAVE_UP}

_MOVES: dict[tuple[Phase, Phase], Action] = {
    (Phase.PLAN_GATE, Phase.BUILDING): Action.APPROVE,
    (Phase.PUSH_GATE, Phase.REVIEWING): Action.APPROVE,
    (Phase.MERGE_GATE, Phase.DONE): Action.APPROVE,
    **{(gate, Phase.DECLINED): Action.REJECT for gate in GATES},
    **{(Phase.BLOCKED, working): Action.RESUME for working in _AT_WORK},
}

_MOVES_FROM_ANYWHERE: dict[Phase, Action] = {
    Phase.TODO: Action.ABORT,
    Phase.CANCELLED: Action.ABORT,
    Phase.DECLINED: Action.ABORT,
    Phase.GAVE_UP: Action.ABORT,
    Phase.DONE: Action.TAKE_OVER,
    Phase.TAKEN_OVER: Action.TAKE_OVER,
}
