"""How long sandboxes and their commands live when nobody asks for them, and what is cleared away with them."""

import fcntl
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from activities.sandbox.bubblewrap import BubblewrapSandbox
from tests.ports.sandbox.providers import MODEST, host_processes, made, ran, shell, until
from workflows.ports.sandbox import ExitReason, Gone, SandboxRef, SandboxSpec

pytestmark = pytest.mark.sandbox


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "sandboxes"


@pytest.fixture
async def sandbox(root: Path) -> AsyncGenerator[BubblewrapSandbox]:
    sandbox = BubblewrapSandbox(root, cgroup_root=None)
    yield sandbox
    for info in await sandbox.list({}):
        await sandbox.destroy(info.ref.key)


async def brief(sandbox: BubblewrapSandbox, key: str = "one", lifetime: int = 3_600, idle: int = 1) -> SandboxRef:
    return await sandbox.ensure(SandboxSpec(key=key, limits=MODEST, lifetime_seconds=lifetime, idle_seconds=idle))


def age(folder: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder, (then, then))


async def test_a_command_nobody_asks_for_is_ended(sandbox: BubblewrapSandbox, mark: str) -> None:
    ref = await brief(sandbox)
    await sandbox.start(ref, "j", shell(f"echo begun; setsid sleep {mark} & sleep {mark}", timeout_seconds=60))
    await until(lambda: len(host_processes(f"sleep\0{mark}")) == 2)
    await until(lambda: not host_processes(mark))
    view = await sandbox.poll(ref, "j", wait_seconds=5)
    assert (view.reason, view.code, view.out) == (ExitReason.KILLED, None, b"begun\n")


async def test_a_command_somebody_waits_for_is_not(sandbox: BubblewrapSandbox) -> None:
    view = await ran(sandbox, await brief(sandbox), "j", "sleep 2.5; echo done")
    assert (view.reason, view.out) == (ExitReason.EXITED, b"done\n")


USES: dict[str, Callable[[BubblewrapSandbox, SandboxRef], Awaitable[object]]] = {
    "ensure": lambda sandbox, ref: made(sandbox, ref.key),
    "start": lambda sandbox, ref: sandbox.start(ref, "another", shell("true")),
    "poll": lambda sandbox, ref: sandbox.poll(ref, "j"),
    "kill": lambda sandbox, ref: sandbox.kill(ref, "j"),
    "read": lambda sandbox, ref: sandbox.read(ref, "file", 10),
    "write": lambda sandbox, ref: sandbox.write(ref, "file", b""),
    "snapshot": lambda sandbox, ref: sandbox.snapshot(ref),
}


@pytest.mark.parametrize("use", USES)
async def test_whoever_asks_for_a_sandbox_renews_its_lease(sandbox: BubblewrapSandbox, root: Path, use: str) -> None:
    ref = await brief(sandbox, idle=100)
    await ran(sandbox, ref, "j", "touch file")
    age(root / "one/lease", 90)
    await USES[use](sandbox, ref)
    assert time.time() - (root / "one/lease").stat().st_mtime < 60
    age(root / "one/lease", 90)
    await sandbox.list({})
    assert time.time() - (root / "one/lease").stat().st_mtime > 60, "a look at all of them is no use"


async def test_sandboxes_that_are_idle_or_old_are_swept(sandbox: BubblewrapSandbox, root: Path) -> None:
    idle, old, _ = [
        await brief(sandbox, "idle", idle=100),
        await brief(sandbox, "old", lifetime=0),
        await brief(sandbox, "used", idle=100),
    ]
    age(root / "idle/lease", 101)
    age(root / "used/lease", 99)
    assert await sandbox.sweep() == ("idle", "old")
    assert [info.ref.key for info in await sandbox.list({})] == ["used"]
    for ref in (idle, old):
        with pytest.raises(Gone):
            await sandbox.read(ref, "x", 10)
    assert sorted(path.name for path in root.iterdir()) == ["used"], "and nothing is left of them"


async def test_what_works_is_not_swept(sandbox: BubblewrapSandbox, root: Path, mark: str) -> None:
    ref = await brief(sandbox, lifetime=0, idle=100)
    await sandbox.start(ref, "j", shell(f"sleep {mark}", timeout_seconds=60))
    await until(lambda: bool(host_processes(f"sleep\0{mark}")))
    age(root / "one/lease", 101)
    assert await sandbox.sweep() == ()
    await sandbox.kill(ref, "j")
    held = os.open(root / "one", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    assert await sandbox.sweep() == (), "somebody is just using it"
    os.close(held)
    assert await sandbox.sweep() == ("one",)


async def test_who_asks_for_a_new_sandbox_has_the_old_ones_swept(sandbox: BubblewrapSandbox, root: Path) -> None:
    left_behind = await brief(sandbox, lifetime=0)
    next_worker = BubblewrapSandbox(root, cgroup_root=None)
    await made(next_worker, "new")
    assert [info.ref.key for info in await sandbox.list({})] == ["new"]
    await brief(sandbox, "two", lifetime=0)
    await made(next_worker, "three")
    assert len(await sandbox.list({})) == 3, "but not at every step"
    assert (await brief(sandbox, "one")).instance != left_behind.instance


async def test_what_dead_workers_left_is_cleared(sandbox: BubblewrapSandbox, root: Path) -> None:
    ref = await made(sandbox)
    kept, unused = await sandbox.snapshot(ref), await sandbox.snapshot(ref)
    age(root / ".images" / unused, 31 * 86_400)
    age(root / ".images" / kept, 29 * 86_400)
    for place in (root, root / ".images"):
        for name in (".new-dead", ".new-young", ".new-held", ".gone-dead"):
            (place / name / "work").mkdir(parents=True)
            age(place / name, 10 if name == ".new-young" else 3_600)
    held = [os.open(place / ".new-held", os.O_RDONLY) for place in (root, root / ".images")]
    for fd in held:
        fcntl.flock(fd, fcntl.LOCK_EX)
    await sandbox.sweep()
    assert sorted(path.name for path in root.iterdir()) == [".images", ".new-held", ".new-young", "one"]
    assert sorted(path.name for path in (root / ".images").iterdir()) == [".new-held", ".new-young", kept]
    for fd in held:
        os.close(fd)
