"""Greedy code: memory, processes, disk, files, output, time. The host stays usable and the reason is named."""

import asyncio
from pathlib import Path

import pytest

from tests.ports.sandbox.providers import MODEST, host_processes, made, python, ran, shell
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import ExitReason, Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


async def test_one_process_that_wants_too_much_memory(sandbox: Sandbox, ref: SandboxRef, provider: str) -> None:
    view = await ran(sandbox, ref, "j", python("x = bytearray(600_000_000); print('had it')"))
    assert b"had it" not in view.out
    if provider == "cgroup":
        assert view.reason is ExitReason.OOM
    else:
        assert view.reason is ExitReason.OOM or b"MemoryError" in view.err


async def test_a_tree_that_wants_too_much_memory(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    greedy = f"""
import os, time
for _ in range(5):
    if os.fork() == 0:
        kept = b"x" * 80_000_000
        time.sleep({mark})
time.sleep({mark})
"""
    view = await ran(sandbox, ref, "j", python(greedy))
    assert (view.reason, view.code) == (ExitReason.OOM, None)
    assert not host_processes(mark)


async def test_memory_within_the_limit_is_had(sandbox: Sandbox, ref: SandboxRef) -> None:
    view = await ran(sandbox, ref, "j", python("x = b'x' * 150_000_000; print(len(x))"))
    assert (view.reason, view.out) == (ExitReason.EXITED, b"150000000\n")


async def test_a_fork_bomb(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    bomb = f"""
import os, time
mark = {mark}
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.02)
"""
    await sandbox.start(ref, "j", python(bomb, timeout_seconds=1.5))
    most = 0
    while (view := await sandbox.poll(ref, "j", wait_seconds=0.1)).reason is None:
        most = max(most, len(host_processes(mark)))
    assert view.reason in (ExitReason.TIMEOUT, ExitReason.OOM)
    assert MODEST.processes // 2 < most <= MODEST.processes + 10
    assert not host_processes(mark)
    assert (await ran(sandbox, ref, "k", "echo fine")).out == b"fine\n"


async def test_many_large_files(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    many = "mkdir -p many; for i in $(seq 60); do head -c 10000000 /dev/zero > many/$i; sleep 0.15; done; sleep 12"
    view = await ran(sandbox, ref, "j", many)
    assert (view.reason, view.code) == (ExitReason.DISK, None)
    assert len(list((tmp_path / "sandboxes/one/work/many").iterdir())) < 60
    more = await ran(sandbox, ref, "k", "for i in 1 2 3 4; do head -c 10MB /dev/zero > $i; sleep 0.2; done; sleep 12")
    assert more.reason is ExitReason.DISK, "what is over its limit may not grow"
    less = await ran(sandbox, ref, "l", "sleep 0.4; rm -r many; rm -f 1 2 3 4; sleep 0.4; echo freed")
    assert (less.reason, less.out) == (ExitReason.EXITED, b"freed\n"), "but may shrink"
    assert (await ran(sandbox, ref, "m", "head -c 10000000 /dev/zero > ok; sleep 0.3")).code == 0


async def test_what_grew_until_its_very_end_may_be_removed(sandbox: Sandbox, ref: SandboxRef) -> None:
    """It grows while it is measured, and until it is dead. The next command is not blamed for that."""
    grows = "mkdir many; for i in $(seq 2000); do fallocate -l 1000000 many/$i; sleep 0.01; done; sleep 12"
    assert (await ran(sandbox, ref, "j", grows)).reason is ExitReason.DISK
    less = await ran(sandbox, ref, "k", "sleep 0.4; rm -r many; echo freed")
    assert (less.reason, less.out) == (ExitReason.EXITED, b"freed\n")


async def test_many_large_files_in_a_command_too_short_to_be_watched(sandbox: Sandbox, ref: SandboxRef) -> None:
    script = "for i in 1 2 3 4 5 6 7 8; do fallocate -l 15000000 f$i; done"
    assert (await ran(sandbox, ref, "j", script)).reason is ExitReason.DISK


async def test_one_file_that_is_too_large(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    endless = "with open('/work/f', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))"
    view = await ran(sandbox, ref, "j", python(endless))
    assert view.reason is ExitReason.DISK or view.code == 1
    assert (tmp_path / "sandboxes/one/work/f").stat().st_size <= MODEST.disk_mb << 20


async def test_a_flood_of_empty_files(sandbox: Sandbox) -> None:
    ref = await made(sandbox, "flooded", SandboxLimits(memory_mb=512, disk_mb=16))
    # what neighbours remove meanwhile can hide it from the free space, but not from the look every five seconds
    flood = "import time\nfor n in range(60_000): open(f'/work/home/{n}', 'w').close()\ntime.sleep(12)"
    assert (await ran(sandbox, ref, "j", python(flood))).reason is ExitReason.DISK


async def test_file_systems_in_memory_have_a_size(sandbox: Sandbox, ref: SandboxRef) -> None:
    for n, folder in enumerate(("/tmp", "/dev/shm")):
        view = await ran(sandbox, ref, f"j{n}", f"head -c 300000000 /dev/zero > {folder}/x; stat -c %s {folder}/x")
        assert view.reason is ExitReason.OOM or int(view.out) <= 128 << 20


async def test_the_sandbox_has_a_longest_command(sandbox: Sandbox) -> None:
    ref = await made(sandbox, "short", MODEST.model_copy(update={"seconds": 1}))
    assert (await ran(sandbox, ref, "j", shell("sleep 20", timeout_seconds=20))).reason is ExitReason.TIMEOUT


async def test_many_sandboxes_at_once(sandbox: Sandbox) -> None:
    async def one(n: int) -> bytes:
        ref = await made(sandbox, f"s{n}")
        return (await ran(sandbox, ref, "j", f"echo {n} > mine; cat mine")).out

    assert await asyncio.gather(*(one(n) for n in range(12))) == [f"{n}\n".encode() for n in range(12)]
    assert len(await sandbox.list({})) == 12
