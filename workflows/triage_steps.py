"""How a night takes its steps: what fails for good ends it in words, and what it has learned is kept."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ActivityConfig

from workflows import names
from workflows.domain.triage import Entry, Standing, TriageOrder, TriageState
from workflows.domain.triage_size import carried, in_parts
from workflows.ports.notebook import KeepNotebook, Notebook, OpenNotebook
from workflows.trouble import message_of, to_its_end, type_of

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class Failed(Exception):
    """A step failed for good; the message is for people."""

    def __init__(self, why: str, kind: str = "") -> None:
        super().__init__(why)
        self.kind = kind
        """See domain.failures; empty where it has none."""


class NightSteps:
    """What the boxes of a night are made of."""

    def __init__(self, order: TriageOrder) -> None:
        self._order = order
        self._at = order.at or workflow.now()
        self._account = names.night_account(order.name, order.run or workflow.info().first_execution_run_id)
        self._state = TriageState(repository=order.repository)
        self._path = ""
        self._warnings: list[str] = []
        """What those who keep Pawl running should know although nothing failed."""
        self._seen: dict[str, Entry] = {}
        """The findings as the state file last showed them, by id."""
        self._learned: dict[str, Entry] = {}
        """What is to be kept, by id: entries as they are now."""

    async def _step(
        self,
        method: Callable[[Any, Request], Coroutine[Any, Any, Reply]],
        request: Request,
        config: ActivityConfig,
    ) -> Reply:
        """Take one step. Raises Failed."""
        self._show(config.get("summary") or "")
        try:
            return await workflow.execute_activity_method(method, request, **config)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            raise Failed(message_of(error), type_of(error)) from error

    async def _open_notebook(self) -> None:
        opening = OpenNotebook(name=self._order.name, repository=self._order.repository, at=self._at)
        opened = await self._step(Notebook.open_notebook, opening, Notebook.step("Read what is known"))
        self._path = opened.path
        self._warnings += filter(None, (opened.set_aside, opened.doubt))
        self._see(opened.state)

    def _learn(self, *entries: Entry) -> None:
        self._learned |= {entry.id: entry for entry in entries}

    def _known(self, name: str) -> Entry | None:
        return next((entry for entry in self._state.findings if entry.id == name), None)

    def _as_it_is(self, name: str) -> Entry | None:
        """With what the night has learned; None: a person has deleted it."""
        return self._learned.get(name) or self._known(name)

    async def _keep(self, summary: str, entries: Iterable[Entry], *, always: bool = False, **cursor: Any) -> None:
        """Write what is otherwise than the file has it, and go on with what the file then says: what a person has
        written in it meanwhile holds, also when more is kept later. `always`: also where there is nothing to write."""
        given = {entry.id: entry for entry in entries}
        changed = [entry for entry in given.values() if self._is_news_to_the_file(entry)]
        if not (changed or cursor or always):
            return
        *parts, last = in_parts(changed, self._seen)
        for part in parts:
            await self._keep_part(summary, part)
        await self._keep_part(summary, last, **cursor)
        self._learned = {name: entry for name, entry in self._learned.items() if name not in given or _is_over(entry)}
        self._learn(*(entry for entry in self._state.findings if entry.id in given))

    async def _keep_part(self, summary: str, entries: tuple[Entry, ...], **cursor: Any) -> None:
        keeping = KeepNotebook(
            name=self._order.name,
            repository=self._order.repository,
            seen=tuple(self._seen[entry.id] for entry in entries if entry.id in self._seen),
            entries=entries,
            **cursor,
        )
        self._see(await self._step(Notebook.keep_notebook, keeping, Notebook.step(summary)))

    def _is_news_to_the_file(self, entry: Entry) -> bool:
        seen = self._seen.get(entry.id)
        return seen is None or carried(entry) != carried(seen)

    def _see(self, state: TriageState) -> None:
        """What of a long file is not shown any more is as it was when it was."""
        self._state = state
        self._seen |= {entry.id: entry for entry in state.findings}

    async def _attempt(
        self, method: Callable[[Any, Request], Coroutine[Any, Any, object]], request: Request, config: ActivityConfig
    ) -> None:
        """A step at the end, that a cancellation does not stop and whose failure changes nothing any more."""
        try:
            await to_its_end(workflow.start_activity_method(method, request, **config))
        except ActivityError as error:
            workflow.logger.warning("%s: %s", config.get("summary"), message_of(error))

    def _show(self, what: str) -> None:
        """The page of the run in the Temporal UI."""
        state = f"The state file: `{self._path}`." if self._path else ""
        head = f"**Triage of {self._order.repository}**, the night of {self._at:%Y-%m-%d %H:%M} UTC."
        workflow.set_current_details("\n\n".join(part for part in (head, what, state) if part))


def _is_over(entry: Entry) -> bool:
    """Where the file has it no more, it may have gone to the archive; any other was deleted by a person."""
    return entry.standing in (Standing.FIXED, Standing.REFUTED)
