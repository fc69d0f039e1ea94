"""A whole agent on one folder: journal, checkouts, runs and orders, as the tests need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from activities.agent.builtin import BuiltinAgent
from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from tests.activities.agent.folders import FolderCheckouts
from workflows.domain.change import Check, Repository
from workflows.domain.session import Brief, OpenSession, Role, SessionOrder, TakeTurn, TurnReport, WorkspaceOrder
from workflows.domain.ticket import TicketRef
from workflows.ports.journal import Journal

CHECKS = (Check(name="tests", run="test -f done.txt"),)


class PlainRuns:
    """The run tokens of a gateway that lets everybody in, and what it was asked."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[Decimal | None, int | None]] = {}

    async def open_run(
        self, session: str, account: str, role: Role, part: int, model: str, usd: Decimal | None, tokens: int | None
    ) -> None:
        self.open[session] = (usd, tokens)

    async def close_run(self, session: str) -> None:
        self.open.pop(session, None)

    def token(self, session: str) -> str:
        return f"token-of-{session}"


@dataclass
class Bench:
    """Everything one agent works with, in one folder."""

    folder: Path
    url: str
    journal: Journal
    checkouts: FolderCheckouts
    runs: PlainRuns
    agent: BuiltinAgent

    @property
    def files(self) -> Path:
        return self.checkouts.folder("t.work") / "files"

    def order(self, role: Role = Role.BUILDER, part: int = 1, **changes: object) -> SessionOrder:
        order = SessionOrder(
            session=f"t.{role}{part}",
            account="t",
            role=role,
            part=part,
            model="anthropic:claude-sonnet-4-6",
            brief=Brief(
                ticket=TicketRef(tracker="board", id="T-1"),
                identifier="T-1",
                title="Dots",
                ticket_text="",
                checks=CHECKS,
            ),
            workspace=WorkspaceOrder(
                key="t.work", repository=Repository(name="r", url="/r", base_branch="main", base_sha="0" * 40)
            ),
        )
        return order.model_copy(update=changes)

    async def opened(self, order: SessionOrder | None = None) -> TakeTurn:
        """The first turn of a session that was opened."""
        order = order or self.order()
        prompt = (await self.agent.open_session(OpenSession(order=order))).prompt
        return TakeTurn(
            session=order.session,
            account=order.account,
            role=order.role,
            part=order.part,
            model=order.model,
            seq=order.first_turn,
            prompt=prompt,
            after=order.after,
            workspace=order.workspace,
            checks=order.brief.checks,
        )


def following(turn: TakeTurn, report: TurnReport, steering: Sequence[str] = ()) -> TakeTurn:
    """The turn after this one, as the workflow asks for it."""
    workspace = turn.workspace.model_copy(update={"state": report.state})
    return turn.model_copy(
        update={"seq": turn.seq + 1, "after": report.turn, "workspace": workspace, "steering": tuple(steering)}
    )


def bench(folder: Path, url: str, **base: str) -> Bench:
    """An agent whose base commit holds these files, a name with `__` standing for a dot."""
    journal = SqlJournal(JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects"))
    return bench_on(journal, folder, url, **base)


def bench_on(journal: Journal, folder: Path, url: str, **base: str) -> Bench:
    checkouts = FolderCheckouts(folder / "sandboxes", journal)
    for name, text in base.items():
        (checkouts.root / "base" / name.replace("__", ".")).write_text(text)
    runs = PlainRuns()
    agent = BuiltinAgent(journal, checkouts, runs, url, checkouts.destroy)
    return Bench(folder, url, journal, checkouts, runs, agent)
