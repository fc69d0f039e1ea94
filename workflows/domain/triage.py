"""Triage: what a repository lets it do, what it finds, and what it remembers from night to night."""

import hashlib
import re
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

from pydantic import Field

from workflows.domain.budget import Spend
from workflows.domain.change import Check
from workflows.domain.gates import DAY, Seconds
from workflows.domain.loop import Round
from workflows.domain.model import Record
from workflows.domain.ticket import TicketRef


class Level(IntEnum):
    """How much triage may do by itself in a repository."""

    REPORT = 1
    """One report, kept up to date."""
    DRAFT = 2
    """Tickets that nobody has started."""
    START = 3
    """Tickets that are started, and wait at their gates."""
    FINISH = 4
    """As START; those of low-risk kinds pass their gates by themselves, each with a line in the audit log."""


class Kind(StrEnum):
    """What sort of thing was found. The value is what people read and write."""

    FAILING_TEST = "failing test"
    FLAKY_TEST = "flaky test"
    BROKEN_BUILD = "broken build"
    LINT = "lint"
    DEPENDENCY = "dependency"
    STALE_PULL_REQUEST = "stale pull request"
    ISSUE = "issue"
    OTHER = "other"


class TriagePolicy(Record):
    """What WORKFLOW.md says under `pawl: triage:`."""

    level: Level = Level.REPORT
    model: str = Field(default="", max_length=200)
    """As `provider:model`, a cheap one; empty: the one of the schedule."""
    commands: tuple[Check, ...] = Field(default=(), max_length=20)
    """What is run every night beside the checks: a linter, a dependency audit, a flaky-test hunt."""
    tries: int = Field(default=5, ge=1, le=20)
    """How often a finding's command is run before anybody hears of it."""
    usd_per_night: Decimal | None = Field(default=Decimal(2), gt=0)
    """What a night may cost, the ceilings of the tickets it starts included."""
    usd_per_finding: Decimal | None = Field(default=Decimal(1), gt=0)
    """The ceiling of a ticket that triage starts."""
    new_tickets: int = Field(default=3, ge=0, le=50)
    """In one night."""
    open_tickets: int = Field(default=10, ge=0, le=500)
    """Of triage, at any time."""
    low_risk: tuple[Kind, ...] = (Kind.LINT,)
    grace: Seconds = 600
    """On level FINISH: how long people can object before a pull request is merged without one; 0: not at all."""
    stale_after: Seconds = 14 * DAY
    """When an open pull request counts as stale."""


class TriageFinding(Record):
    """What a triager submits for one thing that is wrong."""

    kind: Kind
    subject: str = Field(
        min_length=1,
        max_length=300,
        description="What is wrong, by the name that stays the same from night to night: a test's id, path:rule, a "
        "package, a pull request's or an issue's number.",
    )
    title: str = Field(min_length=1, max_length=200)
    detail: str = Field(
        min_length=1, max_length=4_000, description="What happens, where, since when, and the evidence."
    )
    command: str = Field(
        default="",
        max_length=1_000,
        description="A shell line at the root of the checkout that fails as long as this is wrong, narrowed to it.",
    )
    duplicate_of: str = Field(
        default="", max_length=100, description="The known finding's or open ticket's name, where this is the same."
    )


class TriageReport(Record):
    """What a triager session submits: its findings, the gravest first."""

    summary: str = Field(min_length=1, max_length=2_000)
    findings: tuple[TriageFinding, ...] = Field(default=(), max_length=50)


class Verdict(StrEnum):
    """What running a finding's command has shown."""

    CONFIRMED = "fails every time"
    FLAKY = "fails now and then"
    REFUTED = "does not fail"
    UNPROVEN = "cannot be shown by a command"


class Tried(Record):
    """One go at showing a finding."""

    at: datetime
    base: str
    """The commit."""
    runs: int = 0
    failed: int = 0
    verdict: Verdict = Verdict.UNPROVEN
    excerpt: str = Field(default="", max_length=2_000)
    """The last lines of a run that failed, else of the last one."""


class Standing(StrEnum):
    """How a finding stands in the state file. People may write any of them there."""

    WAITING = "waiting"
    """Shown to be true, and did not fit into the night: the first of the next one."""
    REPORTED = "reported"
    TICKETED = "ticketed"
    STARTED = "started"
    REFUTED = "refuted"
    FIXED = "fixed"
    IGNORED = "ignored"
    """A person does not want to hear of it."""

    @property
    def is_open(self) -> bool:
        return self in (Standing.WAITING, Standing.REPORTED, Standing.TICKETED, Standing.STARTED)

    @property
    def has_ticket(self) -> bool:
        """Whether triage has filed a ticket for it alone."""
        return self in (Standing.TICKETED, Standing.STARTED)


