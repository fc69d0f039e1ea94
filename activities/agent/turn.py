"""One turn's tool calls, each journaled before the next begins, so that a retry does only what is missing."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic_ai.messages import ModelResponse

from activities.agent import files, shell
from activities.agent.files import Write
from activities.agent.tools import (
    AskHuman,
    Bash,
    Call,
    Edit,
    RunChecks,
    Search,
    Submit,
    View,
    read_call,
    submission,
)
from activities.agent.transcript import Prompt, ToolResult
from workflows.domain.model import Record
from workflows.domain.session import TakeTurn, WorkspaceOrder
from workflows.ports.journal import Entry, EntryKind, Journal
from workflows.ports.sandbox import Denied
from workflows.ports.workspace import Checkout

NO_SANDBOX = "none"
_VOLATILE = re.compile(r"0x[0-9a-f]+|\d+(?:[.:]\d+)+|\d+(?:\.\d+)?(?= ?(?:ms|s|sec|seconds)\b)|/tmp/\S+", re.IGNORECASE)


class Intent(Record):
    """A write that was decided. After a crash the same write is repeated; looking for `old` again would fail."""

    path: str
    content: str
    """Journal reference of the file's new content."""
    text: str


@dataclass(frozen=True)
class Start:
    """What a turn starts from: its prompt, by reference and read, and the files as they were left."""

    ref: str
    prompt: Prompt
    state: str | None


@dataclass
class Notebook:
    """What the journal holds of the turn, and the way to add to it. `rows` are the session's entries from this turn's
    number on, as they were when the turn was taken up."""

    journal: Journal
    turn: TakeTurn
    start: Start
    turn_id: str
    rows: dict[str, Entry]

    @property
    def digest(self) -> str:
        """The turn's name in the keys of its entries and in its jobs' ids: `<seq>-<hex>`."""
        return self.turn_id.rpartition("/")[2]

    @property
    def answer_key(self) -> str:
        return f"answer-{self.digest}"

    @property
    def workspace(self) -> WorkspaceOrder:
        """The files as the turn before left them."""
        return self.start.prompt.workspace.model_copy(update={"state": self.start.state})

    async def once(self, kind: EntryKind, key: str, body: str) -> str:
        """Write the entry unless it is there; return the body that counts."""
        entry = Entry(session=self.turn.session, seq=self.turn.seq, kind=kind, key=key, body=body)
        stored = self.rows[key] = await self.journal.put(entry)
        return stored.body

    def known(self, key: str) -> str | None:
        entry = self.rows.get(key)
        return entry.body if entry else None

    async def news(self, key: str) -> str | None:
        """The same, asked of the journal: another worker may have this turn in hand too, taken for dead too early."""
        if key not in self.rows and (entry := await self.journal.get(self.turn.session, key)):
            self.rows[key] = entry
        return self.known(key)

    def strayed(self, instance: str) -> bool:
        """Whether this sandbox has seen tool calls of a turn that is not ours: the ticket was reset to before them."""
        ours = f"-{self.digest}-"
        return any(key.endswith(f"@{instance}") and ours not in key for key in self.rows)


@dataclass(frozen=True)
class Outcome:
    """What came of a turn's calls."""

    results: Mapping[str, ToolResult]
    """By the key of their journal entry, in the order of the calls."""
    state: str | None
    instance: str = NO_SANDBOX


async def carry_out(notebook: Notebook, answer: ModelResponse, open_: Callable[[], Awaitable[Checkout]]) -> Outcome:
    """Run the calls in order, in the checkout that `open_` gives. Raises Gone when its sandbox dies: call again, and
    all are run in the next one, which starts from the state before the turn."""
    state_before = notebook.start.state
    cut = answer.finish_reason == "length"
    calls = [read_call(notebook.start.prompt.role, part, cut) for part in answer.tool_calls]
    if not any(isinstance(call, Call) and call.uses_files for call in calls):
        return Outcome(await _run_all(notebook, calls, None), state_before)
    checkout = await open_()
    results = await _run_all(notebook, calls, checkout)
    if not any(isinstance(call, Call) and call.may_change_files for call in calls):
        return Outcome(results, state_before, checkout.instance)
    try:
        state = await checkout.keep_state(f"{notebook.digest}-state")
    except Denied as error:
        key, last = results.popitem()
        told = f"{last.text}\n\nYour files cannot be kept as they are, and work in them can be lost: {error}"
        unkept = last.model_copy(update={"text": told, "ok": False})
        results[f"{key}-unkept"] = await _result(notebook, f"{key}-unkept", unkept)
        return Outcome(results, state_before, checkout.instance)
    return Outcome(results, state, checkout.instance)


