"""The workspace's activities: preparing, checking, destroying."""

import asyncio
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.workspace.checkouts import SandboxCheckouts, sandbox_key
from activities.workspace.sandboxed import SandboxWorkspace
from tests.ports.workspace.helpers import kill_supervisor
from workflows.domain.change import Check
from workflows.domain.failures import Failure
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import Sandbox
from workflows.ports.workspace import DestroyWorkspace, PrepareWorkspace, RunChecks

pytestmark = pytest.mark.sandbox


async def test_checks_run_on_exactly_the_state(
    workspace: SandboxWorkspace, checkouts: SandboxCheckouts, sandbox: Sandbox, order: WorkspaceOrder, journal: Journal
) -> None:
    agents = await checkouts.open(order)
    await agents.write("README", b"changed\n")
    state = await agents.keep_state("k")
    await agents.write("README", b"changed after that\n")
    request = RunChecks(
        key="t1.strike:1",
        workspace=order.model_copy(update={"state": state}),
        checks=(
            Check(name="state", run="cat README; test $(cat README) = changed"),
            Check(name="tests", run="echo '2 failed in 0.31s at 0x7f12'; exit 1"),
            Check(name="slow", run="sleep 30", timeout_seconds=1),
        ),
    )
    report = await workspace.run_checks(request)
    assert not report.ok
    assert report.summary == "tests: exited 1; slow: timed out after 1 s"
    assert '"output":"changed\\n"' in await journal.load_text(report.log)
    assert [info.ref.key for info in await sandbox.list({})] == [order.key], "the sandbox of the checks is gone"
    other_times = request.checks[1].model_copy(update={"run": "echo '2 failed in 0.99s at 0x8888'; exit 1"})
    again = await workspace.run_checks(
        request.model_copy(update={"key": "t1.strike:2", "checks": (request.checks[0], other_times, request.checks[2])})
    )
    assert again.fingerprint == report.fingerprint != ""
    passed = await workspace.run_checks(request.model_copy(update={"checks": request.checks[:1]}))
    assert (passed.ok, passed.summary, passed.fingerprint) == (True, "state: passed", "")


async def test_cancelled_checks_leave_nothing(
    workspace: SandboxWorkspace, sandbox: Sandbox, order: WorkspaceOrder
) -> None:
    request = RunChecks(key="t1.strike:1", workspace=order, checks=(Check(name="slow", run="sleep 30"),))
    checking = asyncio.create_task(workspace.run_checks(request))
    await asyncio.sleep(0.5)
    assert len(await sandbox.list({})) == 1
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking
    assert await sandbox.list({}) == []


async def test_preparing_and_destroying(workspace: SandboxWorkspace, sandbox: Sandbox, order: WorkspaceOrder) -> None:
    odd = order.model_copy(update={"key": "ticket:1/odd"})
    await workspace.prepare_workspace(PrepareWorkspace(workspace=odd))
    assert [info.ref.key for info in await sandbox.list({})] == [sandbox_key("ticket:1/odd")]
    for _ in range(2):
        await workspace.destroy_workspace(DestroyWorkspace(key="ticket:1/odd"))
    assert await sandbox.list({}) == []


async def test_a_machine_without_sandboxes_is_refused_with_the_fix(
    workspace: SandboxWorkspace, order: WorkspaceOrder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ApplicationError, match="apt install bubblewrap") as refused:
        await workspace.prepare_workspace(PrepareWorkspace(workspace=order))
    assert (refused.value.type, refused.value.non_retryable) == (Failure.SANDBOX_REFUSED.value, True)


async def test_checks_go_on_in_a_fresh_sandbox_when_theirs_dies(
    workspace: SandboxWorkspace, order: WorkspaceOrder, tmp_path: Path
) -> None:
    check = Check(name="tests", run="sleep 1; echo ran; exit 2")
    checking = asyncio.create_task(workspace.run_checks(RunChecks(key="t1.strike1", workspace=order, checks=(check,))))
    await kill_supervisor(tmp_path / "sandboxes" / "t1.strike1.checks" / "jobs", "run-check-1-*")
    assert (await checking).summary == "tests: exited 2"


async def test_a_state_the_journal_lost_is_told(workspace: SandboxWorkspace, order: WorkspaceOrder) -> None:
    lost = order.model_copy(update={"state": f"sha256:{0:064x}"})
    with pytest.raises(ApplicationError, match="lost the workspace state") as refused:
        await workspace.prepare_workspace(PrepareWorkspace(workspace=lost))
    assert refused.value.non_retryable
