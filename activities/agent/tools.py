"""The tools a model is offered, by role, and how their calls are read."""

from dataclasses import dataclass
from functools import cache

from pydantic import Field, ValidationError
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import ToolDefinition

from activities.agent.transcript import ToolResult
from workflows.domain.model import Record
from workflows.domain.plan import PlanDraft
from workflows.domain.review import Review
from workflows.domain.session import Role, Submission, WorkDone
from workflows.domain.triage import TriageReport


class Bash(Record):
    """Run a shell command at the root of the checkout, in a fresh shell without network. Long output is cut in the
    middle."""

    command: str = Field(min_length=1, max_length=50_000)
    timeout: int = Field(default=120, ge=1, le=600, description="Seconds.")


class View(Record):
    """Read a text file with line numbers, at most 400 lines at a time, or list a folder."""

    path: str = Field(min_length=1, max_length=1_000, description="Relative to the root of the checkout.")
    start: int = Field(default=1, ge=1, description="First line.")
    end: int | None = Field(default=None, ge=1, description="Last line.")


class Search(Record):
    """Find lines that match a regular expression, as path:line:text, at most 100. Without a pattern: list files."""

    pattern: str = Field(default="", max_length=1_000)
    glob: str = Field(default="", max_length=300, description="Only files like this, e.g. *.py or src/**/*.ts.")


class Edit(Record):
    """Replace text in a file. `old` must be in the file exactly once, character by character and without the line
    numbers that view shows; with replace_all every place is replaced. An empty `old` creates a new file."""

    path: str = Field(min_length=1, max_length=1_000, description="Relative to the root of the checkout.")
    old: str = Field(max_length=200_000)
    new: str = Field(max_length=200_000)
    replace_all: bool = False


class RunChecks(Record):
    """Run the repository's checks, the same ones that judge the work after it is submitted."""


class AskHuman(Record):
    """Ask the person behind the ticket. Your work pauses until they answer."""

    question: str = Field(min_length=1, max_length=4_000)


class SubmitPlan(PlanDraft):
    """Submit the plan. This ends your work."""


class SubmitWork(WorkDone):
    """Submit the work as it is in the files, with a summary for the reviewer. This ends your work."""


class SubmitReview(Review):
    """Submit the review: a verdict in words and its findings. This ends your work."""


class SubmitTriage(TriageReport):
    """Submit what you found, the gravest first; no findings where there are none. This ends your work."""


Submit = SubmitPlan | SubmitWork | SubmitReview | SubmitTriage
Arguments = Bash | View | Search | Edit | RunChecks | AskHuman | Submit
_WORK: dict[str, type[Arguments]] = {
    "ask_human": AskHuman,
    "bash": Bash,
    "edit": Edit,
    "run_checks": RunChecks,
    "search": Search,
    "submit": SubmitWork,
    "view": View,
}
_OFFERED: dict[Role, dict[str, type[Arguments]]] = {
    Role.PLANNER: {"ask_human": AskHuman, "search": Search, "submit": SubmitPlan, "view": View},
    Role.BUILDER: _WORK,
    Role.REVIEWER: {"search": Search, "submit": SubmitReview, "view": View},
    Role.FIXER: _WORK,
    Role.TRIAGER: {"search": Search, "submit": SubmitTriage, "view": View},
}


@dataclass(frozen=True)
class Call:
    """A call that could be read."""

    tool: str
    call_id: str
    arguments: Arguments

    @property
    def uses_files(self) -> bool:
        return isinstance(self.arguments, Bash | View | Search | Edit | RunChecks)

    @property
    def may_change_files(self) -> bool:
        return isinstance(self.arguments, Bash | Edit | RunChecks)

    def result(self, text: str, line: str, ok: bool = True) -> ToolResult:
        return ToolResult(tool=self.tool, call_id=self.call_id, text=text, ok=ok, line=line)


@cache
def definitions(role: Role) -> tuple[ToolDefinition, ...]:
    """The role's tools by name: the same list in every request, so that providers' caches hold."""
    return tuple(
        ToolDefinition(
            name=name, description=" ".join((kind.__doc__ or "").split()), parameters_json_schema=_schema(kind)
        )
        for name, kind in _OFFERED[role].items()
    )


def read_call(role: Role, part: ToolCallPart, cut: bool = False) -> Call | ToolResult:
    """The call, or the result that tells the model what is wrong with it. `cut`: the answer reached its length."""
    offered = _OFFERED[role]
    kind = offered.get(part.tool_name)
    if kind is None:
        return _unreadable(part, f"There is no tool {part.tool_name!r}. You have: {', '.join(offered)}.")
    try:
        arguments = kind.model_validate_json(part.args_as_json_str() or "{}")
    except ValidationError as error:
        wrong = [f"- {'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors()[:10]]
        why = "Your answer reached its greatest length and was cut: write less in one answer.\n" if cut else ""
        return _unreadable(part, f"{why}The arguments cannot be used:\n" + "\n".join(wrong))
    return Call(part.tool_name, part.tool_call_id, arguments)


def submission(arguments: Submit) -> Submission:
    """What goes to the workflow, by role."""
    match arguments:
        case SubmitPlan():
            return Submission(plan=PlanDraft(**dict(arguments)))
        case SubmitWork():
            return Submission(work=WorkDone(**dict(arguments)))
        case SubmitReview():
            return Submission(review=Review(**dict(arguments)))
        case SubmitTriage():
            return Submission(triage=TriageReport(**dict(arguments)))


def _unreadable(part: ToolCallPart, text: str) -> ToolResult:
    return ToolResult(
        tool=part.tool_name,
        call_id=part.tool_call_id,
        text=text,
        ok=False,
        valid=False,
        line=f"{part.tool_name[:40]}: unusable call",
    )


def _schema(kind: type[Arguments]) -> dict[str, object]:
    """The arguments' JSON schema without the titles pydantic adds, which only repeat the names."""
    return {key: value for key, value in _untitled(kind.model_json_schema()).items() if key != "description"}


def _untitled(schema: dict[str, object]) -> dict[str, object]:
    return {
        key: _untitled(value) if isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType]
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
