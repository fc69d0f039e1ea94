"""Who may decide where, and what happens while nobody does."""

from datetime import UTC, datetime, timedelta

import pytest

from workflows.domain.decision import Action, Decision
from workflows.domain.gates import (
    DAY,
    HOUR,
    Due,
    GateRules,
    Gates,
    GateTerms,
    agenda,
    barred,
    overtaken,
    rules_for,
    seconds_of,
    spelled,
)
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Phase

ADA = Person(place="linear", id="u1", name="Ada", handle="ada@acme.com", trust=Trust.MEMBER)
BOB = Person(place="github", id="2", handle="bob", trust=Trust.MEMBER)
STRANGER = Person(place="github", id="3", handle="ada@acme.com")
UNKNOWN = Person(place="board", id="", name="somebody", trust=Trust.MEMBER)
ONLY_ADA = GateRules(who=("linear:ADA@acme.com",))


@pytest.mark.parametrize(
    ("written", "seconds"), [("30m", 1_800), ("4h", 4 * HOUR), ("2d", 2 * DAY), ("1 w", 7 * DAY), ("Never", 0)]
)
def test_times_are_read(written: str, seconds: int) -> None:
    assert seconds_of(written) == seconds


@pytest.mark.parametrize("written", ["", "4", "0h", "-1h", "4 hours", "1h30m", "9999d", "PT4H", "1.5h", "\u0664h"])
def test_what_is_no_time_is_explained(written: str) -> None:
    with pytest.raises(ValueError, match="such as 30m, 4h or 2d"):
        seconds_of(written)


@pytest.mark.parametrize(
    ("seconds", "said"), [(DAY, "1 day"), (3 * DAY, "3 days"), (36 * HOUR, "36 hours"), (90, "90 seconds")]
)
def test_times_are_spelled(seconds: int, said: str) -> None:
    assert spelled(seconds) == said


def test_a_gate_takes_what_it_does_not_say_from_the_default() -> None:
    gates = Gates(
        default=GateTerms(who=("github:ada",), remind_after=HOUR),
        merge=GateTerms(who=(), operators=False, expire_after=DAY),
    )
    assert gates.at(Phase.MERGE_GATE) == GateRules(operators=False, remind_after=HOUR, expire_after=DAY)
    assert gates.at(Phase.PLAN_GATE) == GateRules(who=("github:ada",), remind_after=HOUR)
    assert gates.at(Phase.BLOCKED) == gates.at(Phase.PLAN_GATE)
    assert Gates.model_validate_json(gates.model_dump_json(exclude_defaults=True)) == gates


@pytest.mark.parametrize(
    ("rules", "steps"),
    [
        (GateRules(), [(DAY, Due.REMIND), (3 * DAY, Due.ESCALATE)]),
        (GateRules(second=("github:bob",)), [(DAY, Due.REMIND), (2 * DAY, Due.SECOND), (3 * DAY, Due.ESCALATE)]),
        (GateRules(remind_after=0, escalate_after=0), []),
        (GateRules(escalate_after=HOUR), [(HOUR, Due.ESCALATE), (DAY, Due.REMIND)]),
        (GateRules(expire_after=2 * DAY), [(DAY, Due.REMIND), (2 * DAY, Due.EXPIRE)]),
        (GateRules(expire_after=DAY), [(DAY, Due.EXPIRE)]),
    ],
)
def test_what_is_due_while_nobody_decides(rules: GateRules, steps: list[tuple[int, Due]]) -> None:
    assert list(agenda(rules)) == steps


@pytest.mark.parametrize(
    ("person", "rules", "words"),
    [
        (None, GateRules(), None),
        (ADA, GateRules(), None),
        (UNKNOWN, GateRules(), None),
        (STRANGER, GateRules(), "members only"),
        (STRANGER, None, "members only"),
        (STRANGER, GateRules(who=("github:3",)), "members only"),  # being named does not make a member
        (ADA, None, None),
        (None, None, None),
        (ADA, ONLY_ADA, None),
        (BOB, ONLY_ADA, "only linear:ADA@acme.com and whoever works in Temporal itself (`pawl`, its UI) may approve"),
        (BOB, ONLY_ADA, "you are github:2 (bob)"),
        (UNKNOWN, ONLY_ADA, "who you are is not known here"),
        (BOB, GateRules(who=("linear:u1",), second=("github:bob",)), None),
        (BOB, GateRules(who=("slack:bob",)), "only slack:bob"),
        (None, ONLY_ADA, None),
        (None, GateRules(who=("linear:u1",), operators=False), "only linear:u1 may approve; not whoever works in"),
        (None, GateRules(operators=False), "members whom a connected service vouches for"),
        (ADA, GateRules(operators=False), None),
    ],
)
def test_who_may_decide(person: Person | None, rules: GateRules | None, words: str | None) -> None:
    said = barred(Action.APPROVE, person, rules)
    assert said is None if words is None else said is not None and words in said


def test_only_decisions_have_rules_and_a_top_up_has_those_of_the_budget() -> None:
    gates = Gates(plan=GateTerms(who=("github:ada",)), budget=GateTerms(who=("github:boss",)))
    for action in (Action.APPROVE, Action.REQUEST_CHANGES, Action.REJECT):
        assert rules_for(action, Phase.PLAN_GATE, gates) == GateRules(who=("github:ada",))
    assert rules_for(Action.TOP_UP, Phase.PLAN_GATE, gates) == GateRules(who=("github:boss",))
    for action in (Action.ANSWER, Action.STEER, Action.PAUSE, Action.RESUME, Action.ABORT, Action.TAKE_OVER):
        assert rules_for(action, Phase.PLAN_GATE, gates) is None


@pytest.mark.parametrize(
    ("action", "decision", "seconds_before", "counts"),
    [
        (Action.APPROVE, Decision(), 60, False),  # found by polling, said to the plan before
        (Action.REQUEST_CHANGES, Decision(note="x"), 60, False),
        (Action.ANSWER, Decision(note="x"), 60, False),
        (Action.APPROVE, Decision(of="abc123d"), 60, True),  # the hash says what was meant
        (Action.APPROVE, Decision(), 4, True),  # clocks differ, and some services round to seconds
        (Action.APPROVE, Decision(), -60, True),
        (Action.APPROVE, Decision(), None, True),  # in Temporal: now
        (Action.ABORT, Decision(), 60, True),
        (Action.STEER, Decision(note="x"), 60, True),
    ],
)
def test_what_was_said_to_something_else_does_not_count(
    action: Action, decision: Decision, seconds_before: int | None, counts: bool
) -> None:
    opened = datetime(2026, 5, 1, tzinfo=UTC)
    at = None if seconds_before is None else opened - timedelta(seconds=seconds_before)
    assert (overtaken(action, decision, at, opened) is None) is counts
