"""The sandbox providers this machine can run, and short ways to use them in tests."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from activities.sandbox import cgroups
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.mounts import Mount
from activities.sandbox.remote.sandbox import RemoteSandbox
from tests.fakes import northflank, podman, runloop
from tests.fakes.box_vendor import BoxVendor
from tests.live import modal_is_live
from tests.ports.sandbox.web_vendors import WEB_VENDORS
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import Command, JobState, JobView, Sandbox, SandboxRef, SandboxSpec

MODEST = SandboxLimits(memory_mb=256, processes=128, disk_mb=64, seconds=60)
FEW = MODEST.model_copy(update={"processes": 32})
"""For fork bombs in containers. All containers here share one uid, and what the kernel counts by it: they must leave
the others some of what is MODEST."""
PYTHON = "python3" if modal_is_live() else "/opt/python/bin/python3"
_PROGRAMS = (Mount(source=Path(sys.base_prefix), target="/opt/python"),)


def with_cgroup(root: Path) -> Sandbox:
    return BubblewrapSandbox(root, _PROGRAMS)


def without_cgroup(root: Path) -> Sandbox:
    return BubblewrapSandbox(root, _PROGRAMS, cgroup_root=None)


def in_boxes(root: Path) -> Sandbox:
    return RemoteSandbox(BoxVendor(root))


def at_modal(root: Path) -> Sandbox:
    from tests.ports.sandbox.modal.double import modal_vendor  # takes a second, which only this provider pays

    return RemoteSandbox(modal_vendor(root))


@asynccontextmanager
async def nothing_to_serve(_: Path) -> AsyncGenerator[None]:
    yield


@dataclass(frozen=True)
class Provider:
    """One provider under test. Called with a folder it opens what a worker uses: the same folder, the same sandboxes,
    in whatever process."""

    open: Callable[[Path], Sandbox]
    supervisor: str = ".pyz"
    """A word on the command line of the process that runs a job."""
    serving: Callable[[Path], AbstractAsyncContextManager[None]] = nothing_to_serve
    """The double of the service, told the folder, for as long as a test runs."""

    def __call__(self, root: Path) -> Sandbox:
        return self.open(root)


LOCAL = {"limits and watchdog": Provider(without_cgroup, "supervisor.main")}
"""Where a sandbox's files are below the folder, and its limits are exact enough to be measured."""
if os.geteuid() == 0 and cgroups.find(cgroups.FILE_SYSTEM):
    LOCAL["cgroup"] = Provider(with_cgroup, "supervisor.main")

DOUBLES = {
    "box": Provider(in_boxes),
    "modal": Provider(at_modal),
    "e2b": Provider(WEB_VENDORS["e2b"].open, serving=WEB_VENDORS["e2b"].serving),
    "daytona": Provider(WEB_VENDORS["daytona"].open, serving=WEB_VENDORS["daytona"].serving),
    "runloop": Provider(lambda root: RemoteSandbox(runloop.vendor(root)), serving=runloop.serving_below),
    "northflank": Provider(lambda root: RemoteSandbox(northflank.vendor(root)), serving=northflank.serving_below),
}
"""Vendors' real clients, each with a double of its service on this machine."""
_PODMAN = {"podman": Provider(podman.opened, serving=podman.serving)} if podman.found() else {}
_EVERY = {**LOCAL, **_PODMAN, **DOUBLES}
_ONLY = os.environ.get("PAWL_TEST_PROVIDERS") or ",".join(_EVERY)
PROVIDERS = {name: provider for name, provider in _EVERY.items() if name in _ONLY.split(",")}
"""Those that run here, or, of them, the ones somebody asks for."""


async def made(sandbox: Sandbox, key: str = "one", limits: SandboxLimits = MODEST) -> SandboxRef:
    return await sandbox.ensure(SandboxSpec(key=key, limits=limits))


def shell(script: str, timeout_seconds: float = 30, stdin: bytes = b"", **env: str) -> Command:
    return Command(argv=("sh", "-c", script), timeout_seconds=timeout_seconds, stdin=stdin, env=env)


def python(script: str, timeout_seconds: float = 30) -> Command:
    return Command(argv=(PYTHON, "-I", "-S", "-c", script), timeout_seconds=timeout_seconds)


async def ran(sandbox: Sandbox, ref: SandboxRef, job: str, command: Command | str) -> JobView:
    """Start a job and see its end."""
    await sandbox.start(ref, job, command if isinstance(command, Command) else shell(command))
    view = await sandbox.poll(ref, job, wait_seconds=60)
    assert view.state is JobState.EXITED
    return view


def host_processes(mark: str) -> list[int]:
    """Processes of this machine that have the mark on their command line, zombies left out."""
    if modal_is_live():
        pytest.skip("the processes of sandboxes at Modal are out of sight")
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for what happens in other processes."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.03)
