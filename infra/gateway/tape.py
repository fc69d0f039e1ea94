"""Tapes: recorded or scripted model answers, served in the order they were written for."""

import hashlib
import json
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workflows.domain.session import Role

_Parsed = TypeVar("_Parsed", bound="_Line")


class TapeError(Exception):
    """The tape cannot be read; the message names the line."""


class _Line(BaseModel):
    """Everything on a tape is written by people: a key that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TapeRepository(_Line):
    name: str = Field(min_length=1)
    """The repository the answers were made for."""
    commit: str = ""
    """The commit they were made at."""


class Manifest(_Line):
    """The first line: what this is and whom to ask."""

    tape: Literal[1]
    """The version of the format."""
    title: str = Field(min_length=1, max_length=200)
    kind: Literal["scripted", "recorded"]
    """`recorded`: a model really gave these answers. `scripted`: a person wrote them."""
    by: str = Field(min_length=1, max_length=200)
    date: date
    model: str = Field(pattern=r"^[a-z]+:\S+$")
    """`provider:model` that answered, or whose prices a scripted tape is reckoned with."""
    repository: TapeRepository


class TextBlock(_Line):
    type: Literal["text"]
    text: str


class ToolUseBlock(_Line):
    type: Literal["tool_use"]
    name: str = Field(min_length=1)
    input: dict[str, Any]
    id: str = Field(default="", pattern=r"^[A-Za-z0-9_-]*$")
    """Default: made from the answer's place on the tape."""


class TapeUsage(_Line):
    """Tokens as the Messages API counts them: `input_tokens` is what came neither from the cache nor went to it."""

    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    cache_creation_input_tokens: int = Field(default=0, ge=0)
    cache_read_input_tokens: int = Field(default=0, ge=0)


class TapeAnswer(_Line):
    """One model answer. The n-th line of a role and part answers turn n of that role's part-th session."""

    role: Role
    part: int = Field(ge=1)
    content: tuple[Annotated[TextBlock | ToolUseBlock, Field(discriminator="type")], ...] = Field(min_length=1)
    usage: TapeUsage | None = None
    stop_reason: Literal["end_turn", "tool_use", "max_tokens", "refusal"] | None = None
    """Default: `tool_use` when the answer uses a tool, else `end_turn`."""
    expect: tuple[str, ...] = ()
    """Texts that must all occur in the last message of the request."""

    @property
    def stopped(self) -> str:
        uses_tool = any(isinstance(block, ToolUseBlock) for block in self.content)
        return self.stop_reason or ("tool_use" if uses_tool else "end_turn")

    @cached_property
    def size(self) -> int:
        return len(json.dumps([block.model_dump() for block in self.content]))


class Tape(_Line):
    digest: str
    """SHA-256 of the file: `tape:<digest>` is the tape's model name."""
    manifest: Manifest
    answers: tuple[TapeAnswer, ...]

    @cached_property
    def _tracks(self) -> dict[tuple[Role, int], list[TapeAnswer]]:
        tracks: dict[tuple[Role, int], list[TapeAnswer]] = {}
        for answer in self.answers:
            tracks.setdefault((answer.role, answer.part), []).append(answer)
        return tracks

    def answer(self, role: Role, part: int, seq: int) -> TapeAnswer | None:
        """The answer to turn `seq` of the role's part-th session; None when the tape has none."""
        track = self._tracks.get((role, part), [])
        return track[seq - 1] if 1 <= seq <= len(track) else None

    def parts(self, role: Role) -> list[tuple[int, int]]:
        """The role's sessions on the tape with the number of their answers."""
        return [(part, len(track)) for (held, part), track in sorted(self._tracks.items()) if held is role]


def read_tape(data: bytes) -> Tape:
    """Raises TapeError, naming the line and what is wrong with it."""
    lines = [(number, line) for number, line in enumerate(data.splitlines(), start=1) if line.strip()]
    if not lines:
        raise TapeError("The tape is empty. Its first line must be the manifest; see docs/tape.md.")
    manifest = _line(lines[0], Manifest)
    answers = tuple(_line(line, TapeAnswer) for line in lines[1:])
    if not answers:
        raise TapeError("The tape has a manifest and no answers.")
    for (number, _), answer in zip(lines[1:], answers, strict=True):
        if manifest.kind == "recorded" and answer.usage is None:
            raise TapeError(f"line {number}: a recorded tape needs the usage of every answer.")
    return Tape(digest=hashlib.sha256(data).hexdigest(), manifest=manifest, answers=answers)


def _line(numbered: tuple[int, bytes], shape: type[_Parsed]) -> _Parsed:
    number, line = numbered
    try:
        return shape.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TapeError(f"line {number}: {place + ': ' if place else ''}{first['msg']}.") from error
