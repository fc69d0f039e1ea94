"""What our program in a sandbox may answer. The sandbox is not trusted: whoever has become its most powerful user can
answer in the program's place, so each answer is read by a model and has a size."""

import base64
import binascii
from typing import Annotated, Self, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from activities.sandbox.remote.vendor import Said
from workflows.domain.model import Record
from workflows.ports.sandbox import BadSpec, Denied, ExitReason, Transient

MOST_BYTES = 1 << 20
"""Of a job's output, or of a file, in one answer."""
_MOST_CHARS = 2 * MOST_BYTES
"""Of an answer: base64, and room for the rest."""
_MOST_MESSAGE = 500
_ERRORS: dict[str, type[Exception]] = {
    "BadSpec": BadSpec,
    "Denied": Denied,
    "FileNotFoundError": FileNotFoundError,
    "Transient": Transient,
}


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("no text")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


_Data = Annotated[bytes, BeforeValidator(_decoded)]


class Done(Record):
    """It was done, and there is nothing to say."""


class Seen(Record):
    """A job's state and a part of its output."""

    ended: bool
    more: bool
    """There is output that this answer had no room for."""
    out: _Data
    err: _Data
    reason: ExitReason | None = None
    code: int | None = Field(default=None, ge=0, le=255)
    truncated: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        told = len(self.out) + len(self.err)
        if told > MOST_BYTES or (self.ended and self.more and not told):
            raise ValueError("output of another size than was asked for")
        if self.ended != (self.reason is not None):
            raise ValueError("a job has a reason when it has ended")
        if (self.code is not None) != (self.reason in (ExitReason.EXITED, ExitReason.SIGNALLED)):
            raise ValueError("a code goes with an exit or a signal")
        return self


class Taken(Record):
    """A file's bytes, or where they were put."""

    data: _Data | None = None
    staged: str = Field(default="", pattern=r"^(/[A-Za-z0-9._/-]+/out/[0-9a-f]{16})?$")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.data is None) == (not self.staged):
            raise ValueError("neither bytes nor a place, or both")
        return self


class _Failed(Record):
    error: str
    message: str


AnswerT = TypeVar("AnswerT", bound=Record)


class NoAnswer(Transient):
    """Our program is not there any more, or something else answers in its place."""


def read_answer(said: Said, kind: type[AnswerT]) -> AnswerT:
    """Raises what the program says went wrong, and NoAnswer for what it never says."""
    line = said.out.rstrip().rpartition("\n")[2] if len(said.out) <= _MOST_CHARS else ""
    if said.code != 0 or not line.startswith("{"):
        raise NoAnswer(f"Pawl's program in the sandbox did not answer: {plain(said.err or said.out)}")
    try:
        if failed := _failure(line):
            raise failed
        return kind.model_validate_json(line, strict=True)
    except ValidationError as error:
        cause = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise NoAnswer(f"What answers in the sandbox is not Pawl's program: {cause}.") from None


def _failure(line: str) -> Exception | None:
    try:
        failed = _Failed.model_validate_json(line, strict=True)
    except ValidationError:  # it is something else, or nothing that can be read
        return None
    if failed.error not in _ERRORS:
        return NoAnswer(f"What answers in the sandbox is not Pawl's program: {plain(failed.error)}")
    return _ERRORS[failed.error](plain(failed.message))


def plain(text: str) -> str:
    """The end of what was said in the sandbox, without what moves a terminal's cursor or hides in a text."""
    return "".join(letter if letter.isprintable() else " " for letter in text[-_MOST_MESSAGE:]).strip()
