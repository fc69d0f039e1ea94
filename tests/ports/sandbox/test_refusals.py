"""Machines where no sandbox can run, and settings that make no sense: refused, with the exact fix."""

import os
from pathlib import Path

import pytest

from activities.sandbox import cgroups
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.mounts import Mount, parse_mounts
from activities.sandbox.probe import probe
from tests.ports.sandbox.providers import made
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import BadSpec, PolicyUnsupported, SandboxSpec

pytestmark = pytest.mark.sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> BubblewrapSandbox:
    return BubblewrapSandbox(tmp_path / "sandboxes")


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Put a bwrap on PATH that refuses like the one of another system, and says so if it runs a command."""
    folder.mkdir(mode=0o755)
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


async def test_a_machine_that_can_is_told_its_tier(sandbox: BubblewrapSandbox) -> None:
    found = await probe(sandbox)
    assert (found.ok, found.fix) == (True, "")
    assert found.tier.startswith("bubblewrap, ")
    assert found.tier in found.message
    assert await sandbox.list({}) == []


async def test_without_bubblewrap(sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PolicyUnsupported, match="apt install bubblewrap"):
        await made(sandbox)
    found = await probe(sandbox)
    assert not found.ok
    assert "not on PATH" in found.message
    assert "0.8" in found.fix


@pytest.mark.parametrize(
    ("said", "message", "fix"),
    [
        ("bwrap: setting up uid map: Permission denied", "AppArmor", "bwrap-userns-restrict"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "AppArmor", "apparmor-profiles"),
        (
            "bwrap: Creating new namespace failed, likely because of limits (ENOSPC)",
            "user namespaces",
            "user.max_user_namespaces",
        ),
        (
            "bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged",
            "user namespaces",
            "unprivileged_userns_clone",
        ),
        ("bwrap: Unknown option --disable-userns", "too old", "Install bubblewrap 0.8"),
        ("bwrap: the moon is full", "the moon is full", "bwrap --version"),
    ],
)
async def test_what_other_systems_say_is_understood(
    sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, message: str, fix: str
) -> None:
    os.chmod(tmp_path, 0o755)  # noqa: PTH101, S103
    pretend(tmp_path / "bin", monkeypatch, said)
    found = await probe(sandbox)
    assert not found.ok
    assert message in found.message
    assert fix in found.fix
    with pytest.raises(PolicyUnsupported) as refused:
        await made(sandbox)
    assert fix in str(refused.value)
    assert await sandbox.list({}) == [], "and nothing was made to run in"


@pytest.mark.parametrize("key", [".", "..", ".hidden"])
async def test_keys_that_would_be_other_folders(sandbox: BubblewrapSandbox, key: str) -> None:
    with pytest.raises(BadSpec):
        await sandbox.ensure(SandboxSpec(key=key))
    await sandbox.destroy(key)


async def test_a_mount_that_is_not_there(tmp_path: Path) -> None:
    sandbox = BubblewrapSandbox(tmp_path / "sandboxes", parse_mounts(f"{tmp_path}/absent:/opt/x"))
    with pytest.raises(PolicyUnsupported, match="PAWL_SANDBOX_MOUNTS"):
        await made(sandbox)


def test_mounts_as_operators_write_them() -> None:
    assert parse_mounts("") == ()
    assert parse_mounts("/a, /b/c:/opt/d ,") == (
        Mount(source=Path("/a"), target="/a"),
        Mount(source=Path("/b/c"), target="/opt/d"),
    )


@pytest.mark.parametrize("text", ["a", "/a:b", "/a:/", "/a:/work/x", "/a:/tmp", "/a:/opt/../etc", "/proc", "/a:/etc"])
def test_mounts_that_make_no_sense(text: str) -> None:
    with pytest.raises(BadSpec):
        parse_mounts(text)


@pytest.mark.parametrize("inside", ["/usr", "/usr/", "/usr/bin", "/usr/lib", "/bin", "/lib64/x", "/sbin"])
def test_mounts_that_would_hide_the_system(inside: str) -> None:
    with pytest.raises(BadSpec, match=r"hide the programs.*/opt/.*PAWL_SANDBOX_PATH"):
        parse_mounts(f"/srv/tools:{inside}")
    assert parse_mounts("/usr/local/go")


LIMITS = SandboxLimits(memory_mb=100, processes=50)
HALF = LIMITS.model_copy(update={"cpus": 0.5})


def test_cgroups_of_version_1_are_made_below_our_own(tmp_path: Path) -> None:
    for folder in ("memory/ours", "pids"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "membership").write_text("4:memory:/ours\n8:pids:/\n0::/\n")
    found = cgroups.find(tmp_path, str(tmp_path / "membership"))
    assert found is not None
    assert found.plan("box/job", LIMITS) == [
        (f"{tmp_path}/memory/ours/pawl/box/job", [("memory.limit_in_bytes", "104857600")]),
        (f"{tmp_path}/pids/pawl/box/job", [("pids.max", "58")]),
    ]
    assert found.oom_events("box/job") == f"{tmp_path}/memory/ours/pawl/box/job/memory.oom_control"
    assert found.plan("box/job", HALF) == found.plan("box/job", LIMITS), "the controller is not there"


def test_processors_of_version_1_are_never_more_than_our_own_groups_have(tmp_path: Path) -> None:
    for folder in ("memory", "pids", "cpu/ours/pawl"):
        (tmp_path / folder).mkdir(parents=True)
    for folder, quota in (("cpu", -1), ("cpu/ours", 20_000), ("cpu/ours/pawl", -1)):
        (tmp_path / folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        (tmp_path / folder / "cpu.cfs_period_us").write_text("50000\n")
    (tmp_path / "membership").write_text("2:cpuacct,cpu:/ours\n4:memory:/\n8:pids:/\n")
    found = cgroups.find(tmp_path, str(tmp_path / "membership"))
    assert found is not None
    for cpus, quota in ((0.25, 25_000), (0.5, 40_000), (0.001, 1_000)):
        group = found.plan("box/job", LIMITS.model_copy(update={"cpus": cpus}))[2]
        values = [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", str(quota))]
        assert group == (f"{tmp_path}/cpu/ours/pawl/box/job", values)
    assert len(found.plan("box/job", LIMITS)) == 2


def test_cgroups_of_version_2_need_their_controllers(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/system.slice/x.service\n")
    controllers = tmp_path / "cgroup.controllers"
    controllers.write_text("cpuset cpu io\n")
    assert cgroups.find(tmp_path, str(tmp_path / "membership")) is None
    controllers.write_text("cpuset cpu io memory pids\n")
    found = cgroups.find(tmp_path, str(tmp_path / "membership"))
    assert found is not None
    assert (tmp_path / "pawl/cgroup.subtree_control").read_text() == "+cpu", "asked for after the others"
    assert found.plan("box/job", LIMITS) == [
        (f"{tmp_path}/pawl/box/job", [("memory.max", "104857600"), ("memory.oom.group", "1"), ("pids.max", "58")])
    ]
    ((_, values),) = found.plan("box/job", HALF)
    assert values[-1] == ("cpu.max", "50000 100000")
    assert cgroups.find(None) is None
