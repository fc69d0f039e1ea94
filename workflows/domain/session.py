"""The session: one agent at work, its orders, its turns and the ways it ends."""

from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from pydantic import Field

from workflows.domain.budget import Spend
from workflows.domain.change import Check, Repository
from workflows.domain.environment import Environment
from workflows.domain.model import Record
from workflows.domain.plan import Plan, PlanDraft, Risk
from workflows.domain.policy import SandboxPolicy
from workflows.domain.pull import Thread
from workflows.domain.review import Review
from workflows.domain.ticket import Attachment, TicketRef
from workflows.domain.triage import TriageReport

Submitted = TypeVar("Submitted", PlanDraft, "WorkDone", Review, TriageReport)


class Role(StrEnum):
    PLANNER = "planner"
    BUILDER = "builder"
    REVIEWER = "reviewer"
    FIXER = "fixer"
    TRIAGER = "triager"

    @property
    def writes(self) -> bool:
        """Whether the role may change files."""
        return self in (Role.BUILDER, Role.FIXER)


class StopReason(StrEnum):
    """The named ways a session is stopped. The value is the sentence people read."""

    TURNS = "it used up its turns"
    SAME_FAILURE = "the same call failed the same way too often"
    NO_CHANGE = "it went on without changing the workspace"
    FORMAT = "its answers could not be read"
    TIME = "it used up its time"
    TOKENS = "it used up its tokens"
    MONEY = "the money is used up"
    REFUSED = "the model refused to answer"


class ThreadAnswer(Record):
    """What a fixer says to the people of one conversation."""

    number: int = Field(ge=1, description="Of the <comments> block.")
    text: str = Field(min_length=1, max_length=2_000)
    fixed: bool = Field(default=False, description="Whether the files now do what was asked.")


class WorkDone(Record):
    """What a builder or fixer session submits."""

    summary: str = Field(min_length=1, max_length=2_000)
    risk: Risk = Risk.MEDIUM
    answers: tuple[ThreadAnswer, ...] = Field(
        default=(), max_length=50, description="One to each <comments> block; none where there is none."
    )


class Submission(Record):
    """Exactly one of the four is set, by role."""

    plan: PlanDraft | None = None
    work: WorkDone | None = None
    review: Review | None = None
    triage: TriageReport | None = None


class WorkspaceOrder(Record):
    """Which files a session works on: the base commit, plus a kept state when there is one."""

    key: str
    """Names the sandbox: the same key is the same sandbox while that lives."""
    ticket: str = ""
    """Whose it is, by the identifier people know."""
    repository: Repository
    state: str | None = None
    """Journal reference of a workspace state: a git bundle of one commit, `refs/pawl/state`, whose parent is
    `repository.base_sha` and whose tree is the workspace. None: the base itself."""
    sandbox: SandboxPolicy = SandboxPolicy()
    environment: Environment = Environment()
    session: str = ""
    """Where the journal keeps what its commands were let reach; empty: under the key."""

    @property
    def journal_session(self) -> str:
        return self.session or self.key


