"""What is left when a demo ends in the middle of a command: nothing."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.bubblewrap import BubblewrapSandbox
from infra.errands import errand
from infra.settings import Settings
from tests.ports.sandbox.providers import MODEST, host_processes, shell, until
from workflows.ports.sandbox import OURS, SandboxSpec

pytestmark = pytest.mark.sandbox
END = "end-sandboxes"


@pytest.fixture(autouse=True)
def _nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Whoever runs the tests may have an installation with sandboxes that are to live."""
    for name in [name for name in os.environ if name.startswith("PAWL_")]:
        monkeypatch.delenv(name)


def settings(home: Path, **more: str) -> Settings:
    return Settings(home=home, sandbox_path="/usr/bin:/bin", **more)  # pyright: ignore[reportArgumentType]


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncGenerator[BubblewrapSandbox]:
    sandbox = BubblewrapSandbox(tmp_path / "sandboxes")
    yield sandbox
    for info in await sandbox.list({}):
        await sandbox.destroy(info.ref.key)


async def test_all_of_the_installation_end_with_their_commands_and_supervisors(
    sandbox: BubblewrapSandbox, tmp_path: Path, mark: str
) -> None:
    for key in ("one", "two"):
        ref = await sandbox.ensure(SandboxSpec(key=key, labels=dict(OURS), limits=MODEST))
        await sandbox.start(ref, "job", shell(f"sleep {mark}"))
    await until(lambda: len(host_processes(f"sleep\0{mark}")) == 2)
    ran = await asyncio.to_thread(errand, settings(tmp_path), END)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert not host_processes(str(tmp_path)), "supervisors name their sandbox's folder"
    assert not host_processes(mark)
    assert await sandbox.list({}) == []


def test_there_may_be_none(tmp_path: Path) -> None:
    assert errand(settings(tmp_path), END).returncode == 0


def test_a_provider_that_is_not_set_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODAL_TOKEN_ID", raising=False)
    ran = errand(settings(tmp_path, sandbox="modal"), END)
    assert ran.returncode == 1
    assert "PAWL_SANDBOX=modal needs MODAL_TOKEN_ID" in ran.stderr


def test_check_tells_in_one_line_whether_a_sandbox_runs(tmp_path: Path) -> None:
    told = json.loads(errand(settings(tmp_path), "check-sandbox").stdout)
    assert told["ok"], told
