"""Floods beyond those of test_limits: the host keeps its memory, its disk, its process numbers and its calm."""

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.ports.sandbox.escape.raw import raw
from tests.ports.sandbox.providers import MODEST, host_processes, made, python, ran, shell
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import ExitReason, Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox

BOMBS = {
    "children": "while True:\n try: os.fork()\n except OSError: time.sleep(0.02)",
    "sessions": """
while True:
    try:
        if os.fork() == 0: os.setsid(); os.fork()
    except OSError: time.sleep(0.02)
""",
    "threads": """
import threading
def more():
    while True:
        try: threading.Thread(target=more, daemon=True).start()
        except RuntimeError: time.sleep(0.02)
more()
""",
    "shells": """
open("/work/b", "w").write("#!/bin/sh\\n/work/b & /work/b & wait\\n"); os.chmod("/work/b", 0o755)
os.execv("/work/b", ["/work/b", str(MARK)])
""",
    "zombies": """
while True:
    try:
        if os.fork() == 0: os._exit(0)
    except OSError: time.sleep(0.02)
""",
}


@pytest.mark.parametrize("kind", BOMBS)
async def test_processes_have_an_end(sandbox: Sandbox, ref: SandboxRef, mark: str, kind: str) -> None:
    bomb = f"MARK = {mark}\n{BOMBS[kind]}"
    async with host_stays_usable(sandbox, ref):
        await sandbox.start(ref, "j", python(raw(bomb), timeout_seconds=1))
        most = 0
        while (view := await sandbox.poll(ref, "j", wait_seconds=0.1)).reason is None:
            most = max(most, len(host_processes(mark)))
    assert most <= MODEST.processes + 10
    assert view.reason in (ExitReason.TIMEOUT, ExitReason.OOM, ExitReason.EXITED, ExitReason.SIGNALLED)
    assert not host_processes(mark)


HELD = {
    "pages": "held = []\nwhile True: held.append(bytes([1]) * 4_000_000)",
    "pages of many": """
for _ in range(8):
    if os.fork() == 0:
        held = b"x" * 60_000_000; time.sleep(30)
time.sleep(30)
""",
    "pages mapped together": """
import mmap
held = mmap.mmap(-1, 600_000_000)
for at in range(0, 600_000_000, 4096): held[at] = 1
time.sleep(30)
""",
}


@pytest.mark.parametrize("what", HELD)
async def test_memory_has_an_end(sandbox: Sandbox, ref: SandboxRef, what: str) -> None:
    async with host_stays_usable(sandbox, ref):
        view = await ran(sandbox, ref, "j", python(raw(HELD[what]), timeout_seconds=20))
    assert view.reason in (ExitReason.OOM, ExitReason.SIGNALLED) or b"MemoryError" in view.err


async def test_a_disk_filled_in_every_way_is_emptied_by_removal(sandbox: Sandbox, tmp_path: Path) -> None:
    """Content, folders, links with long targets, and space that is only set aside."""
    ref = await made(sandbox, "full", SandboxLimits(memory_mb=512, disk_mb=16))
    ways = {
        "content": "for n in range(100): open(f'c{n}', 'wb').write(bytes([1]) * 1_000_000)",
        "folders": "for n in range(5_000): os.mkdir(f'd{n}')",
        "links": "for n in range(5_000): os.symlink('x' * 4000, f'l{n}')",
        "allocation": "for n in range(20): os.posix_fallocate(os.open(f'a{n}', os.O_CREAT | os.O_RDWR), 0, 8_000_000)",
    }
    for n, (way, script) in enumerate(ways.items()):
        async with host_stays_usable(sandbox, ref):
            view = await ran(sandbox, ref, f"j{n}", python(f"import os, time\n{script}\ntime.sleep(12)"))
            assert view.reason is ExitReason.DISK, way
            await ran(sandbox, ref, f"k{n}", "find . -mindepth 1 -maxdepth 1 ! -name home -exec rm -rf {} +")
    await sandbox.destroy(ref.key)
    assert not list((tmp_path / "sandboxes").iterdir())


async def test_holes_are_free_and_do_not_fill_anything(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    script = "for n in $(seq 100); do truncate -s 50M s$n; done; truncate -s 1T huge; sleep 0.3; echo done"
    view = await ran(sandbox, ref, "j", script)
    assert (view.reason, view.out) == (ExitReason.EXITED, b"done\n")
    assert used_by(tmp_path / "sandboxes") < 16 << 20


async def test_output_is_kept_up_to_a_limit_by_every_stream(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    async with host_stays_usable(sandbox, ref):
        flood = "for n in 1 2 3 4 5 6; do (yes err >&2 & yes out) & done; sleep 60"
        view = await ran(sandbox, ref, "j", shell(flood, timeout_seconds=1.5))
    assert (view.reason, view.truncated) == (ExitReason.TIMEOUT, True)
    assert used_by(tmp_path / "sandboxes/one/jobs") < 40 << 20


async def test_a_flood_of_open_files_pipes_and_sockets(sandbox: Sandbox, ref: SandboxRef) -> None:
    flood = """
kept = []
for _ in range(20):
    if os.fork() == 0:
        try:
            while len(kept) < 3000:
                kept.append(os.pipe()); kept.append(socket.socketpair()); kept.append(os.open("/work", os.O_RDONLY))
        except OSError: pass
        time.sleep(30)
time.sleep(30)
"""
    async with host_stays_usable(sandbox, ref):
        view = await ran(sandbox, ref, "j", python(raw(flood), timeout_seconds=1.5))
    # disk: whoever keeps more than 100,000 files open is over it, if somebody looks
    assert view.reason in (ExitReason.TIMEOUT, ExitReason.OOM, ExitReason.DISK)


async def test_many_jobs_of_a_flooding_sandbox_leave_the_others_alone(sandbox: Sandbox, ref: SandboxRef) -> None:
    calm = await made(sandbox, "calm")
    for n in range(6):
        await sandbox.start(ref, f"j{n}", shell("while :; do :; done & yes & yes >&2 & wait", timeout_seconds=20))
    assert (await ran(sandbox, calm, "k", "echo calm")).out == b"calm\n"
    await asyncio.gather(*(sandbox.kill(ref, f"j{n}") for n in range(6)))


@asynccontextmanager
async def host_stays_usable(sandbox: Sandbox, ref: SandboxRef) -> AsyncGenerator[None]:
    """During and after the flood this machine starts processes and writes files, and so does the sandbox after it."""
    yield
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(subprocess.call, ["true"]) == 0
    os.close(os.memfd_create("host"))
    assert (await ran(sandbox, ref, f"after-{os.urandom(4).hex()}", "echo fine")).out == b"fine\n"


def used_by(folder: Path) -> int:
    """Bytes on the disk below the folder."""
    said = subprocess.run(["du", "-s", "--block-size=1", folder], capture_output=True, check=True)
    return int(said.stdout.split()[0])
