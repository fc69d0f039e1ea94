"""What a night looks at: what changed since the last one, what is open, and which commands fail."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow

from workflows import names
from workflows.domain.change import Check, CheckReport, Repository
from workflows.domain.failures import Failure
from workflows.domain.session import WorkspaceOrder
from workflows.domain.ticket import Ticket, TicketRef
from workflows.domain.triage import Standing, TriageOrder, TriagePolicy
from workflows.domain.triage_look import is_anything_new, is_ours, since, stale_before, what_stays
from workflows.ports.context import Context, GatherContext, GatheredContext
from workflows.ports.forge import FindRecent, Forge, OpenRepository, Recent
from workflows.ports.tracker import ListOpen, Tracker
from workflows.ports.workspace import RunChecks, Workspace
from workflows.triage_steps import Failed, NightSteps

LOOKING = timedelta(hours=4)
"""How long a night begins one command after the other. With `triage_finding.TRYING` it stays far below the time after
which the loop ends a night."""


@dataclass(frozen=True)
class Look:
    """All that a night found, before anybody thinks about it."""

    recent: Recent
    tickets: tuple[Ticket, ...]
    """Open ones that triage has not filed itself."""
    failing: tuple[CheckReport, ...]
    said: str
    """By those that the policy has run beside the checks."""
    stays: tuple[str, ...]
    """Digests of what may be there on the next night as well."""
    complete: bool
    """Whether these are all that are open."""
    left_out: tuple[str, ...]


class NightGathering(NightSteps):
    """The first half of a night: no model is asked, and nobody is told anything."""

    def __init__(self, order: TriageOrder) -> None:
        super().__init__(order)
        self._gone = ""
        self._opened: tuple[Repository, GatheredContext] | None = None

    @property
    def _repository(self) -> Repository:
        return self._ground[0]

    @property
    def _policy(self) -> TriagePolicy:
        return self._ground[1].policy.triage

    @property
    def _context(self) -> GatheredContext:
        return self._ground[1]

    @property
    def _ground(self) -> tuple[Repository, GatheredContext]:
        if self._opened is None:
            raise RuntimeError("the repository is not open yet")
        return self._opened

    async def _open_repository(self) -> None:
        """The base as it is now, and what its WORKFLOW.md lets triage do."""
        order = self._order
        opening = OpenRepository(url=order.repository, base_branch=order.base_branch)
        try:
            repository = await self._step(Forge.open_repository, opening, Forge.step(f"Open {order.repository}"))
        except Failed as error:
            if error.kind == Failure.REPOSITORY_NOT_FOUND:
                self._gone = str(error)
            raise
        nobodys = Ticket(
            ref=TicketRef(tracker="triage", id=order.name), identifier=order.name, title=self._title, status=""
        )
        gather = GatherContext(ticket=nobodys, repository=repository)
        context = await self._step(Context.gather_context, gather, Context.step("Read policy and guide"))
        self._opened = repository, context

    @property
    def _title(self) -> str:
        return f"Triage of {self._order.repository}, {self._at:%Y-%m-%d}"

    def _files(self, name: str) -> WorkspaceOrder:
        """A checkout of the base, in a sandbox of its own."""
        return WorkspaceOrder(
            key=f"{self._account}.{name}",
            ticket=self._order.name,
            repository=self._repository,
            sandbox=self._context.policy.sandbox,
            environment=self._context.environment,
            session=names.workspace_key(self._account),
        )

    async def _look(self) -> Look:
        order, begin = self._order, since(self._state, self._at)
        before = stale_before(self._at, self._policy.stale_after)
        search = FindRecent(repository=self._repository, since=begin, stale_before=before)
        recent = await self._step(Forge.find_recent, search, Forge.step(f"Find what happened since {begin:%Y-%m-%d}"))
        listing = ListOpen(tracker=order.tracker, team=order.team)
        listed = await self._step(Tracker.list_open, listing, Tracker.step("List the open tickets"))
        tickets = tuple(ticket for ticket in listed.tickets if not is_ours(ticket, self._state))
        failing, not_run = await self._run_all()
        self._warnings += not_run
        return Look(
            recent=recent,
            tickets=tickets,
            failing=tuple(report for _, report in failing),
            said="\n".join(report.excerpt for check, report in failing if check in self._policy.commands),
            stays=what_stays(
                ((check.name, report.fingerprint or report.summary) for check, report in failing),
                (pull.number for pull in recent.pulls),
                tickets,
            ),
            complete=listed.complete,
            left_out=(*not_run, *(() if listed.complete else ("More tickets are open than could be listed.",))),
        )

    @property
    def _commands(self) -> tuple[Check, ...]:
        """The repository's checks, and what its policy has run every night beside them."""
        return (*self._context.policy.checks, *self._policy.commands)

    async def _run_all(self) -> tuple[list[tuple[Check, CheckReport]], tuple[str, ...]]:
        """The commands that fail; and, as a sentence, those that there was no time for."""
        commands, until = self._commands, workflow.now() + LOOKING
        failing = list[tuple[Check, CheckReport]]()
        for number, check in enumerate(commands):
            if workflow.now() >= until:
                left = ", ".join(one.name for one in commands[number:])
                return failing, (f"There was no time to run {left}: those before took too long.",)
            if not (report := await self._run(check)).ok:
                failing.append((check, report))
        return failing, ()

    async def _run(self, check: Check) -> CheckReport:
        """One command in a fresh checkout of the base, so that none of them sees what another has left."""
        name = f"night{self._commands.index(check) + 1}"
        running = RunChecks(key=f"{self._account}.{name}", workspace=self._files(name), checks=(check,))
        return await self._step(Workspace.run_checks, running, Workspace.step(f"Run {check.name}"))

    def _is_news(self, look: Look) -> bool:
        """Whether a night before has not looked at it. What came after the night's moment is new to the next one, which
        begins to look there; a commit is told before by the base that it moved."""
        happened = sum(one.at <= self._at for one in (*look.recent.commits, *look.recent.runs))
        return is_anything_new(self._state, self._repository.base_sha, happened, look.stays)

    def _is_silent(self, look: Look) -> bool:
        """Nothing new, and nothing left over from the night before."""
        waits = any(entry.standing is Standing.WAITING for entry in self._state.findings)
        return not waits and not self._is_news(look)
