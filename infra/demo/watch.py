"""The kill in plain sight."""

import asyncio
import re
import signal

from infra.demo.screen import Screen
from infra.journal import JournalStore
from infra.parts import Part
from infra.stack import Stack
from workflows.ports.journal import Entry, EntryKind

_COMMANDS = re.compile(r'"(bash|run_checks)"')
_GLANCE_SECONDS = 0.05
_WELL_BEGUN_SECONDS = 0.7
"""How long a turn's tools have been at work when the worker is killed."""
_MOST_ENTRIES = 5_000


async def kill_in_the_middle(stack: Stack, journal: JournalStore, screen: Screen) -> None:
    """Kill the worker once by SIGKILL, while a builder's command runs: the answer is paid for, its work is not done."""
    while (turn := await _turn_well_begun(journal)) is None:  # noqa: ASYNC110  # the journal is written elsewhere
        await asyncio.sleep(_GLANCE_SECONDS)
    screen.line(
        f"Now the demo kills its own worker (process {stack.pid(Part.WORKER)}) with SIGKILL, "
        f"in the middle of the builder's turn {turn.seq}.",
        "bold red",
    )
    stack.kill(Part.WORKER, signal.SIGKILL)
    await stack.wait_healthy()
    screen.line(
        f"The builder goes on in turn {turn.seq}: its answer is in the journal and is not bought again, "
        "its command ran on in the sandbox.",
        "bold green",
    )


async def _turn_well_begun(journal: JournalStore) -> Entry | None:
    turn = await asyncio.to_thread(command_under_way, journal)
    if turn is not None:
        await asyncio.sleep(_WELL_BEGUN_SECONDS)
    return turn if turn and await asyncio.to_thread(command_under_way, journal) == turn else None


def command_under_way(journal: JournalStore) -> Entry | None:
    """The answer of a builder that asked for a command, when its turn has no end yet."""
    events = journal.events(kinds=[EntryKind.ANSWER, EntryKind.TURN], limit=_MOST_ENTRIES)
    entries = [event.entry for event in events]
    done = {(entry.session, entry.seq) for entry in entries if entry.kind is EntryKind.TURN}
    asked = (entry for entry in entries if entry.kind is EntryKind.ANSWER and ".builder" in entry.session)
    return next((e for e in asked if (e.session, e.seq) not in done and _COMMANDS.search(e.body)), None)