class Brief(Record):
    """What a session is told. Everything long is a journal reference, so histories stay short."""

    ticket: TicketRef
    identifier: str
    title: str
    ticket_text: str
    """Journal reference: the ticket as it was claimed."""
    guide: str = ""
    """Journal reference: the repository's AGENTS.md and WORKFLOW.md prompt text."""
    plan: Plan | None = None
    """The approved plan."""
    failure: str = ""
    """Journal reference: the raw check report of the last strike."""
    diff: str = ""
    """Journal reference: the change a reviewer or fixer looks at."""
    review: Review | None = None
    """What the fixer is to fix."""
    remarks: tuple[str, ...] = ()
    """What people said: feedback on a plan revision, the answer to a question."""
    threads: tuple[Thread, ...] = ()
    """Conversations on the pull request that wait for an answer, cut to size; numbered from 1."""
    checks: tuple[Check, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    """What people put on the ticket."""


class Limits(Record):
    """A session's three hard stops: count, no progress, budget."""

    turns: int = 60
    minutes: int = 60
    same_failure: int = 3
    format_errors: int = 3
    turns_without_change: int = 15
    """Only for roles that write."""
    tokens: int | None = None
    usd: Decimal | None = None


class Track(Record):
    """What the stop rules need to remember of a session, from its first turn on: a question or a top-up in between
    starts nothing anew."""

    turns: int = 0
    seconds: float = 0.0
    """How long its turns took."""
    spend: Spend = Spend()
    same_failure: int = 0
    last_failure: str = ""
    format_errors: int = 0
    turns_without_change: int = 0

    def after(self, report: "TurnReport", seconds: float = 0.0) -> "Track":
        repeated = bool(report.failing_call) and report.failing_call == self.last_failure
        return Track(
            turns=self.turns + 1,
            seconds=self.seconds + seconds,
            spend=self.spend.plus(report.spend),
            same_failure=(self.same_failure + 1 if repeated else 1) if report.failing_call else 0,
            last_failure=report.failing_call,
            format_errors=self.format_errors + 1 if report.format_error else 0,
            turns_without_change=0 if report.changed else self.turns_without_change + 1,
        )


class SessionOrder(Record):
    session: str
    """The session's key in journal and gateway. Built from the ticket's first run id, so a Reset pays nothing again."""
    account: str
    """The ticket's key at the gateway: all its sessions draw on one budget."""
    role: Role
    part: int = 1
    """Which session of its role this is in the ticket: plan revision, strike, review or fix round."""
    model: str
    brief: Brief
    workspace: WorkspaceOrder
    limits: Limits = Limits()
    tier: str = ""
    """The protection its commands run under, for people."""
    track: Track = Track()
    """How far it was when it goes on after a question or a top-up."""
    first_turn: int = 1
    """Above 1 when the session goes on after a question or a top-up."""
    after: str | None = None
    """The turn whose conversation this session continues. Where that turn belongs to another session, this session's
    prompt is the next message of the same conversation."""
    opening: tuple[str, ...] = ()
    """What people said before the first turn: the answer to a question, steering that found no session."""


class TakeTurn(Record):
    """Only what differs from turn to turn. Prompt and files are those of the turn before."""

    session: str
    seq: int
    after: str | None = None
    """The turn before this one, None for the first of a conversation."""
    order: SessionOrder | None = None
    """Given with the first turn of each start of the session, which opens it; says which prompt and which files."""
    steering: tuple[str, ...] = ()
    """What people said since the last turn, in order."""


class TurnEnd(StrEnum):
    WORKING = "working"
    SUBMITTED = "submitted"
    ASKED = "asked"
    REFUSED = "refused"
    MONEY_OUT = "money out"
    """The gateway did not send the call. Nothing was bought; the same turn can be taken again after a top-up."""


class TurnReport(Record):
    """What the workflow learns of a turn: counters and references, never the conversation."""

    turn: str = ""
    """The turn's id in the journal; empty when no call was sent."""
    end: TurnEnd
    summary: str
    """One line for people: `edit slugify/slugify.py; run_checks: tests exited 1`."""
    spend: Spend = Spend()
    state: str | None = None
    """Where the turn changed the workspace: journal reference of its new state; None when that is the base itself."""
    failing_call: str = ""
    """Digest of the failing tool call and its result; empty when no call failed."""
    format_error: bool = False
    changed: bool = False
    """Whether this turn changed the workspace."""
    submission: Submission | None = None
    question: str = ""
    detail: str = ""
    """For REFUSED and MONEY_OUT: what the gateway said, for people."""


class SessionEnd(StrEnum):
    SUBMITTED = "submitted"
    ASKED = "asked"
    STOPPED = "stopped"
    BLOCKED = "blocked"
    """A step failed for good; when the cause is mended the session goes on at the same turn."""
    CANCELLED = "cancelled"
    """Its ticket, or a person in Temporal, stopped it; what it did until then is in the outcome."""


class SessionOutcome(Record):
    end: SessionEnd
    stop: StopReason | None = None
    detail: str = ""
    """What the gateway, the model or the failed step said, for people."""
    submission: Submission | None = None
    question: str = ""
    last_turn: str | None = None
    next_turn: int = 1
    state: str | None = None
    spend: Spend = Spend()
    """Since it was started or went on."""
    track: Track = Track()
    """How far it is; only where it may go on."""
    heard: tuple[str, ...] = ()
    """Steering that reached the agent, each with the turn it reached."""
    unheard: tuple[str, ...] = ()
    """Steering that came too late for this session."""

    def submitted(self, kind: type[Submitted]) -> Submitted:
        """The submission, which must be of this kind: a role's tools let it submit nothing else."""
        said = self.submission or Submission()
        parts = (said.plan, said.work, said.review, said.triage)
        found = next((part for part in parts if isinstance(part, kind)), None)
        if found is None:
            raise TypeError(f"the session submitted no {kind.__name__}")
        return found


class CloseSession(Record):
    session: str
