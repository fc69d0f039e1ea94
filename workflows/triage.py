"""Triage: one night in one repository, from what changed to what people hear of it; silent when there is nothing."""

from typing import Any

from temporalio import workflow

from workflows.domain.triage import NightOutcome, Standing, TriageOrder
from workflows.domain.triage_look import since
from workflows.domain.triage_words import says
from workflows.ports.workspace import DestroyWorkspace, Workspace
from workflows.triage_gathering import Look
from workflows.triage_steps import Failed
from workflows.triage_telling import NightTelling


@workflow.defn(name="Triage")
class Triage(NightTelling):
    """One night. `_night` is the picture in the README; each box is one private method."""

    @workflow.init
    def __init__(self, order: TriageOrder) -> None:
        super().__init__(order)
        self._since = self._at

    @workflow.run
    async def run(self, order: TriageOrder) -> NightOutcome:
        try:
            await self._night()
        except Failed as error:
            self._trouble = self._trouble or str(error)
            await self._keep_what_is_known()
        finally:
            await self._tidy_up()
        return self._outcome()

    async def _night(self) -> None:
        await self._open_notebook()
        if self._was_looked_at():
            return
        await self._open_repository()
        look = await self._look()
        if not self._is_silent(look):
            findings = await self._ask(look)
            await self._verify(findings, look)
            await self._remember()
        await self._hand_on(look)
        await self._end(look)

    def _was_looked_at(self) -> bool:
        """Whether a later night has looked already: a backfill, or one moment that was started twice."""
        self._since = since(self._state, self._at)
        return self._state.seen_until is not None and self._state.seen_until >= self._at

    async def _end(self, look: Look) -> None:
        """Keep the rest, and begin the next night where this one ended; where the triager has read nothing, at the same
        place."""
        cursor: dict[str, Any] = {} if self._told == self._state.told else {"told": self._told}
        if not self._trouble:
            cursor |= {"seen_until": self._at, "base": self._repository.base_sha, "saw": look.stays}
        await self._keep("Close the state file", self._learned.values(), **cursor)

    async def _keep_what_is_known(self) -> None:
        """What was fixed is left out: it is kept when people can read it, and found again."""
        known = [entry for entry in self._learned.values() if entry.standing is not Standing.FIXED]
        try:
            await self._keep("Write down how far it came", known)
        except Failed as error:
            workflow.logger.warning("What the night has learned was not kept: %s", error)

    async def _tidy_up(self) -> None:
        if self._workspace_made:
            destroy = DestroyWorkspace(key=self._files("triager").key)
            await self._attempt(Workspace.destroy_workspace, destroy, Workspace.step("Destroy the sandbox"))

    def _outcome(self) -> NightOutcome:
        learned = self._learned.values()
        fresh = [self._learned[name] for name in self._fresh if name in self._learned]
        warning = "\n".join(self._warnings)
        night = NightOutcome(
            says="",
            at=self._at,
            trouble=self._trouble,
            gone=self._gone,
            warning=warning,
            silent=not (self._written or self._started or self._trouble or warning),
            asked=self._asked,
            found=sum(entry.standing is not Standing.REFUTED for entry in fresh),
            refuted=sum(entry.standing is Standing.REFUTED for entry in fresh),
            known=self._sorted.known,
            fixed=sum(entry.standing is Standing.FIXED for entry in learned),
            waiting=sum(entry.standing is Standing.WAITING for entry in self._state.findings),
            tickets=self._written,
            started=self._started,
            spend=self._spend,
            notebook=self._path,
        )
        said = night.model_copy(update={"says": says(night, self._since)})
        self._show(said.says)
        return said
