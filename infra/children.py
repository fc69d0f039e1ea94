"""Child processes of ours that a cancelled caller leaves nothing of."""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any


async def started(*argv: str, **how: Any) -> asyncio.subprocess.Process:
    """`asyncio.create_subprocess_exec`, with the same errors. Cancelled in the middle, it has ended what it started.

    asyncio alone kills the process there but none that it has started itself, and then waits until the last of those
    has closed the pipes.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*argv, **how))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(OSError):
            await ended(await starting)
        raise


async def ended(process: asyncio.subprocess.Process) -> None:
    """Kill what still runs, with its whole group if it leads one, and wait for its end."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    await process.wait()
