"""What our program inside of remote sandboxes does beyond the contract, asked of the least vendor there is."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.remote import archive
from activities.sandbox.remote.sandbox import RemoteSandbox
from tests.fakes.box_vendor import BoxVendor
from tests.ports.sandbox.providers import FEW, MODEST, host_processes, made, python, ran, shell, until
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import BadSpec, ExitReason, JobState, SandboxRef, SandboxSpec, Transient

pytestmark = pytest.mark.sandbox
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's box has one user, who owns all in it")


@pytest.fixture
async def vendor(tmp_path: Path) -> AsyncGenerator[BoxVendor]:
    vendor = BoxVendor(tmp_path / "sandboxes")
    yield vendor
    for info in await vendor.list({}):
        await vendor.remove(info.ref.key)


@pytest.fixture
def sandbox(vendor: BoxVendor) -> RemoteSandbox:
    return RemoteSandbox(vendor)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def ours(sleeper: int) -> tuple[int, int]:
    """The keeper and the watcher above a sleeping command."""
    keeper = sleeper
    while b".pyz" not in Path(f"/proc/{keeper}/cmdline").read_bytes():
        keeper = parent_of(keeper)
    return keeper, parent_of(keeper)


@pytest.mark.parametrize("victim", ["keeper", "watcher"])
async def test_either_of_the_two_dies_and_the_other_ends_the_job(
    sandbox: RemoteSandbox, ref: SandboxRef, victim: str, mark: str
) -> None:
    script = f"(setsid sleep {mark} &) ; setsid nohup sleep {mark} & trap '' TERM; sleep {mark}"
    await sandbox.start(ref, "j", shell(script))
    await until(lambda: len(host_processes(f"sleep\0{mark}")) == 3)
    keeper, watcher = ours(host_processes(f"sleep\0{mark}")[0])
    os.kill(keeper if victim == "keeper" else watcher, signal.SIGKILL)
    view = await sandbox.poll(ref, "j", wait_seconds=10)
    assert (view.state, view.reason, view.code) == (JobState.EXITED, ExitReason.GONE, None)
    await until(lambda: not host_processes(mark))
    assert (await ran(sandbox, ref, "k", "echo on")).out == b"on\n"


async def test_a_sandbox_that_was_restarted_has_lost_its_running_jobs(
    sandbox: RemoteSandbox, vendor: BoxVendor, ref: SandboxRef, mark: str
) -> None:
    await ran(sandbox, ref, "ended", "echo kept; exit 3")
    await sandbox.start(ref, "j", shell(f"echo begun; sleep {mark}"))
    await until(lambda: bool(host_processes(f"sleep\0{mark}")))
    box = vendor.box_of(ref.key)
    await box.stop()
    await box.start()
    view = await sandbox.poll(ref, "j", wait_seconds=5)
    assert (view.reason, view.out) == (ExitReason.GONE, b"begun\n")
    kept = await sandbox.poll(ref, "ended")
    assert (kept.reason, kept.code, kept.out) == (ExitReason.EXITED, 3, b"kept\n")
    await sandbox.kill(ref, "j")
    assert (await ran(sandbox, ref, "k", "echo on")).out == b"on\n"


async def test_a_snapshot_has_the_files_and_none_of_the_jobs(sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    await ran(sandbox, ref, "j", "echo kept > f")
    image = await sandbox.snapshot(ref)
    await ran(sandbox, ref, "k", "echo later > f")
    other = await sandbox.ensure(SandboxSpec(key="other", snapshot=image, limits=MODEST))
    with pytest.raises(BadSpec):
        await sandbox.poll(other, "j")
    assert (await ran(sandbox, other, "j", "cat f; touch f new && echo mine")).out == b"kept\nmine\n"


async def test_a_worker_that_only_knows_the_reference(vendor: BoxVendor, sandbox: RemoteSandbox) -> None:
    ref = await made(sandbox, limits=SandboxLimits(memory_mb=256, disk_mb=64, processes=64, seconds=1))
    await made(sandbox)  # asks for 60 seconds, too late
    other = RemoteSandbox(vendor)
    assert (await ran(other, ref, "j", shell("echo begun; sleep 20"))).reason is ExitReason.TIMEOUT


async def test_it_comes_back_when_it_was_lost(vendor: BoxVendor, sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    (program,) = vendor.box_of(ref.key).host("/opt/pawl").glob("*.pyz")
    program.unlink()
    with pytest.raises(Transient):
        await sandbox.start(ref, "j", shell("echo ran"))
    assert (await ran(sandbox, ref, "j", "echo ran")).out == b"ran\n"


async def test_large_files_leave_nothing_on_their_way(
    vendor: BoxVendor, sandbox: RemoteSandbox, ref: SandboxRef
) -> None:
    data = os.urandom(3 << 20)
    await sandbox.write(ref, "large", data, 0o640)
    assert await sandbox.read(ref, "large", len(data)) == data
    with pytest.raises(BadSpec):
        await sandbox.read(ref, "large", len(data) - 1)
    stage = vendor.box_of(ref.key).host("/opt/pawl")
    assert not [*stage.glob("in/*"), *stage.glob("out/*")]


@as_root
async def test_a_command_cannot_touch_its_own_record(sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    script = """
        id -u; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status | cut -f2; ls /proc/self/fd | tr '\\n' ' '
        for pid in $(ls /proc | grep '^[0-9]'); do
            grep -qa '[p]yz' /proc/$pid/cmdline && kill -9 $pid 2>/dev/null && echo killed $pid
        done
        ls /opt/pawl/jobs; touch /opt/pawl/x; echo x >> /proc/$PPID/cwd/exit; su root; setpriv --reuid 0 id
    """
    view = await ran(sandbox, ref, "j", script + "exit 5")
    assert (view.reason, view.code) == (ExitReason.EXITED, 5)
    assert view.out == b"1000\n0000000000000000\n1\n0 1 2 3 "


@as_root
async def test_what_an_image_has_in_work_belongs_to_the_commands(
    vendor: BoxVendor, sandbox: RemoteSandbox, tmp_path: Path
) -> None:
    await vendor.make(SandboxSpec(key="one"))
    work = vendor.box_of("one").host("/work")
    (work / "repo").mkdir()
    (work / "repo/f").touch()
    outside = tmp_path / "outside"
    outside.touch()
    (work / "link").symlink_to(outside)
    ref = await made(sandbox)
    assert (await ran(sandbox, ref, "j", "touch repo/f repo/new && stat -c %u . repo/f link home")).out == b"1000\n" * 4
    assert outside.stat().st_uid == 0


async def test_a_tree_that_wants_too_much_memory(sandbox: RemoteSandbox, ref: SandboxRef, mark: str) -> None:
    greedy = f"""
