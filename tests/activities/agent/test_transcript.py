"""How a conversation is put together, cleared and ended. Pure."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from activities.agent.transcript import (
    CLEARED,
    KEPT_TURNS,
    Next,
    PastTurn,
    Prompt,
    ToolResult,
    Turn,
    cleared_turns,
    conversation,
    dump_answer,
    is_full,
    load_answer,
)
from workflows.domain.change import Repository
from workflows.domain.prompt import REMINDER
from workflows.domain.session import Role, TurnEnd, TurnReport, WorkspaceOrder

WINDOW = 1_000
WORKSPACE = WorkspaceOrder(
    key="t.work", repository=Repository(name="hinge", url="/srv/hinge", base_branch="main", base_sha="b" * 40)
)
PROMPTS = {
    ref: Prompt(system="rules", message=message, role=Role.BUILDER, model="tape:x", workspace=WORKSPACE, checks=())
    for ref, message in (("p1", "first"), ("p2", "next strike"))
}


def past(number: int, size: int = 100, prompt: str = "p1", **changes: object) -> PastTurn:
    call = ToolCallPart("view", '{"path": "a"}', tool_call_id=f"c{number}")
    answer = ModelResponse([call], usage=RequestUsage(input_tokens=size - 10, output_tokens=10))
    turn = Turn(
        id=f"s/{number}",
        parent=None,
        session="s",
        prompt=prompt,
        steering=(),
        answer="a",
        results=("r",),
        state=None,
        report=TurnReport(end=TurnEnd.WORKING, summary=""),
    )
    results = (ToolResult(tool="view", call_id=f"c{number}", text=f"result {number}", line="view a"),)
    return PastTurn(turn.model_copy(update=changes), answer, results)


def texts(messages: list[ModelMessage]) -> list[str]:
    """What the model is told, part by part."""
    return [
        str(part.content)
        for message in messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, UserPromptPart | ToolReturnPart)
    ]


def test_every_answer_is_followed_by_its_results() -> None:
    told = conversation([past(1), past(2)], Next("p1", ("mind the gap",)), PROMPTS, WINDOW)
    assert [message.kind for message in told] == ["request", "response", "request", "response", "request"]
    assert texts(told) == ["first", "result 1", "result 2", "<steering>\nmind the gap\n</steering>"]


def test_another_session_of_the_conversation_adds_its_prompt_where_it_began() -> None:
    told = conversation([past(1), past(2, prompt="p2", steering=("s",))], Next("p2", ()), PROMPTS, WINDOW)
    assert texts(told) == ["first", "result 1", "next strike", "<steering>\ns\n</steering>", "result 2"]


def test_an_answer_without_a_call_is_reminded_and_a_refused_call_is_answered() -> None:
    spoke = PastTurn(past(1).turn, ModelResponse([TextPart("done!")]), ())
    refused = PastTurn(past(2).turn, past(2).answer, ())
    assert texts(conversation([spoke, refused], Next("p1", ()), PROMPTS, WINDOW)) == ["first", REMINDER, "Not run."]


def test_an_answer_survives_the_journal_byte_for_byte() -> None:
    text = dump_answer(past(1).answer)
    assert dump_answer(load_answer(text)) == text


@pytest.mark.parametrize(
    ("sizes", "cleared"),
    [
        ([], 0),
        ([590] * 30, 0),  # below 60 %
        ([100] * 15 + [600], 8),  # the first step, once there is enough to clear
        ([100] * 14 + [600], 0),
        ([100] * 15 + [600] + [300] * 10, 8),  # then it stays where it is
        ([100] * 15 + [600] * 8, 8),
        ([100] * 15 + [600] * 9, 16),  # and moves on in one step
    ],
)
def test_old_results_are_cleared_in_big_steps(sizes: list[int], cleared: int) -> None:
    assert cleared_turns(sizes, WINDOW) == cleared


def test_what_is_cleared_keeps_its_pair_and_the_newest_stay() -> None:
    turns = [past(number, 100 if number < 16 else 600) for number in range(1, 17)]
    told = texts(conversation(turns, Next("p1", ()), PROMPTS, WINDOW))
    assert told == ["first"] + [CLEARED] * 8 + [f"result {number}" for number in range(9, 17)]


@pytest.mark.parametrize(
    ("sizes", "full"),
    [
        ([], False),
        ([899], False),
        ([900], True),
        ([100] * 15 + [900], False),  # clearing comes first
        ([100] * 15 + [900, 900], True),
    ],
)
def test_the_conversation_ends_when_nothing_more_can_be_cleared(sizes: list[int], full: bool) -> None:
    assert is_full(sizes, WINDOW) is full


@given(st.lists(st.integers(min_value=0, max_value=1_200), max_size=80))
def test_clearing_only_grows_and_never_reaches_the_newest(sizes: list[int]) -> None:
    steps = [cleared_turns(sizes[:taken], WINDOW) for taken in range(len(sizes) + 1)]
    assert steps == sorted(steps)
    assert all(step <= max(0, taken - KEPT_TURNS) for taken, step in enumerate(steps))
    moves = [later - earlier for earlier, later in pairwise(steps) if later != earlier]
    assert all(move >= KEPT_TURNS for move in moves)
