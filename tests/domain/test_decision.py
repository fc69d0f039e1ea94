"""Which human action is taken when, and in which words it is refused."""

from decimal import Decimal

import pytest

from workflows.domain.decision import Action, Decision, Desk, refusal, understood
from workflows.domain.ticket import Phase

PLAN = Desk(phase=Phase.PLAN_GATE, subject="abc123def456")
PUSH = Desk(phase=Phase.PUSH_GATE, subject="e" * 40)
MERGE = Desk(phase=Phase.MERGE_GATE, subject="f" * 40)
BUILDING = Desk(phase=Phase.BUILDING)
PAUSED = Desk(phase=Phase.BUILDING, paused=True)
BLOCKED = Desk(phase=Phase.BLOCKED)
QUESTION = Desk(phase=Phase.QUESTION, subject="abc123def456")
DONE = Desk(phase=Phase.DONE)
ONLY_TOKENS = Desk(phase=Phase.BUILDING, counts_dollars=False)
ONLY_DOLLARS = Desk(phase=Phase.BUILDING, counts_tokens=False)


@pytest.mark.parametrize(
    ("action", "decision", "desk", "words"),
    [
        (Action.APPROVE, Decision(), PLAN, None),  # what the UI's empty box sends
        (Action.APPROVE, Decision(of="abc123def456"), PLAN, None),
        (Action.APPROVE, Decision(of="abc123d"), PLAN, None),  # people shorten hashes
        (Action.APPROVE, Decision(of="abc123"), PLAN, "at least the first 7 digits"),  # a slip, or a guess
        (Action.APPROVE, Decision(of="a"), PLAN, "at least the first 7 digits"),
        (Action.APPROVE, Decision(of="the plan"), PLAN, "at least the first 7 digits"),
        (Action.APPROVE, Decision(of="fffffff"), PLAN, "Stale"),
        (Action.APPROVE, Decision(of="abc123def4567"), PLAN, "Stale"),
        (Action.APPROVE, Decision(of="f" * 12), MERGE, None),  # as it is shown
        (Action.APPROVE, Decision(of="e" * 40), MERGE, f"you saw {'e' * 12}, but {'f' * 12} is waiting"),
        (Action.APPROVE, Decision(of="e" * 12), PUSH, None),
        (Action.APPROVE, Decision(of="f" * 12), PUSH, "Stale"),
        (Action.REQUEST_CHANGES, Decision(), PUSH, "needs a note"),
        (Action.REJECT, Decision(), PUSH, None),
        (Action.APPROVE, Decision(of="r1"), Desk(phase=Phase.MERGE_GATE, subject="r1"), None),
        (Action.APPROVE, Decision(), BUILDING, "Nothing to approve"),
        (Action.APPROVE, Decision(), QUESTION, "Nothing to approve"),
        (Action.REQUEST_CHANGES, Decision(), PLAN, "needs a note"),
        (Action.REQUEST_CHANGES, Decision(note="smaller"), PLAN, None),
        (Action.REJECT, Decision(), PLAN, None),
        (Action.REJECT, Decision(of="fffffff"), PLAN, "Stale: you saw fffffff, but abc123def456 is waiting"),
        (Action.REQUEST_CHANGES, Decision(note="smaller", of="fffffff"), PLAN, "Stale"),
        (Action.REQUEST_CHANGES, Decision(note="smaller", of="abc123d"), PLAN, None),
        (Action.ANSWER, Decision(note="left"), QUESTION, None),
        (Action.ANSWER, Decision(note="left", of="abc123def456"), QUESTION, None),
        (Action.ANSWER, Decision(note="left", of="fffffff"), QUESTION, "Stale"),
        (Action.ANSWER, Decision(note="left", of="the question"), QUESTION, "at least the first 7 digits"),
        (Action.STEER, Decision(note="left", of="fffffff"), QUESTION, None),  # meant for whatever comes next
        (Action.ANSWER, Decision(note="  "), QUESTION, "needs a note"),
        (Action.ANSWER, Decision(note="left"), PLAN, "Nothing to answer"),
        (Action.STEER, Decision(note="use pathlib"), BUILDING, None),
        (Action.STEER, Decision(), BUILDING, "needs a note"),
        (Action.PAUSE, Decision(), BUILDING, None),
        (Action.PAUSE, Decision(), PAUSED, "paused already"),
        (Action.RESUME, Decision(), PAUSED, None),
        (Action.RESUME, Decision(), BLOCKED, None),
        (Action.RESUME, Decision(), BUILDING, "Nothing to resume"),
        (Action.TOP_UP, Decision(usd=Decimal(5)), BUILDING, None),
        (Action.TOP_UP, Decision(), BUILDING, "by how much"),
        (Action.TOP_UP, Decision(usd=Decimal(5)), ONLY_TOKENS, "Dollars would change nothing"),
        (Action.TOP_UP, Decision(tokens=5), ONLY_TOKENS, None),
        (Action.TOP_UP, Decision(tokens=5), ONLY_DOLLARS, "Tokens would change nothing"),
        (Action.TOP_UP, Decision(tokens=5, usd=Decimal(5)), ONLY_DOLLARS, None),
        (Action.TAKE_OVER, Decision(), BUILDING, None),
        (Action.ABORT, Decision(), BLOCKED, None),
        *((action, Decision(note="x", usd=Decimal(1)), DONE, "has ended") for action in Action),
    ],
)
def test_refusal(action: Action, decision: Decision, desk: Desk, words: str | None) -> None:
    said = refusal(action, decision, desk)
    assert said is None if words is None else said is not None and words in said


@pytest.mark.parametrize(
    ("action", "said", "expected"),
    [
        (Action.APPROVE, None, Decision()),
        (Action.ANSWER, "left", Decision(note="left")),
        (Action.APPROVE, {"of": "abc", "by": "Ada"}, Decision(of="abc", by="Ada")),
        (Action.TOP_UP, 5, Decision(usd=Decimal(5))),  # what people type into the UI's box
        (Action.TOP_UP, 2.5, Decision(usd=Decimal("2.5"))),
        (Action.TOP_UP, {"usd": "5"}, Decision(usd=Decimal(5))),
        (Action.TOP_UP, -5, "Not understood"),
        (Action.TOP_UP, True, "Not understood"),
        (Action.TOP_UP, {"tokens": 10**19}, "tokens"),
        (Action.TOP_UP, 1e400, "Not understood"),
        (Action.TOP_UP, float("nan"), "Not understood"),
        (Action.TOP_UP, {"usd": "abc"}, "usd"),
        (Action.TOP_UP, {"usd": "1e400"}, "usd"),
        (Action.APPROVE, 5, "Not understood"),
        (Action.APPROVE, [1], "Not understood"),
        (Action.ANSWER, {"note": 3}, "note"),
        (Action.APPROVE, {"by": "x" * 201}, "by"),
    ],
)
def test_what_people_send_is_understood_or_answered_in_words(
    action: Action, said: object, expected: Decision | str
) -> None:
    decision = understood(action, said)
    if isinstance(expected, str):
        assert isinstance(decision, str)
        assert expected in decision
    else:
        assert decision == expected
