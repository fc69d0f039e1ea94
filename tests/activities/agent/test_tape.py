"""A whole build from a tape: the real agent, the real gateway, a real sandbox, a real repository."""

import json
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.agent.builtin import BuiltinAgent
from activities.git import TrustedClones
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.workspace.checkouts import SandboxCheckouts
from tests.activities.agent.bench import following, journal_in, text, use
from tests.fakes.gateway import Gateway, running_gateway
from tests.repos import make_repository
from workflows.domain.change import Check, Repository
from workflows.domain.policy import SandboxPolicy
from workflows.domain.session import (
    Brief,
    CloseSession,
    Role,
    SessionOrder,
    TakeTurn,
    TurnEnd,
    TurnReport,
    WorkspaceOrder,
)
from workflows.domain.ticket import TicketRef
from workflows.ports.model import OpenAccount

pytestmark = pytest.mark.sandbox

FILES: dict[str, str | bytes] = {"greet.sh": "echo Helo $1\n", "test.sh": '[ "$(sh greet.sh you)" = "Hello you" ]\n'}
CHECK = Check(name="tests", run="sh -x test.sh")
MANIFEST = {
    "tape": 1,
    "title": "A greeting without its typo",
    "kind": "scripted",
    "by": "the tests",
    "date": "2026-11-21",
    "model": "anthropic:claude-sonnet-4-6",
    "repository": {"name": "greeting"},
}


def answer(*content: dict[str, Any], expect: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"role": "builder", "part": 1, "content": content, "expect": expect}


def tape(*answers: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(line) for line in (MANIFEST, *answers)).encode()


class Session:
    """A builder's session on a real repository."""

    def __init__(self, agent: BuiltinAgent, gateway: Gateway, repository: Repository) -> None:
        self.agent = agent
        self.gateway = gateway
        self.workspace = WorkspaceOrder(
            key="t1.work", repository=repository, sandbox=SandboxPolicy(memory_mb=512, seconds=20)
        )

    async def begin(self, script: bytes) -> TakeTurn:
        model: str = (await self.gateway.admin("PUT", "/v1/tapes", content=script)).json()["model"]
        account = OpenAccount(account="t1", models=(model,), usd=Decimal(1), tokens=None)
        await self.gateway.model.open_account(account)
        ref = TicketRef(tracker="board", id="T-1")
        brief = Brief(ticket=ref, identifier="T-1", title="Typo", ticket_text="", checks=(CHECK,))
        order = SessionOrder(
            session="t1.builder1",
            account="t1",
            role=Role.BUILDER,
            model=model,
            brief=brief,
            workspace=self.workspace,
        )
        return TakeTurn(session=order.session, seq=1, order=order)

    async def play(self, turn: TakeTurn) -> list[TurnReport]:
        """Turns until one is the last."""
        reports = [await self.agent.take_turn(turn)]
        while reports[-1].end is TurnEnd.WORKING:
            turn = following(turn, reports[-1])
            reports.append(await self.agent.take_turn(turn))
        return reports


@pytest.fixture
async def session(tmp_path: Path) -> AsyncGenerator[Session]:
    clones, sandbox = TrustedClones(tmp_path / "clones"), BubblewrapSandbox(tmp_path / "sandboxes")
    url = str(make_repository(tmp_path / "origin", FILES))
    branch, sha = await clones.fetch("greeting", url)
    repository = Repository(name="greeting", url=url, base_branch=branch, base_sha=sha)
    journal = journal_in(tmp_path)
    checkouts = SandboxCheckouts(sandbox, clones, journal)
    async with running_gateway(tmp_path / "home", "http://127.0.0.1:9") as gateway:
        agent = BuiltinAgent(journal, checkouts, gateway.runs, gateway.url, sandbox.destroy)
        try:
            yield Session(agent, gateway, repository)
        finally:
            await agent.close()
            await sandbox.destroy("t1.work")


async def test_a_build_turns_red_then_green_in_a_real_sandbox(session: Session) -> None:
    script = tape(
        answer(text("I look."), use("search", pattern="Helo"), use("run_checks")),
        answer(use("edit", path="greet.sh", old="Helo", new="Hello"), expect=("greet.sh:1:echo Helo", "exited 1")),
        answer(use("run_checks"), use("bash", command="git diff --stat")),
        answer(use("submit", summary="Hello says hello."), expect=("tests: ok", "1 file changed")),
    )
    turn = await session.begin(script)
    looked, edited, checked, submitted = await session.play(turn)
    assert (looked.summary, looked.changed) == ("search Helo; run_checks: tests exited 1", False)
    assert looked.failing_call
    assert edited.changed
    assert edited.state is not None
    assert (checked.changed, checked.state) == (False, None)
    assert submitted.end is TurnEnd.SUBMITTED
    bill = await session.gateway.bill("t1")
    assert (bill.spend.usd, bill.calls) == (Decimal(0), 4)
    assert sum(report.spend.usd for report in (looked, edited, checked, submitted)) == 0
    await session.agent.close_session(CloseSession(session="t1.builder1"))


async def test_a_tape_that_no_longer_fits_stops_in_the_gateways_words(session: Session) -> None:
    script = tape(
        answer(use("bash", command="true")), answer(use("submit", summary="ok"), expect=("a text nobody said",))
    )
    turn = await session.begin(script)
    report = await session.agent.take_turn(turn)
    with pytest.raises(ApplicationError, match="a text nobody said") as caught:
        await session.agent.take_turn(following(turn, report))
    assert (caught.value.type, caught.value.non_retryable) == ("TapeMismatch", True)


async def test_files_that_cannot_be_kept_are_told_to_the_model(session: Session) -> None:
    script = tape(
        answer(use("bash", command="ln -s /etc/passwd out; echo changed > greet.sh")),
        answer(use("bash", command="rm out"), expect=("cannot be kept",)),
        answer(use("submit", summary="ok")),
    )
    first, second, _ = await session.play(await session.begin(script))
    assert (first.changed, first.state) == (False, None)
    assert first.failing_call
    assert second.changed