class Entry(Record):
    """One finding in the state file."""

    id: str
    kind: Kind
    subject: str
    title: str
    detail: str = ""
    command: str = ""
    standing: Standing
    first_seen: datetime
    last_seen: datetime
    times: int = 1
    """How often it came up anew: after it was fixed, or its ticket closed, it is raised again."""
    tried: tuple[Tried, ...] = ()
    """The newest last, at most 10."""
    ticket: TicketRef | None = None
    identifier: str = ""
    """The ticket's, as people call it."""
    url: str = ""
    elsewhere: bool = False
    """Whether the ticket is somebody else's. As long as it is open the finding is not raised."""
    note: str = ""
    """A person's words. Pawl never writes it."""


class TriageState(Record):
    """What triage knows of one repository: a file that people can read and edit."""

    repository: str
    seen_until: datetime | None = None
    """Everything before was looked at."""
    base: str = ""
    """The commit of the last look."""
    saw: tuple[str, ...] = ()
    """What the last look found of the things that stay from night to night (failing commands, stale pull requests, open
    tickets), as short digests: the same again is nothing new."""
    inbox: TicketRef | None = None
    """The report's ticket, while it is open."""
    inboxes: int = 0
    """How many there have been."""
    told: str = ""
    """Digest of the report as it was last written."""
    findings: tuple[Entry, ...] = ()


class TriageOrder(Record):
    """The start argument of a Triage."""

    name: str = Field(min_length=1, max_length=200)
    """The loop's, and that of the state file: `triage:shop-3f2a`."""
    repository: str
    """Path or URL, as a person names it."""
    base_branch: str = ""
    model: str
    """`provider:model`, of the triager where the policy names none, and of the tickets that triage starts."""
    reviewer_model: str = ""
    tracker: str = "board"
    """The connection where the report and the tickets are filed."""
    team: str = ""
    label: str = ""
    """Shown on tickets that are started, for runs whose answers are not a live model's."""
    follow: bool = False
    """Whether the tracker shows an agent at work."""
    ui: str = ""
    """Where people open the Temporal UI; empty: tickets do not link there."""
    at: datetime | None = None
    """The night's moment; None: now."""
    run: str = ""
    """Names the night's account at the gateway; empty: this run's own first id."""


class NightOutcome(Round):
    """The result of a Triage."""

    at: datetime
    silent: bool = False
    """Nobody was told anything: nothing was written, nothing failed, and there was nothing to warn of."""
    asked: bool = False
    """Whether a model was asked."""
    found: int = 0
    """New findings."""
    refuted: int = 0
    known: int = 0
    """Findings that had been raised before, or elsewhere."""
    fixed: int = 0
    waiting: int = 0
    """What did not fit, and is first the next night."""
    tickets: tuple[str, ...] = ()
    """Filed or rewritten, by the names people use."""
    started: tuple[str, ...] = ()
    spend: Spend | None = Spend()
    """What the triager has cost; None: nobody can tell."""
    notebook: str = ""
    """Where people find the state file."""


_SAME_THING = {Kind.FLAKY_TEST: Kind.FAILING_TEST}
"""A test that fails is the same finding whether it does so every time or not."""


def finding_id(kind: Kind, subject: str) -> str:
    """The same for the same thing, however its name was spelled, and whatever a test's id was called."""
    same = Kind.FAILING_TEST if is_test_id(subject) else _SAME_THING.get(kind, kind)
    return hashlib.sha256(f"{same}\n{name_of(subject).casefold()}".encode()).hexdigest()[:10]


def name_of(subject: str) -> str:
    """A subject in the one spelling of many: with slashes, and without quotes, blanks between its parts, `./` in front
    and `()` behind."""
    name = re.sub(r"\s+", " ", subject.replace("\\", "/")).strip("`'\" ")
    return re.sub(r"^(\./+)+|\(\)$", "", re.sub(r" ?(::?) ?", r"\1", name))


def is_test_id(subject: str) -> bool:
    """Whether it is written as test runners write one, `tests/a.py::test_b`."""
    return "::" in subject
