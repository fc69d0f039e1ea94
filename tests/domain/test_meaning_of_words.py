"""What people's words mean: commands are exact, everything else goes where it is asked for."""

from decimal import Decimal

import pytest

from workflows.domain.decision import Action, Decision
from workflows.domain.events import meaning_of_words
from workflows.domain.ticket import Phase

GATE = Phase.PLAN_GATE


@pytest.mark.parametrize(
    ("phase", "text", "expected"),
    [
        (GATE, "approve", (Action.APPROVE, Decision())),
        (GATE, "  Approve.  ", (Action.APPROVE, Decision())),
        (GATE, "**APPROVE!**", (Action.APPROVE, Decision())),
        (GATE, "`approve`\r\n\r\nNice work.", (Action.APPROVE, Decision(note="Nice work."))),
        (GATE, "approve 3A813EE49004", (Action.APPROVE, Decision(of="3a813ee49004"))),
        (GATE, "approve `3a813ee49004`", (Action.APPROVE, Decision(of="3a813ee49004"))),
        (Phase.BUILDING, "approve", (Action.APPROVE, Decision())),  # refused by the rules, in words
        (GATE, "request changes: Use `pathlib`.", (Action.REQUEST_CHANGES, Decision(note="Use `pathlib`."))),
        (GATE, "Request-change 3a813ee: smaller", (Action.REQUEST_CHANGES, Decision(of="3a813ee", note="smaller"))),
        (GATE, "request changes\nsmaller\nand blue", (Action.REQUEST_CHANGES, Decision(note="smaller\nand blue"))),
        (GATE, "request changes: a\nb", (Action.REQUEST_CHANGES, Decision(note="a\nb"))),
        (GATE, "request changes", (Action.REQUEST_CHANGES, Decision())),
        (GATE, "reject", (Action.REJECT, Decision())),
        (GATE, "Reject: not now", (Action.REJECT, Decision(note="not now"))),
        (Phase.QUESTION, "answer: left", (Action.ANSWER, Decision(note="left"))),
        (Phase.QUESTION, "Left, I think.", (Action.ANSWER, Decision(note="Left, I think."))),
        (Phase.QUESTION, "approve the left one", (Action.ANSWER, Decision(note="approve the left one"))),
        (GATE, "Why not pathlib?", (Action.REQUEST_CHANGES, Decision(note="Why not pathlib?"))),
        (Phase.BUILDING, "Mind the paint.", (Action.STEER, Decision(note="Mind the paint."))),
        (GATE, "steer: Mind the paint.", (Action.STEER, Decision(note="Mind the paint."))),
        (Phase.BUILDING, "pause", (Action.PAUSE, Decision())),
        (Phase.BUILDING, "Stop!", (Action.PAUSE, Decision())),
        (Phase.BUILDING, "resume", (Action.RESUME, Decision())),
        (Phase.BUILDING, "abort", (Action.ABORT, Decision())),
        (Phase.BUILDING, "Take over", (Action.TAKE_OVER, Decision())),
        (Phase.BUILDING, "take-over", (Action.TAKE_OVER, Decision())),
        (Phase.BUILDING, "top up $5", (Action.TOP_UP, Decision(usd=Decimal(5)))),
        (Phase.BUILDING, "Top-up 2.50", (Action.TOP_UP, Decision(usd=Decimal("2.50")))),
        (Phase.BUILDING, "top up 100,000 tokens", (Action.TOP_UP, Decision(tokens=100_000))),
        (GATE, "status", None),
        (GATE, "Status?", None),
        (GATE, "   \n ", None),
    ],
)
def test_words_mean(phase: Phase, text: str, expected: tuple[Action, Decision] | None) -> None:
    assert meaning_of_words(phase, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "I do not approve",
        "approve please",
        "approved",
        "approve or reject?",
        "approve the plan",
        "approve 3a813ee, but without step 2",
        "> approve",
        "do not\napprove",
        "don't approve",
        "I would approve if it were smaller",
        "approve\u200b",
        "yes",
        "LGTM",
        "top up 5 please",
        "top up 1,5",
        "top up -5",
        "top up 5k",
        "top up 5\u00a0000",
        "top up 99999999999",
        "top up \u0665",  # a digit, but of another script
        "please top up 5",
        "I want you to abort",
        "never stop",
    ],
)
@pytest.mark.parametrize("phase", list(Phase))
def test_what_is_nearly_a_command_neither_approves_nor_spends_nor_ends(phase: Phase, text: str) -> None:
    meaning = meaning_of_words(phase, text)
    assert meaning is not None
    if not isinstance(meaning, str):
        assert meaning[0] in (Action.ANSWER, Action.REQUEST_CHANGES, Action.STEER)


@pytest.mark.parametrize(
    "text", ["approve please", "approved", "rejected, sorry", "request changes please", "LGTM", "ok"]
)
def test_what_is_nearly_a_decision_is_asked_again_and_sends_no_plan_back(text: str) -> None:
    meaning = meaning_of_words(GATE, text)
    assert isinstance(meaning, str)
    assert "alone in the first line" in meaning


@pytest.mark.parametrize("text", ["top up", "top up 5 please", "Top up 1,5", "top up 99999999999"])
def test_a_top_up_without_a_clear_amount_is_asked_again(text: str) -> None:
    assert isinstance(meaning_of_words(Phase.BUDGET_GATE, text), str)
