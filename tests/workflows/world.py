"""A world in memory for tests of the flows: every port answers as its script says, and remembers what it was asked.

The real adapters have their own contract suites and meet the flows in tests/system; here every branch of a flow is
taken in milliseconds.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from temporalio import activity

from activities.errors import stop
from tests.workflows.notebooks import KEPT, Cards
from tests.workflows.outside import WorldForge, WorldTracker
from workflows.domain.budget import Bill, Budget, Spend
from workflows.domain.change import Change, Check, CheckReport
from workflows.domain.environment import Environment
from workflows.domain.failures import Failure
from workflows.domain.plan import PlanDraft
from workflows.domain.policy import Policy
from workflows.domain.pull import PullSeen, PullState
from workflows.domain.review import Review
from workflows.domain.session import (
    CloseSession,
    Role,
    Submission,
    TakeTurn,
    TurnEnd,
    TurnReport,
    WorkDone,
)
from workflows.domain.ticket import Attachment
from workflows.domain.triage import TriageReport, TriageState
from workflows.ports.agent import Agent
from workflows.ports.context import Context, GatherContext, GatheredContext, GatherEvidence
from workflows.ports.forge import PublishChange, Recent
from workflows.ports.model import Model, OpenAccount, ReadBill, TopUpAccount
from workflows.ports.notify import Digest, Note, Notify
from workflows.ports.tracker import MoveTicket, PostComment, Remark
from workflows.ports.workspace import (
    Carried,
    CarryOver,
    DestroyWorkspace,
    PrepareWorkspace,
    RunChecks,
    Runs,
    TryCommand,
    Workspace,
    WorkspaceReady,
)

PLAN = PlanDraft(summary="Mend it", steps=("look", "mend"), acceptance=("it works",))
CLEAN = Review(summary="Good.")
GREEN = CheckReport(ok=True, summary="tests: passed", log="sha256:green")

Asked = TypeVar("Asked")
Turn = Callable[[TakeTurn], TurnReport] | TurnReport


def policy(**budget: object) -> Policy:
    return Policy(checks=(Check(name="tests", run="true"),), budget=Budget.model_validate(budget))


def role_and_part(turn: TakeTurn) -> tuple[Role, int]:
    """Read from the end of the session's key: `ENG-1.3f2a9c10.builder2`."""
    name = turn.session.rpartition(".")[2]
    role = next(role for role in Role if name.startswith(role))
    return role, int(name.removeprefix(role))


def red(fingerprint: str) -> CheckReport:
    return CheckReport(ok=False, summary=f"tests: {fingerprint}", log="sha256:red", fingerprint=fingerprint)


def submits(submission: PlanDraft | WorkDone | Review | TriageReport, state: str | None = None) -> TurnReport:
    kinds: dict[type[Any], str] = {PlanDraft: "plan", WorkDone: "work", Review: "review", TriageReport: "triage"}
    return TurnReport(
        turn="set by the world",
        end=TurnEnd.SUBMITTED,
        summary="submit",
        spend=Spend(turns=1, input_tokens=100, output_tokens=10, usd=Decimal("0.01")),
        state=state,
        changed=state is not None,
        submission=Submission.model_validate({kinds[type(submission)]: submission}),
    )


def works(**more: Any) -> TurnReport:
    return TurnReport(turn="set by the world", end=TurnEnd.WORKING, summary="bash", changed=True, **more)


def done(state: str) -> TurnReport:
    return submits(WorkDone(summary="Mended."), state)


def pushes(change: PublishChange) -> Change:
    return Change(branch=change.branch, head_sha=f"head-of-{change.state}", files=1, insertions=1, deletions=0)


def refuses(change: PublishChange) -> Change:
    report = CheckReport(ok=False, summary="what may leave: 1 reason", log="sha256:why", fingerprint="leave")
    return pushes(change).model_copy(update={"pushed": False, "refused": report})


def asks(change: PublishChange) -> Change:
    """Holds a change of CI until a person has allowed its content."""
    digest = "d" * 40
    more = {"asks": ("`.ci/run`",), "asks_digest": digest, "shown": "+deploy", "pushed": change.allowed == digest}
    return pushes(change).model_copy(update=more)


