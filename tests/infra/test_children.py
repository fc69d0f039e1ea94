"""A caller that is cancelled while it starts a process, or while that runs: nothing is left."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from infra.children import ended, started

TICKS = range(1, 12)
"""Turns of the event loop after which the caller is cancelled: most are in mid-start."""


async def call(*argv: str, leader: bool) -> None:
    process = await started(*argv, stdout=asyncio.subprocess.PIPE, start_new_session=leader)
    try:
        await process.communicate()
    finally:
        await ended(process)


def running(mark: str) -> list[Path]:
    """Processes with this in their arguments."""
    found: list[Path] = []
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if mark.encode() in told.read_bytes():
                found.append(told)
    return found


@pytest.mark.parametrize("ticks", TICKS)
async def test_a_start_that_is_cancelled_leaves_no_process_and_ends(ticks: int) -> None:
    mark = f"300.{uuid4().int % 10**12:012}"
    calling = asyncio.create_task(call("sh", "-c", f"sleep {mark} & wait", leader=True))
    for _ in range(ticks):
        await asyncio.sleep(0)
    time.sleep(0.1)  # noqa: ASYNC251  # the process gets on while our side of its start waits
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await calling
    assert not running(mark)


async def test_what_leads_no_group_ends_alone() -> None:
    """Our own group is its group too."""
    calling = asyncio.create_task(call("sleep", "300", leader=False))
    await asyncio.sleep(0.05)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(FileNotFoundError):
        await started("no-such-program-anywhere")
