"""What starts a ticket, what people see of it while it runs, and what it ends with."""

from datetime import datetime
from decimal import Decimal

from pydantic import Field

from workflows.domain.budget import Bill, Spend
from workflows.domain.change import PullRequest
from workflows.domain.decision import DecisionRecord
from workflows.domain.model import Record
from workflows.domain.session import Role
from workflows.domain.ticket import Phase, TicketRef
from workflows.domain.triage import Kind


class TicketOrder(Record):
    """The start argument of a Ticket."""

    ref: TicketRef
    identifier: str
    title: str = ""
    repository: str
    """Path or URL, as a person names it."""
    base_branch: str = ""
    model: str
    """`provider:model` of every role the repository's policy does not name."""
    reviewer_model: str = ""
    usd: Decimal | None = Field(default=None, gt=0)
    """A dollar ceiling that replaces the policy's."""
    version: int | None = None
    """The ticket's version that the trigger saw."""
    label: str = ""
    """Shown on the ticket and the pull request, for runs whose answers are not a live model's."""
    follow: bool = False
    """Whether the tracker is told of every line of the story, for those that show an agent at work."""
    ui: str = ""
    """Where people see the run itself; empty: no link is put on the card."""
    unattended: str = Field(default="", max_length=300)
    """Why its gates may be passed without a person: `WORKFLOW.md at 12ab34: triage level 4, kind lint`. Empty: they may
    not. The policy at the ticket's own base must say so as well, of this kind."""
    kind: Kind | None = None
    """What sort of finding it was filed for; None: for none of triage's."""
    text: str = Field(default="", max_length=64)
    """Digest of the title and text with which an unattended ticket was filed (`text_digest`): where its card has
    another text, or files beside it, people decide. Empty: whatever it says will do."""


class SessionLine(Record):
    """One session in the ticket's story."""

    session: str
    role: Role
    part: int
    ended: str = ""
    """How it ended, in words; empty while it runs."""
    spend: Spend = Spend()


class TicketStatus(Record):
    """The answer of the `status` query: everything `pawl show` and a chat message need."""

    identifier: str
    title: str
    account: str
    phase: Phase
    paused: bool = False
    since: datetime | None = None
    """When it entered the phase."""
    reminded: datetime | None = None
    """When people were last reminded that it waits there."""
    waiting_for: str = ""
    """What a person can do now, as a sentence; empty when nobody is needed."""
    subject: str = ""
    """The hash that waits for approval."""
    plan: str = ""
    """The current plan as Markdown."""
    change: str = ""
    """What of the change waits to be allowed at the push gate, as Markdown."""
    repository: str = ""
    branch: str = ""
    unattended: str = ""
    """By whose leave it may pass gates by itself; empty: it may not."""
    sessions: tuple[SessionLine, ...] = ()
    pull_request: PullRequest | None = None
    spend: Spend = Spend()
    story: tuple[str, ...] = ()
    """What happened so far, one sentence each, oldest first."""
    decisions: tuple[DecisionRecord, ...] = ()
    """What people decided, oldest first."""


class TicketOutcome(Record):
    """The result of a Ticket."""

    identifier: str
    phase: Phase
    summary: str
    plan_hash: str = ""
    approved_by: str = ""
    branch: str = ""
    pull_request: PullRequest | None = None
    strikes: int = 0
    """Attempts that failed the checks."""
    strikes_after: dict[str, int] = Field(default_factory=dict)
    """Attempts on the open pull request, by what asked for them."""
    bill: Bill = Bill()
    decisions: tuple[DecisionRecord, ...] = ()