import ctypes, os, time
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # hides its memory map
for _ in range(5):
    if os.fork() == 0:
        kept = b"x" * 80_000_000
        time.sleep({mark})
time.sleep({mark})
"""
    view = await ran(sandbox, ref, "j", python(greedy))
    assert (view.reason, view.code) == (ExitReason.OOM, None)
    assert not host_processes(mark)


async def test_the_machine_that_hosts_this_one_is_out_of_reach(sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    script = """
import socket
for family in (socket.AF_INET, socket.AF_UNIX, 40):
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
        print(int(family), "opened")
    except OSError as error:
        print(int(family), error.strerror)
"""
    view = await ran(sandbox, ref, "j", python(script))
    assert view.out.decode().splitlines() == ["2 opened", "1 opened", "40 Operation not permitted"]


async def test_shared_memory_counts_once(sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    shared = "import os, time\nkept = b'x' * 120_000_000\nfor _ in range(3):\n    os.fork()\ntime.sleep(0.5)"
    assert (await ran(sandbox, ref, "j", python(shared))).reason is ExitReason.EXITED


async def test_a_fork_bomb(sandbox: RemoteSandbox, mark: str) -> None:
    ref = await made(sandbox, limits=FEW)
    bomb = f"""
import os, time
mark = {mark}
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.02)
"""
    view = await ran(sandbox, ref, "j", python(bomb, timeout_seconds=1.5))
    assert view.reason in (ExitReason.TIMEOUT, ExitReason.OOM)
    assert not host_processes(mark)
    assert (await ran(sandbox, ref, "k", "echo fine")).out == b"fine\n"


async def test_disk(sandbox: RemoteSandbox, ref: SandboxRef) -> None:
    many = "mkdir -p many; for i in $(seq 60); do head -c 10000000 /dev/zero > many/$i; done; sleep 12"
    assert (await ran(sandbox, ref, "j", many)).reason is ExitReason.DISK
    freed = await ran(sandbox, ref, "k", "rm -r many; sleep 0.4; echo freed")
    assert (freed.reason, freed.out) == (ExitReason.EXITED, b"freed\n")
    endless = "with open('/work/f', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))"
    view = await ran(sandbox, ref, "l", python(endless))
    assert view.reason is ExitReason.DISK or view.code == 1


def test_the_program_is_plain_python_3_8_of_the_standard_library(tmp_path: Path) -> None:
    """Read as an old Python reads it, and run where nothing is installed."""
    for module in archive.MODULES:
        text = (archive.SOURCES / module).read_text()
        ast.parse(text, feature_version=(3, 8))
        assert "from __future__ import annotations" in text or "->" not in text, module
    program = tmp_path / archive.built().name
    program.write_bytes(archive.built().data)
    call = [sys.executable, "-I", "-S", str(program), "kill", '{"at": "nowhere", "job": "none"}']
    assert subprocess.run(call, capture_output=True, text=True, check=True).stdout == "{}\n"
