"""What the agents are told besides the ticket: the repository's policy and guide."""

from abc import abstractmethod
from datetime import datetime, timedelta

from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.change import CheckReport, Repository
from workflows.domain.environment import Environment
from workflows.domain.model import Record
from workflows.domain.policy import Policy
from workflows.domain.ticket import Ticket
from workflows.domain.triage import Entry
from workflows.ports import PATIENT, Port
from workflows.ports.forge import Recent


class GatherContext(Record):
    ticket: Ticket
    repository: Repository


class GatheredContext(Record):
    policy: Policy
    environment: Environment = Environment()
    proposed_flake: str = ""
    """The text of a flake.nix to show to people; empty: none."""
    ticket_text: str
    """Journal reference: the ticket's title, body and labels as they were claimed."""
    guide: str
    """Journal reference: AGENTS.md (else CLAUDE.md) and the prompt text of WORKFLOW.md, cut to size with a notice."""


class GatherEvidence(Record):
    """What triage is to look at, as it was gathered."""

    repository: Repository
    since: datetime
    until: datetime
    recent: Recent
    reports: tuple[CheckReport, ...] = ()
    """Of the checks and commands that were run."""
    open_tickets: tuple[Ticket, ...] = ()
    known: tuple[Entry, ...] = ()
    """Findings of earlier nights."""
    left_out: tuple[str, ...] = ()


class Context(Port):
    """What the agents are told besides the ticket."""

    options = ActivityConfig(start_to_close_timeout=timedelta(minutes=2), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def gather_context(self, request: GatherContext) -> GatheredContext:
        """Read policy and guide at the base commit.

        Raises BadPolicy (with line and key of WORKFLOW.md) and NoChecks (nothing declared, nothing recognised).
        """

    @activity.defn
    @abstractmethod
    async def gather_evidence(self, request: GatherEvidence) -> str:
        """Journal reference of one text with all of it, bounded: the newest first, logs by their ends, and what was cut
        said. Everything in it is strangers' text."""
