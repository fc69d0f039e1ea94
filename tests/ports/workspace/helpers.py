"""What tests of checkouts share."""

import asyncio
import os
import signal
from pathlib import Path

from activities.git import TrustedClones
from workflows.domain.environment import EnvironmentKind, Prepare, environment
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.workspace import Checkout

FILES: dict[str, str | bytes] = {
    "README": "hello\n",
    "src/code.py": "x = 1\n",
    "data.bin": bytes(range(256)),
    ".gitignore": "ignored/\n",
}


async def sh(checkout: Checkout, job: str, command: str) -> str:
    ran = await checkout.run(job, command, 20)
    assert ran.ok, ran
    return ran.output


async def prepared(clones: TrustedClones, order: WorkspaceOrder, prepare: Prepare) -> WorkspaceOrder:
    """The order as the context makes it for this preparation."""
    blobs = await clones.blobs(order.repository, order.repository.base_sha)
    return order.model_copy(update={"environment": environment(EnvironmentKind.PLAIN, prepare, blobs)})


async def images(journal: Journal) -> int:
    return len(await journal.entries("prepared:bubblewrap:origin"))


def called(order: WorkspaceOrder, key: str) -> WorkspaceOrder:
    return order.model_copy(update={"key": key})


async def kill_supervisor(jobs: Path, job: str) -> None:
    """Kill the process beside a job as soon as there is one."""
    os.kill(await supervisor(jobs, job), signal.SIGKILL)


async def supervisor(jobs: Path, job: str) -> int:
    """The process beside a job, as soon as there is one."""
    async with asyncio.timeout(20):
        while not (written := "".join(file.read_text() for file in jobs.glob(f"{job}/pid"))):  # noqa: ASYNC110
            await asyncio.sleep(0)
    return int(written)