async def _run_all(
    notebook: Notebook, calls: Sequence[Call | ToolResult], checkout: Checkout | None
) -> dict[str, ToolResult]:
    results: dict[str, ToolResult] = {}
    for place, call in enumerate(calls):
        name = f"{notebook.digest}-{place}"
        key = f"tool-{name}@{checkout.instance if checkout else NO_SANDBOX}"
        if known := notebook.known(key):
            results[key] = ToolResult.model_validate_json(known)
            continue
        if isinstance(call, ToolResult):
            result = call
        elif any(before.submission or before.question for before in results.values()):
            result = call.result("Not run: your work had ended before it.", f"{call.tool}: not run", ok=False)
        else:
            result = await _run(notebook, name, key, call, checkout)
        results[key] = await _result(notebook, key, result)
    return results


async def _result(notebook: Notebook, key: str, result: ToolResult) -> ToolResult:
    return ToolResult.model_validate_json(await notebook.once(EntryKind.TOOL, key, result.model_dump_json()))


async def _run(notebook: Notebook, name: str, key: str, call: Call, checkout: Checkout | None) -> ToolResult:
    arguments = call.arguments
    if isinstance(arguments, AskHuman):
        result = call.result("The person is asked; what they say follows.", f"ask_human {arguments.question[:80]}")
        return result.model_copy(update={"question": arguments.question})
    if isinstance(arguments, Submit):
        result = call.result("Submitted.", f"submit: {arguments.summary[:120]}")
        return result.model_copy(update={"submission": submission(arguments)})
    assert checkout is not None  # noqa: S101  # carry_out opens it for every other tool
    match arguments:
        case Bash():
            return await shell.bash(checkout, name, call, arguments)
        case View():
            return await files.view(checkout, name, call, arguments)
        case Search():
            return await shell.search(checkout, name, call, arguments)
        case RunChecks():
            return await shell.run_checks(checkout, name, call, notebook.start.prompt.checks)
        case Edit():
            return await _edit(notebook, name, key, call, arguments, checkout)


async def _edit(notebook: Notebook, name: str, key: str, call: Call, asked: Edit, checkout: Checkout) -> ToolResult:
    """Decide, journal, write: a crash in between leads to the same write again."""
    intent_key = f"intent-{name}@{checkout.instance}"
    known = notebook.known(intent_key)
    if known is None:
        decided = await files.plan_edit(checkout, call, asked)
        if isinstance(decided, Write):
            content = await notebook.journal.keep(decided.data)
            intent = Intent(path=decided.path, content=content, text=decided.text)
            known = await notebook.once(EntryKind.INTENT, intent_key, intent.model_dump_json())
        else:  # unless it was refused for what another worker had written at the same turn by then
            known = await notebook.news(intent_key)
            if known is None:
                return decided
    if done := await notebook.news(key):  # writing again would undo what later calls have made of the file
        return ToolResult.model_validate_json(done)
    intent = Intent.model_validate_json(known)
    try:
        await checkout.write(intent.path, await notebook.journal.load(intent.content))
    except files.REFUSED as error:
        return call.result(f"{intent.path} cannot be written: {error}", f"edit {intent.path}: refused", ok=False)
    return call.result(intent.text, f"edit {intent.path}")


def failing_call(answer: ModelResponse, results: Iterable[ToolResult]) -> str:
    """Digest of the last call that failed and of what it said, without times, addresses and scratch paths; empty when
    none failed."""
    arguments = {part.tool_call_id: part.args_as_json_str() for part in answer.tool_calls}
    failed = [result for result in results if not result.ok]
    if not failed:
        return ""
    last = failed[-1]
    text = "\n".join((last.tool, arguments.get(last.call_id, ""), _VOLATILE.sub("#", last.text)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
