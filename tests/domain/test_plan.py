"""The plan's hash names what a person approves, and stays what it was."""

import pytest
from pydantic import ValidationError

from workflows.domain.plan import Plan, PlanDraft, Spike

DRAFT = PlanDraft(summary="Mend it", steps=("look", "mend"), acceptance=("it works",))
SPIKE = Spike(question="Who owns the hinge?", why="They decide on the oil.")


def plan(*spikes: Spike) -> Plan:
    return Plan(revision=1, draft=DRAFT.model_copy(update={"spikes": spikes}))


def test_a_plan_without_spikes_has_the_hash_and_the_face_it_had_before_there_were_any() -> None:
    assert plan().hash == "46b62f3e6594"
    assert plan().markdown().endswith("**Done when**\n\n- it works\n")


def test_spikes_are_part_of_what_is_approved_and_are_shown() -> None:
    other = SPIKE.model_copy(update={"why": "Cost."})
    assert len({plan().hash, plan(SPIKE).hash, plan(other).hash, plan(SPIKE, other).hash}) == 4
    assert "- Who owns the hinge? (They decide on the oil.)" in plan(SPIKE).markdown()


def test_there_are_five_at_most() -> None:
    with pytest.raises(ValidationError):
        PlanDraft(summary="s", steps=("a",), acceptance=("b",), spikes=(SPIKE,) * 6)
