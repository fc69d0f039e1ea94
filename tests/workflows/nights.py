"""Nights of triage in the world in memory: `nights = Nights(client, world)`, `await nights.next()`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import Client

from tests.workflows.world import World, submits
from workflows.domain.change import Check, CheckReport
from workflows.domain.policy import Policy
from workflows.domain.session import Role, TakeTurn
from workflows.domain.ticket import Ticket, TicketRef
from workflows.domain.triage import (
    Entry,
    Kind,
    NightOutcome,
    Standing,
    TriageFinding,
    TriageOrder,
    TriagePolicy,
    TriageReport,
    finding_id,
)
from workflows.ports.forge import CommitSeen, Recent
from workflows.ports.tracker import FileTicket, RewriteTicket
from workflows.triage import Triage

FIRST = datetime(2026, 3, 2, 3, tzinfo=UTC)
SQUEAK = "tests/test_hinge.py::test_squeak"
DOOR = "tests/test_door.py::test_shut"


def finding(subject: str = SQUEAK, kind: Kind = Kind.FAILING_TEST, **more: Any) -> TriageFinding:
    given = {"title": "The hinge squeaks", "detail": "It squeaks when it is cold.", "command": f"try {subject}", **more}
    return TriageFinding.model_validate({"kind": kind, "subject": subject, **given})


def card(identifier: str, title: str, body: str = "") -> Ticket:
    """Somebody's open ticket."""
    ref = TicketRef(tracker="board", id=identifier)
    return Ticket(ref=ref, identifier=identifier, title=title, body=body, status="Todo")


def policy(**triage: Any) -> Policy:
    checks = (Check(name="tests", run="true"),)
    return Policy(checks=checks, triage=TriagePolicy.model_validate(triage))


def red(name: str, fingerprint: str = "f", excerpt: str = "") -> CheckReport:
    summary = f"{name}: exited 1"
    return CheckReport(ok=False, summary=summary, log="sha256:red", fingerprint=fingerprint, excerpt=excerpt)


def finds(world: World, *findings: TriageFinding) -> None:
    """The next triager submits these, because somebody has pushed."""
    world.turns[Role.TRIAGER] = [submits(TriageReport(summary="Looked.", findings=findings))]
    pushed(world)


def pushed(world: World) -> None:
    """A commit came."""
    sha = uuid4().hex + uuid4().hex[:8]
    world.bases = [sha]
    world.recent = Recent(commits=(CommitSeen(sha=sha, at=FIRST, author="Ada", subject="Oil"),))


def quiet(world: World) -> None:
    """Nothing happened since the last night."""
    world.recent = Recent()
    world.turns[Role.TRIAGER] = []


def entry(world: World, subject: str = SQUEAK, kind: Kind = Kind.FAILING_TEST) -> Entry:
    return next(entry for entry in world.state.findings if entry.id == finding_id(kind, subject))


def ignores(world: World, subject: str = SQUEAK) -> None:
    """A person writes it into the state file."""
    of = finding_id(Kind.FAILING_TEST, subject)
    now = {"standing": Standing.IGNORED, "note": "We know."}
    findings = (one.model_copy(update=now if one.id == of else {}) for one in world.state.findings)
    world.state = world.state.model_copy(update={"findings": tuple(findings)})


def meanwhile(world: World, kind: type, happens: Callable[[], None]) -> None:
    """While the next step of that kind is taken."""
    heard = world.heard

    async def hears(request: object) -> None:
        await heard(request)
        if isinstance(request, kind):
            world.heard = heard  # pyright: ignore[reportAttributeAccessIssue]
            happens()

    world.heard = hears  # pyright: ignore[reportAttributeAccessIssue]


def filed(world: World) -> list[FileTicket]:
    return world.of(FileTicket)


def rewritten(world: World) -> list[RewriteTicket]:
    return world.of(RewriteTicket)


def model_calls(world: World) -> int:
    return len(world.of(TakeTurn))


@dataclass
class Nights:
    """One after the other, on one queue; the next one is a day later."""

    client: Client
    queue: str
    name: str = field(default_factory=lambda: f"triage:hinge-{uuid4().hex[:8]}")
    at: datetime = FIRST

    def order(self, **order: Any) -> TriageOrder:
        given = {"name": self.name, "repository": "/srv/hinge", "model": "tape:x", "at": self.at, **order}
        return TriageOrder.model_validate(given)

    async def next(self, **order: Any) -> NightOutcome:
        wanted = self.order(**order)
        self.at += timedelta(days=1)
        return await self.client.execute_workflow(Triage.run, wanted, id=self.name, task_queue=self.queue)


StartNights = Callable[[World], Awaitable[Nights]]
