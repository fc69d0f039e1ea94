"""Every name an operator sees: task queue, workflow ids, search attributes."""

import re
from datetime import timedelta
from urllib.parse import quote

from temporalio.common import SearchAttributeKey

from workflows.domain.session import Role
from workflows.domain.ticket import TicketRef

WORK = "pawl"
"""The task queue of every Pawl worker."""
DECISION = timedelta(seconds=2)
"""How long a worker may hold a workflow for one decision: when it dies doing so, another one takes over after this."""

PHASE = SearchAttributeKey.for_keyword("PawlPhase")
REPO = SearchAttributeKey.for_keyword("PawlRepo")
TICKET = SearchAttributeKey.for_keyword("PawlTicket")
NEEDS_PERSON = SearchAttributeKey.for_bool("PawlNeedsPerson")
COST = SearchAttributeKey.for_float("PawlCost")
PULL_REQUEST = SearchAttributeKey.for_keyword("PawlPullRequest")
"""`owner/name#12`, as the forge itself writes the repository's name."""
SCHEDULED = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Temporal's own: for which moment a schedule started a run, also where that was late or a backfill."""
SCHEDULED_BY = SearchAttributeKey.for_keyword("TemporalScheduledById")
"""Temporal's own: the id of the schedule that started a run."""
SEARCH_ATTRIBUTES = (PHASE, REPO, TICKET, NEEDS_PERSON, COST, PULL_REQUEST)


def ticket_workflow_id(ref: TicketRef) -> str:
    """One ticket, one workflow: two triggers cannot start two."""
    return f"ticket:{ref.key}"


def ticket_ref(workflow_id: str) -> TicketRef | None:
    """Whose workflow it is; None where the id is no ticket's."""
    kind, _, key = workflow_id.partition(":")
    tracker, colon, ticket_id = key.partition(":")
    return TicketRef(tracker=tracker, id=ticket_id) if kind == "ticket" and colon else None


def ticket_account(ref: TicketRef, first_run_id: str) -> str:
    """The ticket's key at the gateway and in the journal. It survives Reset and continue-as-new. Of the run's id only
    the end is random: it begins with the time, so that two runs within a minute begin alike."""
    return f"{ref.id}.{first_run_id[-8:]}"


DIGEST = "digest"
"""The schedule that tells what waits for people, and what the ids of its runs begin with."""
SYNC = "sync:"


def sync_id(tracker: str) -> str:
    """The schedule that looks at a tracker, and what the ids of its runs begin with."""
    return f"{SYNC}{tracker}"


TRIAGE = "triage:"
SWEEP = "sweep"
"""The schedule that looks for stale work, and what it starts: there is one."""


def triage_id(repository: str) -> str:
    """By a repository's key: the schedule of its triage, the one triage that runs there at a time, and what its state
    file is called by."""
    return f"{TRIAGE}{repository}"


def night_account(name: str, run: str) -> str:
    """The key of one round of a loop at the gateway and in the journal."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.{run[-8:]}"


def page(ui: str, namespace: str, workflow_id: str) -> str:
    """A run's page in the Temporal UI; empty where that has no address."""
    return f"{ui.rstrip('/')}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}" if ui else ""


def session_key(account: str, role: Role, part: int) -> str:
    return f"{account}.{role}{part}"


def session_workflow_id(session: str) -> str:
    return f"session:{session}"


def workspace_key(account: str) -> str:
    """The sandbox all sessions of the ticket work in."""
    return f"{account}.work"


def checks_key(account: str, role: Role, part: int) -> str:
    """The sandbox in which the orchestrator runs the checks on one attempt."""
    return f"{account}.checks.{role}{part}"


def branch(prefix: str, identifier: str, account: str) -> str:
    """`pawl/eng-1-3f2a9c10`: readable, and another run of the same ticket gets another one."""
    readable = re.sub(r"[^a-z0-9]+", "-", identifier.lower()).strip("-")[:40] or "ticket"
    return f"{prefix}{readable}-{account.rsplit('.', 1)[-1]}"
