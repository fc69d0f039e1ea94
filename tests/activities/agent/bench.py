"""A whole agent on one folder: journal, checkouts, gateway and orders, as the tests need them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from activities.agent.builtin import BuiltinAgent, Runs
from activities.journal.sql import SqlJournal
from infra.journal import JournalStore
from tests.activities.agent.folders import FolderCheckouts
from tests.fakes.answers import FakeAnswer, Usage
from tests.fakes.gateway import Gateway, running_gateway
from tests.fakes.provider import FakeProvider, Fault, running
from workflows.domain.change import Check, Repository
from workflows.domain.session import Brief, Role, SessionOrder, TakeTurn, TurnReport, WorkspaceOrder
from workflows.domain.ticket import TicketRef
from workflows.ports.journal import Journal
from workflows.ports.model import OpenAccount

CLAUDE = "anthropic:claude-sonnet-4-6"
CHECKS = (Check(name="lint", run="true"), Check(name="tests", run="echo looking for done.txt; test -f done.txt"))


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def use(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": tool, "input": arguments}


def says(*content: dict[str, Any], input_tokens: int = 140, **more: Any) -> FakeAnswer:
    usage = Usage(input_tokens=input_tokens, cached_tokens=40, output_tokens=20)
    return FakeAnswer.model_validate({"content": list(content), "usage": usage, **more})


def in_order(*answers: FakeAnswer | Fault) -> FakeProvider:
    """A provider that gives these answers one after the other, and the last one again and again."""
    left = list(answers)
    return FakeProvider(answer=lambda _: left.pop(0) if len(left) > 1 else left[0])


@dataclass
class Bench:
    """Everything one agent works with, in one folder."""

    folder: Path
    provider: FakeProvider
    gateway: Gateway
    journal: Journal
    checkouts: FolderCheckouts
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
            model=CLAUDE,
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

    async def opened(self, order: SessionOrder | None = None, usd: str = "5") -> TakeTurn:
        """The first turn of a session, on an account of so many dollars."""
        order = order or self.order()
        account = OpenAccount(account=order.account, models=(order.model,), usd=Decimal(usd), tokens=None)
        await self.gateway.model.open_account(account)
        return TakeTurn(session=order.session, seq=order.first_turn, after=order.after, order=order)

    def sent(self, request: int = -1) -> dict[str, Any]:
        """A request body as the provider got it."""
        return self.provider.log[request].body

    def news(self, request: int = -1) -> list[dict[str, Any]]:
        """The content blocks of the last message of a request."""
        return self.sent(request)["messages"][-1]["content"]


def following(turn: TakeTurn, report: TurnReport, steering: Sequence[str] = ()) -> TakeTurn:
    """The turn after this one, as the workflow asks for it."""
    return TakeTurn(session=turn.session, seq=turn.seq + 1, after=report.turn, steering=tuple(steering))


def journal_in(folder: Path) -> SqlJournal:
    return SqlJournal(JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects"))


def agent_on(journal: Journal, checkouts: FolderCheckouts, runs: Runs, url: str) -> BuiltinAgent:
    return BuiltinAgent(journal, checkouts, runs, url, checkouts.destroy)


@asynccontextmanager
async def bench(folder: Path, provider: FakeProvider, **base: str) -> AsyncGenerator[Bench]:
    """An agent behind a gateway. Its base commit holds these files, a name with `__` standing for a dot."""
    journal = journal_in(folder)
    checkouts = FolderCheckouts(folder / "sandboxes", journal)
    for name, content in (base or {"a__py": "one\ntwo\n"}).items():
        (checkouts.root / "base" / name.replace("__", ".")).write_text(content)
    async with running(provider), running_gateway(folder / "home", provider.url) as gateway:
        agent = agent_on(journal, checkouts, gateway.runs, gateway.url)
        try:
            yield Bench(folder, provider, gateway, journal, checkouts, agent)
        finally:
            await agent.close()
