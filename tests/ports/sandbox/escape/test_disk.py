"""Disk that no look at the tree finds."""

import os
from pathlib import Path

import pytest

from tests.ports.sandbox.escape.raw import raw
from tests.ports.sandbox.providers import MODEST, python, ran, until
from workflows.ports.sandbox import ExitReason, Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox

# Three hundred megabytes, where sixty-four are allowed.
HELD = {
    "by who removed them": """
for n in range(12):
    kept.append(open("/work/f", "wb")); os.unlink("/work/f")
    for _ in range(30): kept[-1].write(bytes(1_000_000))
    kept[-1].flush(); time.sleep(0.02)
""",
    "by processes that cannot be dumped": """
for n in range(12):
    if os.fork() == 0:
        libc.prctl(4, 0)
        kept.append(open(f"/work/{n}", "wb")); os.unlink(f"/work/{n}")
        for _ in range(30): kept[-1].write(bytes(1_000_000))
        kept[-1].flush(); time.sleep(5); os._exit(0)
    time.sleep(0.05)
""",
    "without ever having had a name": """
for n in range(12):
    kept.append(os.open("/work", os.O_TMPFILE | os.O_WRONLY, 0o600))
    for _ in range(30): os.write(kept[-1], bytes(1_000_000))
    time.sleep(0.02)
""",
}


LOCKED = """
for n in range(12):
    os.mkdir(f"/work/{n}")
    with open(f"/work/{n}/f", "wb") as f:
        for _ in range(30): f.write(bytes(1_000_000))
    os.chmod(f"/work/{n}", 0); time.sleep(PAUSE)
time.sleep(50 * PAUSE)
"""


@pytest.mark.parametrize("how", HELD)
async def test_removed_files_that_are_kept_open_are_counted(sandbox: Sandbox, ref: SandboxRef, how: str) -> None:
    view = await ran(sandbox, ref, "j", python(raw(f"kept = []\n{HELD[how]}\ntime.sleep(12)")))
    assert view.reason is ExitReason.DISK, view


async def test_removed_files_within_the_limit_are_fine(sandbox: Sandbox, ref: SandboxRef) -> None:
    """Of one file that many processes hold, there is one; what is in memory is no disk."""
    script = """
kept.append(open("/work/f", "wb")); os.unlink("/work/f")
memory = os.memfd_create("x")
os.write(memory, bytes(50_000_000))
for n in range(8):
    if os.fork() == 0: time.sleep(2); os._exit(0)
for _ in range(30): kept[-1].write(bytes(1_000_000))
kept[-1].flush()
with open("/work/g", "wb") as g:  # enough for a look
    for _ in range(25): g.write(bytes(1_000_000)); time.sleep(0.02)
os.unlink("/work/g")
time.sleep(0.2)
"""
    view = await ran(sandbox, ref, "j", python(raw(f"kept = []\n{script}")))
    assert (view.reason, view.code) == (ExitReason.EXITED, 0), view


async def test_more_descriptors_than_can_be_looked_at_are_too_much(
    sandbox: Sandbox, ref: SandboxRef, tmp_path: Path
) -> None:
    """While somebody looks at them, nothing else is watched."""
    script = """
import resource
for n in range(40):
    if os.fork() == 0:
        for _ in range(min(4_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)): os.dup(0)
        open(f"/work/{n}", "w").close(); time.sleep(20); os._exit(0)
while len(os.listdir("/work")) < 40 + 1: time.sleep(0.01)
open("/work/ready", "w").close(); time.sleep(20)
"""
    await sandbox.start(ref, "j", python(raw(script)))
    await until(lambda: (tmp_path / "sandboxes/one/work/ready").exists())
    with (tmp_path / "others").open("wb") as others:  # the reason to look is not the sandbox's
        os.posix_fallocate(others.fileno(), 0, MODEST.disk_mb << 21)
        view = await sandbox.poll(ref, "j", wait_seconds=10)
    assert view.reason is ExitReason.DISK, view


@pytest.mark.parametrize("pause", [0, 0.02])
async def test_what_is_in_locked_folders_is_counted(sandbox: Sandbox, ref: SandboxRef, pause: float) -> None:
    """While the command runs, and when it has ended before anybody could look."""
    view = await ran(sandbox, ref, "j", python(raw(f"PAUSE = {pause}\n{LOCKED}")))
    assert view.reason is ExitReason.DISK, view


async def test_locked_folders_within_the_limit_are_fine(sandbox: Sandbox, ref: SandboxRef) -> None:
    script = "mkdir d && head -c 30000000 /dev/zero > d/f && chmod 0 d && sleep 0.3"
    view = await ran(sandbox, ref, "j", script)
    assert (view.reason, view.code) == (ExitReason.EXITED, 0), view
