"""A job at Modal is one run, whatever is lost between us and it."""

import asyncio

import modal
import pytest
from grpclib import Status

from activities.sandbox.modal_vendor import ModalVendor
from activities.sandbox.remote.sandbox import RemoteSandbox
from tests.fakes.modal.faults import Fault
from tests.fakes.modal.server import Double
from tests.ports.sandbox.providers import MODEST, made, ran, shell
from workflows.ports.sandbox import Gone, JobState, SandboxRef, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox

COUNT = shell("echo ran >> /work/count; echo out; sleep 0.3; exit 3")


@pytest.fixture
def sandbox(vendor: ModalVendor) -> RemoteSandbox:
    return RemoteSandbox(vendor)


@pytest.fixture
async def ref(sandbox: RemoteSandbox) -> SandboxRef:
    return await made(sandbox)


async def runs(sandbox: RemoteSandbox, ref: SandboxRef) -> int:
    return (await sandbox.read(ref, "/work/count", 1_000)).count(b"ran\n")


@pytest.mark.parametrize("rpc", ["TaskExecStart", "TaskExecStdinWrite", "TaskExecStdioRead", "TaskExecWait"])
async def test_faults_that_pass_are_not_noticed(
    double: Double, sandbox: RemoteSandbox, ref: SandboxRef, rpc: str
) -> None:
    double.faults.arm(Fault(rpc, Status.UNAVAILABLE, times=3, after=rpc != "TaskExecStdioRead"))
    view = await ran(sandbox, ref, "j", COUNT)
    assert (view.code, view.out) == (3, b"out\n")
    assert await runs(sandbox, ref) == 1


async def test_a_start_that_failed_for_us_and_was_done_is_one_run(
    double: Double, sandbox: RemoteSandbox, ref: SandboxRef
) -> None:
    """The answer is lost for longer than the client tries: we are told Transient, and start again."""
    double.faults.arm(Fault("TaskExecStart", Status.PERMISSION_DENIED, after=True))
    with pytest.raises(Exception, match="a fault that was asked for"):
        await sandbox.start(ref, "j", COUNT)
    view = await ran(sandbox, ref, "j", COUNT)
    assert (view.code, view.out) == (3, b"out\n")
    assert await runs(sandbox, ref) == 1


async def test_a_poll_that_hangs_costs_the_poll_and_not_the_job(
    double: Double, sandbox: RemoteSandbox, ref: SandboxRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.start(ref, "j", COUNT)
    monkeypatch.setattr("activities.sandbox.remote.sandbox._ANSWER_SECONDS", 1.0)
    double.faults.arm(Fault("TaskExecWait", hangs=True))
    with pytest.raises(Transient):
        await sandbox.poll(ref, "j")
    view = await ran(sandbox, ref, "j", COUNT)
    assert (view.code, view.out) == (3, b"out\n")
    assert await runs(sandbox, ref) == 1


async def test_output_comes_whole_over_streams_that_are_cut(
    double: Double, sandbox: RemoteSandbox, ref: SandboxRef
) -> None:
    double.faults.cut_streams = 5
    view = await ran(sandbox, ref, "j", "seq 200000")
    assert view.out == b"".join(b"%d\n" % n for n in range(1, 200_001))


async def test_tokens_expire_while_a_job_is_watched(double: Double, sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    await sandbox.start(ref, "j", shell("echo a; sleep 1; echo b"))
    watching = asyncio.create_task(sandbox.poll(ref, "j", wait_seconds=20))
    await asyncio.sleep(0.3)
    double.tokens.expire_workers()
    view = await watching
    assert (view.state, view.out) == (JobState.EXITED, b"a\nb\n")


async def test_a_sandbox_that_ends_while_a_job_is_watched_is_gone(
    sandbox: RemoteSandbox, ref: SandboxRef, client: modal.Client
) -> None:
    await sandbox.start(ref, "j", shell("sleep 60"))
    watching = asyncio.create_task(sandbox.poll(ref, "j", wait_seconds=20))
    await asyncio.sleep(0.3)
    await ModalVendor("here", client=client).remove(ref.key)
    with pytest.raises(Gone):
        await watching


async def test_a_snapshot_has_the_files_and_not_the_jobs(sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    await ran(sandbox, ref, "prepare", "echo installed > /work/tool; echo first")
    reference = await sandbox.snapshot(ref)
    await ran(sandbox, ref, "change", "echo changed > /work/tool")
    warm = await sandbox.ensure(SandboxSpec(key="two", snapshot=reference, limits=MODEST))
    view = await ran(sandbox, warm, "prepare", "cat /work/tool; echo changed > /work/tool")
    assert view.out == b"installed\n", "the same job id in another sandbox is another run"
    again = await sandbox.ensure(SandboxSpec(key="three", snapshot=reference, limits=MODEST))
    assert await sandbox.read(again, "/work/tool", 100) == b"installed\n"
