"""What a moved card means."""

import pytest

from workflows.domain.decision import Action, Decision, Desk, refusal
from workflows.domain.events import meaning_of_move, phase_of
from workflows.domain.ticket import Phase


@pytest.mark.parametrize(
    ("phase", "to", "expected"),
    [
        (Phase.PLAN_GATE, "Building", Action.APPROVE),
        (Phase.PLAN_GATE, "building", Action.APPROVE),
        (Phase.PUSH_GATE, "Reviewing", Action.APPROVE),
        (Phase.MERGE_GATE, "Done", Action.APPROVE),
        (Phase.PLAN_GATE, "Declined", Action.REJECT),
        (Phase.PUSH_GATE, "Declined", Action.REJECT),
        (Phase.PUSH_GATE, "Building", None),  # changes need words
        (Phase.MERGE_GATE, "Declined", Action.REJECT),
        (Phase.BUILDING, "Declined", Action.ABORT),
        (Phase.BUILDING, "Cancelled", Action.ABORT),
        (Phase.QUESTION, "Canceled", Action.ABORT),
        (Phase.REVIEWING, "Todo", Action.ABORT),
        (Phase.BLOCKED, "Gave up", Action.ABORT),
        (Phase.BUILDING, "Done", Action.TAKE_OVER),
        (Phase.PLAN_GATE, "Done", Action.TAKE_OVER),
        (Phase.MERGE_GATE, "Taken over", Action.TAKE_OVER),
        (Phase.BLOCKED, "Building", Action.RESUME),
        (Phase.BLOCKED, "planning", Action.RESUME),
        (Phase.PLAN_GATE, "Planning", None),  # changes need words
        (Phase.MERGE_GATE, "Building", None),
        (Phase.QUESTION, "Building", None),  # an answer needs words
        (Phase.BUDGET_GATE, "Building", None),  # a top-up needs dollars
        (Phase.BUILDING, "Plan gate", None),
        (Phase.BUILDING, "Blocked", None),  # there would be no way to move it back
        (Phase.PLAN_GATE, "Plan gate", None),
        (Phase.PLAN_GATE, "Someday", None),
        (Phase.PLAN_GATE, "", None),
        (Phase.DONE, "Todo", None),  # a fresh start, not an action
        (Phase.CANCELLED, "Building", None),
    ],
)
def test_a_moved_card_means(phase: Phase, to: str, expected: Action | None) -> None:
    assert meaning_of_move(phase, to) is expected


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("to", list(Phase))
def test_what_a_move_means_is_never_refused_for_want_of_words(phase: Phase, to: Phase) -> None:
    action = meaning_of_move(phase, to)
    if action is not None:
        assert refusal(action, Decision(), Desk(phase=phase, subject="abc")) is None


@pytest.mark.parametrize(
    ("written", "phase"),
    [
        ("Todo", Phase.TODO),
        ("To do", Phase.TODO),
        ("PLAN-GATE", Phase.PLAN_GATE),
        ("plan_gate", Phase.PLAN_GATE),
        (" gave up ", Phase.GAVE_UP),
        ("canceled", Phase.CANCELLED),
        ("In progress", None),
        ("", None),
    ],
)
def test_people_write_a_phase_as_they_like(written: str, phase: Phase | None) -> None:
    assert phase_of(written) is phase
