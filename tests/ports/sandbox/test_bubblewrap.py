"""What only local sandboxes do: their files are ours to tidy."""

import asyncio
from pathlib import Path

import pytest

from activities.sandbox.local import LocalSandbox
from tests.ports.sandbox.providers import PROVIDERS, host_processes, made, shell, until
from workflows.ports.sandbox import Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


async def test_a_removal_that_was_cut_off_is_finished(
    sandbox: Sandbox, ref: SandboxRef, provider: str, mark: str, tmp_path: Path
) -> None:
    await sandbox.start(ref, "j", shell(f"sleep {mark}", timeout_seconds=60))
    await until(lambda: bool(host_processes(f"sleep\0{mark}")))
    (tmp_path / "sandboxes" / ref.key).rename(tmp_path / "sandboxes" / ".gone-half")
    next_worker = PROVIDERS[provider](tmp_path / "sandboxes")
    await made(next_worker, "new")
    assert not host_processes(mark)
    assert not (tmp_path / "sandboxes" / ".gone-half").exists()


async def test_a_removal_that_a_sweep_was_faster_at_is_done(sandbox: Sandbox, tmp_path: Path) -> None:
    assert isinstance(sandbox, LocalSandbox)
    for n in range(30):
        key = (await made(sandbox, f"s{n}")).key
        await asyncio.gather(sandbox.sweep(), sandbox.destroy(key), sandbox.sweep(), sandbox.sweep())
    assert not list((tmp_path / "sandboxes").glob(".gone-*"))
