"""What goes wrong on the way to Modal is tried again or named, and nothing is done twice for it."""

import asyncio
import time

import modal
import pytest
from grpclib import Status

from activities.sandbox.modal_vendor import ModalVendor
from tests.fakes.modal.faults import Fault
from tests.fakes.modal.server import Double
from workflows.ports.sandbox import Capacity, Denied, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox

COUNT = ("sh", "-c", "echo ran >> /opt/pawl/count; wc -l < /opt/pawl/count")
"""Says how often it was run."""


@pytest.fixture
async def instance(vendor: ModalVendor) -> str:
    return await vendor.make(SandboxSpec(key="one"))


async def test_a_lost_answer_to_create_leaves_one_sandbox(double: Double, vendor: ModalVendor) -> None:
    double.faults.arm(Fault("SandboxCreateV2", after=True))
    instance = await vendor.make(SandboxSpec(key="one"))
    assert double.faults.calls["SandboxCreateV2"] == 2
    assert [held.id for held in double.sandboxes.living()] == [instance]


@pytest.mark.parametrize("rpc", ["TaskExecStart", "TaskExecStdioRead", "TaskExecWait"])
@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.INTERNAL])
async def test_a_command_is_run_once_whatever_answer_is_lost(
    double: Double, vendor: ModalVendor, instance: str, rpc: str, status: Status
) -> None:
    double.faults.arm(Fault(rpc, status, after=rpc != "TaskExecStdioRead"))
    said = await vendor.run(instance, COUNT, 10)
    assert (said.code, said.out) == (0, "1\n")


async def test_a_stream_that_is_cut_is_read_on_where_it_ended(
    double: Double, vendor: ModalVendor, instance: str
) -> None:
    double.faults.cut_streams = 2
    said = await vendor.run(instance, ("sh", "-c", "seq 100000"), 20)
    assert said.out == "".join(f"{n}\n" for n in range(1, 100_001))
    assert double.faults.cut_streams == 0


async def test_input_whose_answer_is_lost_is_written_once(double: Double, vendor: ModalVendor, instance: str) -> None:
    double.faults.arm(Fault("TaskExecStdinWrite", after=True, times=2))
    data = b"0123456789" * 250_000
    await vendor.put(instance, "/opt/pawl/file", data)
    assert await vendor.get(instance, "/opt/pawl/file", len(data)) == data


async def test_tokens_that_expire_are_replaced(double: Double, vendor: ModalVendor, instance: str) -> None:
    await vendor.run(instance, COUNT, 10)
    before = double.faults.calls["SandboxGetCommandRouterAccess"]
    double.tokens.expire_workers()
    assert (await vendor.run(instance, COUNT, 10)).out == "2\n"
    assert double.faults.calls["SandboxGetCommandRouterAccess"] == before + 1


@pytest.mark.parametrize("retry_after", [None, 30.0])
async def test_no_capacity_is_said_at_once(double: Double, vendor: ModalVendor, retry_after: float | None) -> None:
    double.faults.arm(Fault("SandboxCreateV2", Status.RESOURCE_EXHAUSTED, times=99, retry_after=retry_after))
    started = time.monotonic()
    with pytest.raises(Capacity):
        await vendor.make(SandboxSpec(key="one"))
    assert time.monotonic() - started < 5
    assert double.faults.calls["SandboxCreateV2"] == 1


async def test_a_control_plane_that_stays_away_is_transient(double: Double, vendor: ModalVendor) -> None:
    double.faults.arm(Fault("SandboxCreateV2", Status.UNAVAILABLE, times=99))
    with pytest.raises(Transient, match="Modal cannot make the sandbox one"):
        await vendor.make(SandboxSpec(key="one"))
    assert double.faults.calls["SandboxCreateV2"] < 10


async def test_a_refusal_is_no_reason_to_try_again(double: Double, vendor: ModalVendor) -> None:
    double.faults.arm(Fault("SandboxCreateV2", Status.PERMISSION_DENIED, times=99))
    with pytest.raises(Denied):
        await vendor.make(SandboxSpec(key="one"))
    assert double.faults.calls["SandboxCreateV2"] == 1


async def test_a_worker_that_never_answers_is_given_up(
    double: Double, vendor: ModalVendor, instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.sandbox.modal_vendor._CALL_SECONDS", 0.5)
    double.faults.arm(Fault("TaskExecStart", hangs=True))
    with pytest.raises(Transient, match="Modal cannot run a command in the sandbox"):
        await vendor.run(instance, COUNT, 1)
    assert (await vendor.run(instance, COUNT, 10)).out == "1\n", "the next call comes through"


async def test_a_result_that_never_comes_is_given_up(double: Double, vendor: ModalVendor, instance: str) -> None:
    double.faults.arm(Fault("TaskExecWait", hangs=True))
    with pytest.raises(Transient, match="did not answer within 1 s"):
        await vendor.run(instance, COUNT, 1)


async def test_cost_that_cannot_be_had_hides_no_sandbox(double: Double, vendor: ModalVendor, instance: str) -> None:
    double.faults.arm(Fault("SandboxGetStats", Status.PERMISSION_DENIED, times=99))
    assert [(info.ref.instance, info.usd) for info in await vendor.list({})] == [(instance, None)]


async def test_a_cancelled_command_harms_nobody(vendor: ModalVendor, client: modal.Client, instance: str) -> None:
    waiting = asyncio.create_task(vendor.run(instance, ("sleep", "30"), 30))
    await asyncio.sleep(0.3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for at_work in (vendor, ModalVendor("here", client=client)):
        assert (await at_work.run(instance, ("true",), 10)).code == 0
