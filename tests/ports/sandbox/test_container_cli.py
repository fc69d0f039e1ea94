"""Real containers by podman, where it runs: what the kernel enforces, and what ends them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.container_cli import ContainerCli, connected
from activities.sandbox.container_images import ContainerImages
from activities.sandbox.refusals import Refused
from activities.sandbox.remote.sandbox import RemoteSandbox
from tests.fakes import podman
from tests.ports.sandbox.providers import FEW, MODEST, made, python, ran
from workflows.ports.sandbox import BadSpec, ExitReason, Gone, PolicyUnsupported, SandboxSpec

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not podman.found(), reason="podman is not installed, or this run is not root's"),
]


@pytest.fixture
async def vendor(tmp_path: Path) -> AsyncGenerator[ContainerCli]:
    root = tmp_path / "sandboxes"
    async with podman.serving(root):
        vendor = podman.vendor(root)
        yield vendor
        for info in await vendor.list({}):
            await vendor.remove(info.ref.key)


@pytest.fixture
def sandbox(vendor: ContainerCli) -> RemoteSandbox:
    return RemoteSandbox(vendor)


async def test_a_command_has_no_way_up_or_out(sandbox: RemoteSandbox) -> None:
    ref = await made(sandbox)
    script = """
        id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | cut -f2
        for attempt in 'su root' 'chown 0 /work' 'touch /usr/x' 'ls /opt/pawl' 'kill -9 1' \\
            'cat /proc/1/environ'
        do eval "$attempt" >/dev/null 2>&1 </dev/null && echo "succeeded: $attempt"; done
        grep -c : /proc/net/dev; env | grep -i proxy
    """
    view = await ran(sandbox, ref, "j", script)
    uid, effective, bounding, no_new_privileges, seccomp, interfaces = view.out.decode().split("\n")[:-1]
    assert (uid, int(effective, 16), no_new_privileges, seccomp, interfaces) == ("1000", 0, "1", "2", "1")
    assert int(bounding, 16).bit_count() == 7


async def test_the_kernel_keeps_the_limits(sandbox: RemoteSandbox, vendor: ContainerCli) -> None:
    ref = await sandbox.ensure(SandboxSpec(key="one", limits=FEW.model_copy(update={"cpus": 0.5})))
    tree = "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        kept = b'x' * 80_000_000\n"
    tree += "        time.sleep(60)\ntime.sleep(60)"
    assert (await ran(sandbox, ref, "memory", python(tree))).reason is ExitReason.OOM
    bomb = "import os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        time.sleep(0.02)"
    view = await ran(sandbox, ref, "processes", python(bomb, timeout_seconds=1.5))
    assert view.reason in (ExitReason.TIMEOUT, ExitReason.OOM)
    burn = (
        "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(time.process_time() < 0.8)"
    )
    assert (await ran(sandbox, ref, "cpu", python(burn))).out == b"True\n"
    full = await ran(sandbox, ref, "tmp", "head -c 300000000 /dev/zero > /tmp/x; stat -c %s /tmp/x")
    assert full.reason is ExitReason.OOM or int(full.out) <= 128 << 20


async def test_a_snapshot_is_an_image(sandbox: RemoteSandbox, vendor: ContainerCli) -> None:
    ref = await made(sandbox)
    await ran(sandbox, ref, "j", "echo kept > f")
    image = await sandbox.snapshot(ref)
    await ran(sandbox, ref, "k", "echo later > f")
    other = await sandbox.ensure(SandboxSpec(key="other", snapshot=image, limits=MODEST))
    assert (await ran(sandbox, other, "j", "cat f; touch f")).out == b"kept\n"
    with pytest.raises(Gone):
        await sandbox.ensure(SandboxSpec(key="third", snapshot=image[:-16] + "0" * 16))


async def test_a_container_ends_by_itself(sandbox: RemoteSandbox, vendor: ContainerCli) -> None:
    used = await sandbox.ensure(SandboxSpec(key="used", idle_seconds=600, limits=MODEST))
    await vendor.make(SandboxSpec(key="old", lifetime_seconds=1, limits=MODEST))
    idle = await vendor.make(SandboxSpec(key="idle", idle_seconds=1, limits=MODEST))
    async with asyncio.timeout(100):
        while len(living := await sandbox.list({})) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.3)
    assert [info.ref for info in living] == [used]
    for use in (vendor.run(idle, ("true",), 60), vendor.put(idle, "/x", b""), vendor.get(idle, "/x", 1)):
        with pytest.raises(Gone):
            await use
    anew = await sandbox.ensure(SandboxSpec(key="idle", limits=MODEST))
    assert anew.instance != idle


async def test_what_cannot_be_is_said(sandbox: RemoteSandbox, vendor: ContainerCli) -> None:
    snapshot = await sandbox.snapshot(await made(sandbox, "snapped"))
    with pytest.raises(PolicyUnsupported):
        await sandbox.ensure(SandboxSpec(key="one", egress=("example.org",)))
    for image in ("no/such image", "--privileged", "dir:/etc", "127.0.0.1:80/x", snapshot, "registry.example.org/x"):
        with pytest.raises(BadSpec, match=r"pawl\.sandbox\.image"):
            await sandbox.ensure(SandboxSpec(key="one", image=image))
    with pytest.raises(BadSpec, match="no snapshot"):
        await sandbox.ensure(SandboxSpec(key="one", snapshot=podman.IMAGE))
    with pytest.raises(Refused, match="Install podman"):
        await connected("/nowhere/podman", ContainerImages(podman.IMAGE, "x"))


async def test_what_the_machine_enforces_is_asked(tmp_path: Path, vendor: ContainerCli) -> None:
    program = tmp_path / "sandboxes/podman"
    assert (await connected(str(program), ContainerImages(podman.IMAGE, "x"))).capabilities.hard_limits
    rootless = {"host": {"security": {"rootless": True}, "cgroupVersion": "v1", "cgroupControllers": ["cpu"]}}
    for info, hard in (
        (rootless, False),
        ({"MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True}, True),
        ({"MemoryLimit": True, "PidsLimit": False, "CpuCfsQuota": True}, False),
    ):
        said = tmp_path / "docker"
        said.write_text(f"#!/bin/sh\necho '{json.dumps(info)}'\n")
        said.chmod(0o755)
        capabilities = (await connected(str(said), ContainerImages(podman.IMAGE, "x"))).capabilities
        assert (capabilities.hard_limits, capabilities.tier.split(",")[0]) == (hard, "docker")
