"""A session's conversation, put together from its finished turns. Pure: no journal, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)

from activities.agent.enclosures import Picture, first_part
from workflows.domain import prompt
from workflows.domain.change import Check
from workflows.domain.model import Record
from workflows.domain.session import Role, Submission, TurnReport, WorkspaceOrder

BLANK_AT, FULL_AT = 0.6, 0.9
"""Parts of the window: where old tool results are cleared from the view, and where the conversation must end."""
KEPT_TURNS = 8
"""So many of the newest turns always keep their tool results."""
CLEARED = "[This result was cleared to save space. Call the tool again if you need it.]"


class Prompt(Record):
    """A session's rendered prompt, as the journal keeps it, and what else stays the same over its turns."""

    system: str
    message: str
    role: Role
    model: str
    workspace: WorkspaceOrder
    checks: tuple[Check, ...]
    pictures: tuple[Picture, ...] = ()
    """Shown with the message."""


class ToolResult(Record):
    """What came of one tool call. Kept in the journal."""

    tool: str
    call_id: str
    text: str
    """What the model reads."""
    ok: bool = True
    valid: bool = True
    """Whether the call could be read at all."""
    line: str
    """What people read in the turn's summary."""
    submission: Submission | None = None
    question: str = ""


class Turn(Record):
    """A finished turn, as the journal keeps it: with its parents it is the conversation."""

    id: str
    parent: str | None
    session: str
    prompt: str
    """Journal reference of the prompt of the session the turn belongs to."""
    steering: tuple[str, ...]
    """What the agent was told with this turn's request."""
    answer: str
    """Key of the journal entry, of the same session, with the model's answer."""
    results: tuple[str, ...]
    """Keys of the entries with what came of its tool calls, in order."""
    state: str | None
    """The files after the turn, as in WorkspaceOrder."""
    report: TurnReport


@dataclass(frozen=True)
class PastTurn:
    """A finished turn with what it refers to, parsed once."""

    turn: Turn
    answer: ModelResponse
    results: tuple[ToolResult, ...]

    @property
    def size(self) -> int:
        """Tokens the conversation held at this turn, as the provider counted them."""
        return self.answer.usage.input_tokens + self.answer.usage.output_tokens


@dataclass(frozen=True)
class Next:
    """The turn to be taken."""

    prompt: str
    steering: tuple[str, ...]


def dump_answer(answer: ModelResponse) -> str:
    return ModelMessagesTypeAdapter.dump_json([answer]).decode()


def load_answer(text: str) -> ModelResponse:
    return cast(ModelResponse, ModelMessagesTypeAdapter.validate_json(text)[0])


def first_prompt(past: Sequence[PastTurn], now: Next) -> str:
    """The reference of the prompt that the conversation began with."""
    return past[0].turn.prompt if past else now.prompt


def conversation(
    past: Sequence[PastTurn],
    now: Next,
    prompts: Mapping[str, Prompt],
    window: int,
    pictures: Mapping[str, bytes] | None = None,
) -> list[ModelMessage]:
    """The messages of the next request: the first session's prompt, every turn with its results, and what is new.
    `pictures`: the bytes of those in the first prompt, by their references."""
    cleared = cleared_turns([turn.size for turn in past], window)
    steps = [Next(one.turn.prompt, one.turn.steering) for one in past] + [now]
    first = prompts[first_prompt(past, now)]
    messages: list[ModelMessage] = []
    parts: list[ModelRequestPart] = [
        SystemPromptPart(first.system),
        first_part(first.message, first.pictures, pictures or {}),
    ]
    for place, step in enumerate(steps):
        if place and step.prompt != steps[place - 1].prompt:
            parts.append(UserPromptPart(prompts[step.prompt].message))
        if step.steering:
            parts.append(UserPromptPart(prompt.steering(step.steering)))
        messages.append(ModelRequest(parts))
        if place < len(past):
            messages.append(past[place].answer)
            parts = _results(past[place], cleared=place < cleared)
    return messages


def cleared_turns(sizes: Sequence[int], window: int) -> int:
    """How many of the oldest turns show no tool results. It moves in steps of at least KEPT_TURNS, since every move
    costs the provider's cache once."""
    cleared = 0
    for taken, size in enumerate(sizes, start=1):
        if size >= BLANK_AT * window and taken - KEPT_TURNS - cleared >= KEPT_TURNS:
            cleared = taken - KEPT_TURNS
    return cleared


def is_full(sizes: Sequence[int], window: int) -> bool:
    """Whether the conversation has no room for another turn, and nothing more can be cleared now."""
    return (
        bool(sizes)
        and sizes[-1] >= FULL_AT * window
        and cleared_turns(sizes, window) == cleared_turns(sizes[:-1], window)
    )


def _results(past: PastTurn, cleared: bool) -> list[ModelRequestPart]:
    results = past.results
    if not results and not past.answer.tool_calls:
        return [UserPromptPart(prompt.REMINDER)]
    if not results:  # a refusal: providers want an answer to every call all the same
        return [
            ToolReturnPart(call.tool_name, "Not run.", tool_call_id=call.tool_call_id)
            for call in past.answer.tool_calls
        ]
    return [
        ToolReturnPart(
            result.tool,
            CLEARED if cleared else prompt.without_steering(result.text),
            tool_call_id=result.call_id,
            outcome="success" if result.ok else "failed",
        )
        for result in results
    ]
