"""How often a command fails: one fresh checkout for each run, and what counts as the failure that was meant.

How a run ended is in the journal before its sandbox goes, so that nothing is run twice. A command could print the name
it should fail by and exit: where a run counts, and the command itself has the name, it is run once more with a name
that nothing has. What fails the same way then has only said what it was told.
"""

import asyncio
import hashlib
import io
import re
import time
from collections.abc import Iterator

from activities.workspace.checkouts import SandboxCheckouts, sandbox_key
from activities.workspace.giving_up import is_given_up
from activities.workspace.text import how_it_ended, readable, tail, without_colours
from workflows.domain.fingerprint import fingerprint
from workflows.domain.model import Record
from workflows.domain.session import WorkspaceOrder
from workflows.domain.shown import code
from workflows.ports.journal import Entry, EntryKind, Journal
from workflows.ports.sandbox import ExitReason, Gone, JobView, Sandbox
from workflows.ports.workspace import Runs, TryCommand

_ATTEMPTS = 3
_MOST_SECONDS = 9_000
"""No run is begun that could last longer than this together with those before: the step has three hours."""
_EXCERPT = 2_000
_LONGEST_NAME = 200
_NOT_STARTED = {126: "could not be started", 127: "not found"}
_BY_SIGNAL = range(129, 193)
"""How a shell says that a signal has ended what it ran."""


class Ended(Record):
    """The body of a TRIED entry."""

    reason: ExitReason
    code: int | None
    how: str
    named: bool
    print: str
    """The fingerprint of its output: equal when it failed in the same way."""
    excerpt: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.reason is ExitReason.EXITED and self.code == 0

    @property
    def nothing(self) -> str:
        """Why it says nothing about what the command looks at; empty where it does."""
        if self.reason is not ExitReason.EXITED or self.code is None:
            return self.how
        return _NOT_STARTED.get(self.code, f"ended by signal {self.code - 128}" if self.code in _BY_SIGNAL else "")

    def counts(self, names: str, control: "Ended | None") -> str:
        """Why this run, which did not pass, is no proof; empty where it is one."""
        if self.nothing:
            return self.nothing
        if not self.named:
            return f"{self.how}, and its output does not name {code(names[:_LONGEST_NAME])}"
        if control and (control.reason, control.code, control.print) == (self.reason, self.code, self.print):
            return f"{self.how}, and in the same way with a name that nothing has"
        return ""


class Trials:
    """The runs of one request."""

    def __init__(self, sandbox: Sandbox, checkouts: SandboxCheckouts, journal: Journal, request: TryCommand) -> None:
        self._sandbox, self._checkouts, self._journal = sandbox, checkouts, journal
        self._request, self._command, self._names = request, request.command.run, request.names.strip()

    async def count(self) -> Runs:
        ended: list[Ended] = []
        for number in range(1, self._request.times + 1):
            if ended and sum(run.seconds for run in ended) + self._request.command.timeout_seconds > _MOST_SECONDS:
                break
            ended.append(await self._once(f"try{number}", self._command, self._names))
        control = await self._control(ended)
        against = {number: run.counts(self._names, control) for number, run in enumerate(ended) if not run.passed}
        failed = [ended[number] for number, why in against.items() if not why]
        shown = failed or [ended[number] for number in against] or ended
        return Runs(
            runs=len(ended),
            failed=len(failed),
            broken="" if failed else next(reversed(against.values()), ""),
            excerpt=shown[-1].excerpt,
            seconds=round(sum(run.seconds for run in ended), 1),
        )

    async def _control(self, ended: list[Ended]) -> Ended | None:
        """The command with a name that nothing has, where that can tell anything."""
        nobody = _nobody(self._names)
        command = _whole(self._names).sub(lambda _: nobody, self._command) if self._names else self._command
        if command == self._command or not any(not run.passed and not run.counts(self._names, None) for run in ended):
            return None
        return await self._once("control", command, nobody)

    async def _once(self, run: str, command: str, names: str) -> Ended:
        """One run, unless the journal knows how it ended. Its sandbox is gone afterwards."""
        key = f"{self._request.key}.{run}"
        try:
            known = await self._known(key)
            ended = known or await self._kept(key, await self._run(key, command, names))
        except asyncio.CancelledError:
            if is_given_up():
                await asyncio.shield(self._sandbox.destroy(sandbox_key(key)))
            raise
        await self._sandbox.destroy(sandbox_key(key))
        return ended

    async def _run(self, key: str, command: str, names: str) -> Ended:
        order, seconds = self._order(key), self._request.command.timeout_seconds
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                checkout = await self._checkouts.open(order)
                began = time.monotonic()
                view = await checkout.run_whole("try", command, seconds)
                took = round(time.monotonic() - began, 3)
                how = how_it_ended(view.reason or ExitReason.GONE, view.code, seconds, order.sandbox)
                return await asyncio.to_thread(self._judged, view, how, took, command, names)
            except Gone:
                if attempt == _ATTEMPTS:
                    raise
                if known := await self._known(key):  # another worker has seen it to its end
                    return known
        raise AssertionError("the loop returns or raises")

    def _judged(self, view: JobView, how: str, took: float, command: str, names: str) -> Ended:
        said = readable(view.out, view.truncated)
        as_meant = _whole(names).sub(lambda _: self._names, said) if names != self._names else said
        return Ended(
            reason=view.reason or ExitReason.GONE,
            code=view.code,
            how=how,
            named=not names or _is_named(names, command, view.out),
            print=fingerprint(as_meant),
            excerpt=tail(said, _EXCERPT),
            seconds=took,
        )

    def _order(self, key: str) -> WorkspaceOrder:
        order = self._request.workspace
        limits = order.sandbox.model_copy(update={"seconds": self._request.command.timeout_seconds})
        return order.model_copy(update={"key": key, "sandbox": limits, "session": order.journal_session})

    async def _known(self, key: str) -> Ended | None:
        entry = await self._journal.get(self._request.workspace.journal_session, f"tried-{sandbox_key(key)}")
        return Ended.model_validate_json(entry.body) if entry else None

    async def _kept(self, key: str, ended: Ended) -> Ended:
        session, body = self._request.workspace.journal_session, ended.model_dump_json()
        entry = Entry(session=session, seq=0, kind=EntryKind.TRIED, key=f"tried-{sandbox_key(key)}", body=body)
        return Ended.model_validate_json((await self._journal.put(entry)).body)


def _is_named(names: str, command: str, out: bytes) -> bool:
    """Whether the output has the name as a word of its own, elsewhere than where the command is said back."""
    echoed = tuple(line.strip() for line in command.splitlines() if line.strip())
    wanted = _whole(names)
    return any(wanted.search(line) and not line.rstrip().endswith(echoed) for line in _lines(names, out))


def _lines(names: str, out: bytes) -> Iterator[str]:
    """Those that may have the name, one at a time: a command can write 16 MB of line breaks."""
    if "\n" in names or (names.encode() not in out and b"\x1b" not in out):
        return
    for line in io.BytesIO(out):
        text = without_colours(line.decode(errors="replace"))
        if names in text:
            yield text


def _whole(names: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(names)}(?!\w)")


def _nobody(names: str) -> str:
    """A name of the same shape that nothing has."""
    digest = hashlib.sha256(names.encode()).digest()
    letters = (chr(ord("a") + digest[at % len(digest)] % 26) for at in range(len(names)))
    return "".join(letter if old.isalpha() else old for old, letter in zip(names, letters, strict=True))
