"""CPU time under a cap, and the claim that every limit is the kernel's."""

import pytest

from activities.sandbox import cgroups
from tests.ports.sandbox.providers import MODEST, made, python, ran
from workflows.ports.sandbox import PolicyUnsupported, Sandbox, SandboxRef, SandboxSpec

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


async def share(sandbox: Sandbox, cpus: float | None) -> float:
    """The processors the two spinners got."""
    ref = await made(sandbox, f"c{cpus}", MODEST.model_copy(update={"cpus": cpus}))
    used, wall = map(float, (await ran(sandbox, ref, "j", python(SPIN))).out.split())
    return used / wall


async def test_a_cap_of_processors_holds_for_the_whole_tree(sandbox: Sandbox) -> None:
    if not sandbox.capabilities.hard_limits:
        with pytest.raises(PolicyUnsupported, match=r"cpus: 0\.5"):
            await share(sandbox, 0.5)
        return
    half, quarter = await share(sandbox, 0.5), await share(sandbox, 0.25)
    assert half < 0.5 * 1.15, "however busy the machine is, a cap is never exceeded"
    assert quarter < 0.25 * 1.3
    for _ in range(4):  # others may need the machine meanwhile
        if await share(sandbox, None) > half:
            return
    pytest.fail("without a cap they get what is there")


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
