"""CPU time under a cap, and the claim that every limit is the kernel's."""

from pathlib import Path

import pytest

from activities.sandbox import cgroups
from tests.ports.sandbox.providers import MODEST, made, python, ran
from workflows.ports.sandbox import JobState, PolicyUnsupported, Sandbox, SandboxRef, SandboxSpec

pytestmark = pytest.mark.sandbox

SPIN = """
import os, time
until = time.monotonic() + 2
os.fork()
while time.monotonic() < until:
    pass
try:
    os.wait()
    print(sum(os.times()[:4]), time.monotonic() - until + 2)
except ChildProcessError:
    pass
"""
"""Two spinners for two seconds: the CPU time both had, and how long it took."""

BUSY = """
import time
while time.process_time() < 0.1:
    pass
print("still here", flush=True)
time.sleep(30)
"""


async def share(sandbox: Sandbox, cpus: float | None) -> float:
    """The processors the two spinners got."""
    ref = await made(sandbox, f"c{cpus}", MODEST.model_copy(update={"cpus": cpus}))
    used, wall = map(float, (await ran(sandbox, ref, "j", python(SPIN))).out.split())
    return used / wall


async def held_back(sandbox: Sandbox, groups: Path, cpus: float | None) -> int:
    """How often a busy sandbox had to wait for its cap, as the kernel counts it: what it gets in the end depends on who
    else needs the machine."""
    ref = await made(sandbox, f"b{cpus}", MODEST.model_copy(update={"cpus": cpus}))
    await sandbox.start(ref, "j", python(BUSY))
    while not (view := await sandbox.poll(ref, "j", wait_seconds=0.1)).out:
        assert view.state is JobState.RUNNING
    counted = [line for file in groups.glob(f"{ref.instance}/*/cpu.stat") for line in file.read_text().splitlines()]
    return sum(int(line.split()[1]) for line in counted if line.startswith("nr_throttled "))


async def test_a_cap_of_processors_holds_for_the_whole_tree(sandbox: Sandbox) -> None:
    if not sandbox.capabilities.hard_limits:
        with pytest.raises(PolicyUnsupported, match=r"cpus: 0\.5"):
            await share(sandbox, 0.5)
        return
    half, quarter = await share(sandbox, 0.5), await share(sandbox, 0.25)
    assert half < 0.5 * 1.15, "however busy the machine is, a cap is never exceeded"
    assert quarter < 0.25 * 1.3


async def test_only_a_cap_makes_a_sandbox_wait(sandbox: Sandbox, provider: str) -> None:
    found = cgroups.find(cgroups.FILE_SYSTEM) if provider == "cgroup" else None
    if found is None or found.cpu is None:
        pytest.skip("there are no groups that cap processors")
    assert await held_back(sandbox, found.cpu, 0.05) > 0
    assert await held_back(sandbox, found.cpu, None) == 0


async def test_hard_limits_are_claimed_only_where_all_are_the_kernels(
    sandbox: Sandbox, provider: str, ref: SandboxRef
) -> None:
    found = cgroups.find(cgroups.FILE_SYSTEM) if provider == "cgroup" else None
    assert sandbox.capabilities.hard_limits == (found is not None and found.cpu is not None)
    spec = SandboxSpec(key="strict", require_hard_limits=True)
    if sandbox.capabilities.hard_limits:
        assert (await ran(sandbox, await sandbox.ensure(spec), "j", "echo ran")).out == b"ran\n"
    else:
        with pytest.raises(PolicyUnsupported, match="require_hard_limits"):
            await sandbox.ensure(spec)


async def test_no_group_is_left_behind(sandbox: Sandbox, provider: str) -> None:
    found = cgroups.find(cgroups.FILE_SYSTEM) if provider == "cgroup" else None
    if found is None:
        pytest.skip("there are no groups")
    ref = await made(sandbox, "grouped", MODEST.model_copy(update={"cpus": 1}))
    assert (await ran(sandbox, ref, "j", "true")).code == 0
    await sandbox.destroy(ref.key)
    assert not [base for base in (found.memory, found.pids, found.cpu) if base and (base / ref.instance).exists()]
