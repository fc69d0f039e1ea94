"""How often a command fails, and that nothing but the failure that was meant counts."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.sandbox import orphans
from activities.workspace import trying as trying_module
from activities.workspace.sandboxed import SandboxWorkspace
from tests.ports.workspace.helpers import kill_supervisor
from workflows.domain.change import Check
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import EntryKind, Journal
from workflows.ports.sandbox import OURS, Sandbox, SandboxSpec
from workflows.ports.workspace import TryCommand

pytestmark = pytest.mark.sandbox


def trying(order: WorkspaceOrder, line: str, names: str = "", times: int = 1, seconds: int = 20) -> TryCommand:
    command = Check(name="it", run=line, timeout_seconds=seconds)
    return TryCommand(key="night:1/a finding", workspace=order, command=command, times=times, names=names)


async def entries(journal: Journal, order: WorkspaceOrder) -> int:
    return len([entry for entry in await journal.entries(order.journal_session) if entry.kind is EntryKind.TRIED])


async def test_every_run_has_a_fresh_checkout_and_none_is_left(
    workspace: SandboxWorkspace, sandbox: Sandbox, order: WorkspaceOrder
) -> None:
    line = "cat README; git status --short; echo more >> README; echo test_hinge broke; exit 3"
    runs = await workspace.try_command(trying(order, line, times=3))
    assert (runs.runs, runs.failed, runs.broken, runs.excerpt) == (3, 3, "", "hello\ntest_hinge broke")
    assert await sandbox.list({}) == []


async def test_a_request_that_is_repeated_runs_nothing_again(
    workspace: SandboxWorkspace, order: WorkspaceOrder, journal: Journal
) -> None:
    """What a run draws by lot is what it drew the first time."""
    request = trying(order, "cat /proc/sys/kernel/random/uuid; exit 1", times=2)
    first = await workspace.try_command(request)
    assert await workspace.try_command(request) == first
    assert await entries(journal, order) == 2


async def test_a_worker_that_dies_in_a_run_is_followed_by_one_that_finds_it(
    workspace: SandboxWorkspace, order: WorkspaceOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying_module, "is_given_up", lambda: False)
    request = trying(order, "cat /proc/sys/kernel/random/uuid; sleep 1; exit 1", times=2)
    dying = asyncio.create_task(workspace.try_command(request))
    async with asyncio.timeout(20):
        while not list(tmp_path.glob("sandboxes/*try2*/jobs/run-try-*/out")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (out,) = tmp_path.glob("sandboxes/*try2*/jobs/run-try-*/out")
    dying.cancel()
    await asyncio.wait([dying])
    inode = out.stat().st_ino
    runs, same = await asyncio.gather(workspace.try_command(request), asyncio.to_thread(_text_of, out, inode))
    assert runs.failed == 2
    assert runs.excerpt == same, "the second run went on, and no third one was begun"


def _text_of(out: Path, inode: int) -> str:
    file = os.open(out, os.O_RDONLY)
    assert os.fstat(file).st_ino == inode
    while not (text := os.pread(file, 100, 0)):
        pass
    os.close(file)
    return text.decode().strip()


async def test_giving_up_leaves_no_sandbox(
    workspace: SandboxWorkspace, sandbox: Sandbox, order: WorkspaceOrder
) -> None:
    running = asyncio.create_task(workspace.try_command(trying(order, "sleep 30", times=3)))
    async with asyncio.timeout(20):
        while not await sandbox.list({}):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await sandbox.list({}) == []


async def test_a_flaky_command_is_counted(workspace: SandboxWorkspace, order: WorkspaceOrder) -> None:
    """Heads or tails; that it comes the same way twenty times happens twice in a million tests."""
    line = "[ $(( $(od -An -N1 -tu1 /dev/urandom) % 2 )) = 0 ] || { echo test_hinge; exit 1; }"
    runs = await workspace.try_command(trying(order, line, times=20))
    assert runs.runs == 20
    assert 0 < runs.failed < 20
    assert runs.broken == ""
    assert runs.excerpt == "test_hinge"


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("no-such-program test_hinge", "not found"),
        ("echo test_hinge; exit 126", "could not be started"),
        ("echo test_hinge; sh -c 'kill -9 $$'; exit $?", "ended by signal 9"),
        ("echo test_hinge; exec sleep 60", "timed out after 1 s"),
        ("echo test_hinge; kill -9 $$", "ended by signal 9"),
        ("echo other; exit 1", "exited 1, and its output does not name `test_hinge`"),
        ("echo test_hinge_2 a_test_hinge; exit 1", "exited 1, and its output does not name `test_hinge`"),
        ("set -x; : test_hinge; exit 1", "exited 1, and in the same way with a name that nothing has"),
        ("echo test_hinge; exit 1", "exited 1, and in the same way with a name that nothing has"),
        ("echo 'no test test_hinge' >&2; exit 4", "exited 4, and in the same way with a name that nothing has"),
    ],
)
async def test_what_is_no_proof_is_not_counted(
    workspace: SandboxWorkspace, order: WorkspaceOrder, line: str, broken: str
) -> None:
    runs = await workspace.try_command(trying(order, line, "test_hinge", seconds=1))
    assert (runs.runs, runs.failed, runs.broken) == (1, 0, broken)


async def test_a_command_that_only_says_itself_back_names_nothing(
    workspace: SandboxWorkspace, order: WorkspaceOrder
) -> None:
    """Whatever else differs from run to run."""
    line = "tr '\\0' ' ' </proc/$$/cmdline; echo; cat /proc/sys/kernel/random/uuid; : test_hinge; exit 1"
    runs = await workspace.try_command(trying(order, line, "test_hinge"))
    assert (runs.failed, runs.broken) == (0, "exited 1, and its output does not name `test_hinge`")


@pytest.mark.parametrize(
    "line",
    [
        "printf '\\033[31mFAILED\\033[0m tests::\\033[1mtest_''hinge\\033[0m - 1 != 2\\n'; exit 1",
        "seq 200000; echo FAILED test_''hinge; seq 200000; exit 1",
        "echo test_''hinge... FAILED; exit 255",
    ],
)
async def test_the_name_is_found_wherever_it_is_said(
    workspace: SandboxWorkspace, order: WorkspaceOrder, line: str
) -> None:
    runs = await workspace.try_command(trying(order, line, "test_hinge"))
    assert (runs.failed, runs.broken) == (1, "")


async def test_a_test_runner_that_is_told_the_name_proves_it(
    workspace: SandboxWorkspace, order: WorkspaceOrder
) -> None:
    """With a name that nothing has it fails too, in another way."""
    line = (
        "printf 'import unittest\\nclass T(unittest.TestCase):\\n def test_''hinge(self): assert False\\n' > t.py; "
        "python3 -m unittest t.T.test_hinge"
    )
    proof = await workspace.try_command(trying(order, line, "test_hinge"))
    assert (proof.failed, proof.broken) == (1, "")
    gone = trying(order, line.replace("test_''hinge(", "test_other("), "test_hinge")
    runs = await workspace.try_command(gone.model_copy(update={"key": "night:1/another"}))
    assert runs.broken == "exited 1, and in the same way with a name that nothing has"


async def test_commands_that_pass_refute(workspace: SandboxWorkspace, order: WorkspaceOrder) -> None:
    runs = await workspace.try_command(trying(order, "echo test_hinge", "test_hinge", times=2))
    assert (runs.runs, runs.failed, runs.broken, runs.excerpt) == (2, 0, "", "test_hinge")


async def test_output_without_end_and_odd_characters_are_harmless(
    workspace: SandboxWorkspace, order: WorkspaceOrder
) -> None:
    line = "head -c 200000000 /dev/zero | tr '\\0' x; printf 'a\\033]0;title\\007\\342\\200\\256b\\n'; exit 1"
    runs = await workspace.try_command(trying(order, line, seconds=60))
    assert runs.failed == 1
    assert len(runs.excerpt) <= 2_000
    assert runs.excerpt.endswith("[output went on; the rest was not kept]")
    odd = trying(order, line.split("; ", 1)[1]).model_copy(update={"key": "odd"})
    assert (await workspace.try_command(odd)).excerpt == "a\\u001b]0;title\\u0007\\u202eb"


async def test_a_command_that_forks_for_ever_ends(workspace: SandboxWorkspace, order: WorkspaceOrder) -> None:
    """One that goes on where it can fork no more: shells give up there, and would end before their time."""
    bomb = 'exec python3 -c "import os, contextlib\nwhile True:\n with contextlib.suppress(OSError): os.fork()"'
    runs = await workspace.try_command(trying(order, bomb, "test_hinge", seconds=3))
    assert (runs.runs, runs.failed) == (1, 0)
    assert runs.broken


async def test_runs_that_would_last_too_long_together_are_fewer(
    workspace: SandboxWorkspace, order: WorkspaceOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying_module, "_MOST_SECONDS", 5)
    runs = await workspace.try_command(trying(order, "sleep 1.1; exit 1", times=20, seconds=4))
    assert (runs.runs, runs.failed) == (1, 1)


async def test_a_run_whose_sandbox_dies_is_made_anew(
    workspace: SandboxWorkspace, order: WorkspaceOrder, tmp_path: Path
) -> None:
    request = trying(order, "sleep 1; exit 2").model_copy(update={"key": "n1"})
    running = asyncio.create_task(workspace.try_command(request))
    await kill_supervisor(tmp_path / "sandboxes" / "n1.try1" / "jobs", "run-try-*")
    assert (await running).failed == 1


async def test_what_cannot_be_opened_is_told(workspace: SandboxWorkspace, order: WorkspaceOrder) -> None:
    lost = order.model_copy(update={"state": f"sha256:{0:064x}"})
    with pytest.raises(ApplicationError, match="lost the workspace state") as refused:
        await workspace.try_command(trying(lost, "exit 1"))
    assert refused.value.non_retryable


async def test_sandboxes_of_tickets_that_have_ended_are_swept(
    workspace: SandboxWorkspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ticket in ("T-1", "T-2"):
        await sandbox.ensure(SandboxSpec(key=ticket, labels={**OURS, "ticket": ticket}))
    assert await workspace.sweep_sandboxes() == 0, "they are young"
    monkeypatch.setattr(orphans, "LEASE", timedelta(seconds=-1))
    assert await workspace.sweep_sandboxes() == 1
    assert [info.ref.key for info in await sandbox.list({})] == ["T-1"]
