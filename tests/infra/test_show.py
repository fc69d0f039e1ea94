"""`pawl show` for people: what was paid, what a tape was worth, and what can be typed now."""

import io
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console as Terminal

from infra.client import TicketLine
from infra.commands.tickets import Story, tell
from workflows.domain.budget import TOKENS_OUT, Spend
from workflows.domain.decision import Action, DecisionRecord
from workflows.domain.order import SessionLine, TicketOutcome, TicketStatus
from workflows.domain.session import Role
from workflows.domain.ticket import Phase
from workflows.domain.words import waiting_for

LINE = TicketLine(
    identifier="ENG-1",
    title="A ticket",
    workflow_id="ticket:board:ENG-1",
    run_id="r",
    phase="Building",
    repository="/r",
    usd=0.0,
    needs_person=False,
    started=datetime(2026, 1, 1, tzinfo=UTC),
    ended=None,
)
COUNTED = Spend(turns=1, input_tokens=900, output_tokens=100)


def told(status: TicketStatus, line: TicketLine = LINE, **sessions: Spend) -> str:
    return printed(Story(ticket=line, status=status, sessions={f"a.{role}1": one for role, one in sessions.items()}))


def printed(story: Story) -> str:
    terminal = Terminal(file=io.StringIO(), width=200)
    with terminal.capture() as captured:
        tell(terminal, story)
    return captured.get()


def ticket(phase: Phase = Phase.BUILDING, reason: str = "", subject: str = "", *, paused: bool = False) -> TicketStatus:
    lines = tuple(
        SessionLine(session=f"a.{role}1", role=role, part=1, spend=COUNTED) for role in (Role.PLANNER, Role.BUILDER)
    )
    return TicketStatus(
        identifier="ENG-1",
        title="A ticket",
        account="a",
        phase=phase,
        paused=paused,
        waiting_for=waiting_for(phase, reason),
        subject=subject,
        sessions=lines,
    )


def test_what_a_tape_was_worth_is_not_what_was_spent() -> None:
    shown = told(ticket(), planner=COUNTED.model_copy(update={"recorded_usd": Decimal("0.0123")}), builder=COUNTED)
    rows = [line.split() for line in shown.splitlines() if line.startswith(("Session", "a."))]
    assert rows == [
        ["Session", "Turns", "Tokens", "Spent", "On", "the", "tape", "Ended"],
        ["a.planner1", "1", "1,000", "$0.00", "$0.0123", "running"],
        ["a.builder1", "1", "1,000", "$0.00", "$0.00", "running"],
    ]


def test_without_a_tape_only_what_was_spent_is_shown() -> None:
    shown = told(ticket(), planner=COUNTED.model_copy(update={"usd": Decimal("0.5")}))
    rows = [line.split() for line in shown.splitlines() if line.startswith(("Session", "a."))]
    assert rows[0] == ["Session", "Turns", "Tokens", "Spent", "Ended"]
    assert rows[1][3] == "$0.5000"
    assert rows[2] == ["a.builder1", "1", "1,000", "$0.00", "running"], "as the session counted it"


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        (f"{TOKENS_OUT}: ...", "pawl top-up ENG-1 --tokens 100000"),
        ("The money is used up: ...", "top-up ENG-1 --usd 5"),
    ],
)
def test_the_ceiling_that_is_reached_is_the_one_to_raise(reason: str, command: str) -> None:
    assert command in told(ticket(Phase.BUDGET_GATE, reason))


def test_the_hash_to_approve_is_short() -> None:
    assert f"--of {'c' * 12}\n" in told(ticket(Phase.MERGE_GATE, subject="c" * 40))


def test_a_paused_ticket_does_not_look_like_a_working_one() -> None:
    working, paused = told(ticket()), told(ticket(paused=True))
    assert "pawl resume" not in working
    assert "(paused)" not in working
    assert "Building (paused)\n" in paused
    assert "pawl resume ENG-1\n" in paused
    over = told(ticket(Phase.CANCELLED, paused=True), LINE.model_copy(update={"ended": LINE.started}))
    assert not re.search("paused|resume", over)


@pytest.mark.parametrize("phase", [Phase.PLAN_GATE, Phase.BLOCKED])
def test_a_gate_of_a_paused_ticket_can_be_answered_and_resumed(phase: Phase) -> None:
    shown = told(ticket(phase, "It broke.", subject="c" * 40, paused=True))
    assert shown.count("pawl resume ENG-1\n") == 1
    assert ("pawl approve ENG-1" in shown) == (phase is Phase.PLAN_GATE)


DECIDED = (
    DecisionRecord(
        action=Action.REQUEST_CHANGES, phase=Phase.PLAN_GATE, subject="b" * 40, name="[bold]Ada", at=LINE.started
    ),
    DecisionRecord(
        action=Action.APPROVE,
        phase=Phase.PLAN_GATE,
        subject="c" * 40,
        name="Ada",
        who="linear:u-1",
        via="linear",
        at=LINE.started,
    ),
)


def test_who_decided_what_where_and_when_is_shown_with_the_hash() -> None:
    when = f"{LINE.started.astimezone():%b %d %H:%M}"
    wanted = [
        ["request-changes", "Plan gate", "b" * 12, "[bold]Ada", "Temporal", when],
        ["approve", "Plan gate", "c" * 12, "Ada (linear:u-1)", "linear", when],
    ]
    running = Story(ticket=LINE, status=ticket().model_copy(update={"decisions": DECIDED}))
    ended = TicketOutcome(identifier="ENG-1", phase=Phase.DONE, summary="Merged.", decisions=DECIDED)
    for story in (running, Story(ticket=LINE, outcome=ended)):
        lines = [re.split(r"\s{2,}", line.strip()) for line in printed(story).splitlines()]
        assert [line for line in lines if line[0] in ("request-changes", "approve")] == wanted


def test_where_nobody_has_decided_nothing_is_said_of_it() -> None:
    assert "Decided" not in told(ticket())