@dataclass
class World:
    """Scripts and memories. The defaults make a ticket go straight to the merge gate."""

    turns: dict[Role, list[Turn]] = field(
        default_factory=lambda: {
            Role.PLANNER: [submits(PLAN)],
            Role.BUILDER: [done("s1")],
            Role.REVIEWER: [submits(CLEAN, "s1")],
            Role.FIXER: [],
        }
    )
    published: list[Callable[[PublishChange], Change]] = field(default_factory=lambda: [pushes])
    """How the next changes fare at the forge; the last one stays."""
    looks: list[PullSeen] = field(default_factory=lambda: [PullSeen(number=1, state=PullState.OPEN, head_sha="")])
    """How the pull request stands when the ticket looks; the last one stays. Without a head: where we pushed last."""
    attachments: tuple[Attachment, ...] = ()
    """On the card."""
    head: str = ""
    """Of the branch."""
    bases: list[str] = field(default_factory=lambda: ["b" * 40])
    """Where the base is when the repository is opened; the last one stays."""
    carried: list[Carried] = field(default_factory=lambda: [Carried(state="carried")])
    """How changes fare that are brought over to another base; the last one stays."""
    checks: list[CheckReport] = field(default_factory=lambda: [GREEN])
    recent: Recent = field(default_factory=Recent)
    """What happened since the last night."""
    cards: Cards = field(default_factory=Cards)
    state: TriageState = field(default_factory=lambda: TriageState(repository="/srv/hinge"))
    """What triage remembers."""
    set_aside: str = ""
    tries: dict[str, int] = field(default_factory=dict[str, int])
    """Command -> how many of its runs fail; all of them where nothing is said."""
    reds: dict[str, CheckReport] = field(default_factory=dict[str, CheckReport])
    """Check -> its report, where that is not the next of `checks`."""
    spent: Decimal = Decimal("0.05")
    """On every account."""
    policy: Policy = field(default_factory=lambda: Policy(checks=(Check(name="tests", run="true"),)))
    environment: Environment = field(default_factory=Environment)
    proposed_flake: str = ""
    failures: dict[str, list[Exception]] = field(default_factory=dict)
    """Activity name -> what its next calls raise."""
    delays: dict[str, float] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    """Every request, in order."""

    def adapters(self) -> list[Callable[..., Any]]:
        ports = (WorldTracker, WorldForge, _Context, _Model, _Workspace, _Agent, _Notify, *KEPT)
        return [method for port in ports for method in port(self).activities()]

    def of(self, kind: type[Asked]) -> list[Asked]:
        return [request for request in self.asked if isinstance(request, kind)]

    def turns_of(self, role: Role) -> list[TakeTurn]:
        return [turn for turn in self.of(TakeTurn) if role_and_part(turn)[0] is role]

    @property
    def moves(self) -> list[str]:
        return [move.to for move in self.of(MoveTicket)]

    @property
    def comments(self) -> str:
        return "\n".join(remark.text for remark in self.remarks)

    @property
    def remarks(self) -> list[Remark]:
        """Everything said on the ticket, in order."""
        return [asked.remark for asked in self.asked if isinstance(asked, MoveTicket | PostComment) and asked.remark]

    async def heard(self, request: Any) -> None:
        name = activity.info().activity_type
        self.asked.append(request)
        await asyncio.sleep(self.delays.get(name, 0))
        if self.failures.get(name):
            raise self.failures[name].pop(0)


@dataclass
class _Adapter:
    world: World


class _Context(_Adapter, Context):
    @activity.defn
    async def gather_context(self, request: GatherContext) -> GatheredContext:
        await self.world.heard(request)
        return GatheredContext(
            policy=self.world.policy,
            environment=self.world.environment,
            proposed_flake=self.world.proposed_flake,
            ticket_text="sha256:ticket",
            guide="sha256:guide",
        )

    @activity.defn
    async def gather_evidence(self, request: GatherEvidence) -> str:
        await self.world.heard(request)
        return "sha256:evidence"


class _Model(_Adapter, Model):
    @activity.defn
    async def open_account(self, request: OpenAccount) -> None:
        await self.world.heard(request)

    @activity.defn
    async def top_up_account(self, request: TopUpAccount) -> None:
        await self.world.heard(request)

    @activity.defn
    async def read_bill(self, request: ReadBill) -> Bill:
        await self.world.heard(request)
        return Bill(spend=Spend(turns=len(self.world.of(TakeTurn)), usd=self.world.spent), calls=5)


class _Workspace(_Adapter, Workspace):
    @activity.defn
    async def prepare_workspace(self, request: PrepareWorkspace) -> WorkspaceReady:
        await self.world.heard(request)
        return WorkspaceReady(tier="a world of tests", environment="plain")

    @activity.defn
    async def run_checks(self, request: RunChecks) -> CheckReport:
        await self.world.heard(request)
        if found := next((self.world.reds[one.name] for one in request.checks if one.name in self.world.reds), None):
            return found
        checks = self.world.checks
        return checks.pop(0) if len(checks) > 1 else checks[0]

    @activity.defn
    async def try_command(self, request: TryCommand) -> Runs:
        await self.world.heard(request)
        failed = self.world.tries.get(request.command.run, request.times)
        return Runs(runs=request.times, failed=failed, excerpt="E assert")

    @activity.defn
    async def sweep_sandboxes(self) -> int:
        return 0

    @activity.defn
    async def carry_over(self, request: CarryOver) -> Carried:
        await self.world.heard(request)
        script = self.world.carried
        return script.pop(0) if len(script) > 1 else script[0]

    @activity.defn
    async def destroy_workspace(self, request: DestroyWorkspace) -> None:
        await self.world.heard(request)


class _Agent(_Adapter, Agent):
    @activity.defn
    async def take_turn(self, turn: TakeTurn) -> TurnReport:
        await self.world.heard(turn)
        role, _ = role_and_part(turn)
        script = self.world.turns[role]
        if not script:
            raise stop(Failure.TAPE_MISMATCH, f"The script has no further turn for the {role}.")
        said = script.pop(0)
        report = said(turn) if callable(said) else said
        sent = report.end is not TurnEnd.MONEY_OUT
        return report.model_copy(update={"turn": f"{turn.session}/{turn.seq}" if sent else ""})

    @activity.defn
    async def close_session(self, request: CloseSession) -> None:
        await self.world.heard(request)


class _Notify(_Adapter, Notify):
    @activity.defn
    async def post_note(self, note: Note) -> None:
        await self.world.heard(note)

    @activity.defn
    async def post_digest(self, digest: Digest) -> None:
        await self.world.heard(digest)
