"""A traced process waits for its tracer on its way out, if the tracer has asked for it, even when it is killed."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from tests.ports.sandbox.escape.raw import raw, tries
from tests.ports.sandbox.providers import host_processes, python, until
from workflows.ports.sandbox import Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("end", ["kill", "death of the supervisor"])
async def test_a_first_process_that_is_traced_dies_all_the_same(
    sandbox: Sandbox, ref: SandboxRef, mark: str, tmp_path: Path, end: str
) -> None:
    script = f"""
if os.fork() == 0:
    call("ptrace", 0x4206, 1, 0, 0x40)
    open("/work/ready", "w").close(); time.sleep({mark})
time.sleep({mark})
"""
    await sandbox.start(ref, "j", python(raw(script), timeout_seconds=60))
    await until(lambda: (tmp_path / "sandboxes/one/work/ready").exists())
    started = time.monotonic()
    try:
        if end == "kill":
            await sandbox.kill(ref, "j")
        else:
            [pid] = (tmp_path / "sandboxes/one/jobs").glob("j-*/pid")
            os.kill(int(pid.read_text()), 9)
            await asyncio.sleep(1)
        assert not host_processes(mark)
        assert time.monotonic() - started < 5
    finally:
        for left in host_processes(mark):
            os.kill(left, 9)


async def test_no_process_waits_for_its_tracer_on_its_way_out(sandbox: Sandbox, ref: SandboxRef) -> None:
    """By whatever call the tracer asks for it; the rest of tracing is of use."""
    await tries(
        sandbox,
        ref,
        """
child = os.fork()
if child == 0: time.sleep(20); os._exit(0)
refused("seize", call("ptrace", 0x4206, child, 0, 0x40))
refused("seize and more", call("ptrace", 0x4206, child, 0, 0x7f))
if call("ptrace", 16, child, 0, 0) != 0: print("no attaching")
os.waitpid(child, 0)
refused("options", call("ptrace", 0x4200, child, 0, 0x40))
refused("options by their old number", call("ptrace", 21, child, 0, 0x40))
if call("ptrace", 0x4200, child, 0, 0x3f) != 0: print("no other options")
if call("ptrace", 17, child, 0, 0) != 0: print("no detaching")
if call("ptrace", 0x4206, child, 0, 0x3f) != 0: print("no seizing")
os.kill(child, 9)
""",
    )
