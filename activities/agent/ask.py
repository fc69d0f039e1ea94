"""One model call, as the agent asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

Made = tuple[Model, ModelSettings]
"""pydantic-ai's adapter of one provider's API, for one call."""


@dataclass(frozen=True)
class Ask:
    """One model call."""

    model: str
    """`provider:model`."""
    session: str
    seq: int
    token: str
    """The run token: the only credential this side holds."""
    messages: list[ModelMessage]
    tools: Sequence[ToolDefinition]
