"""`pawl sync`: look at the trackers now, for whatever no webhook has told."""

import asyncio
import uuid
from datetime import timedelta

from rich.console import Console as Terminal
from temporalio import exceptions
from temporalio.client import Client, WorkflowFailureError

from infra.connections import Connections, GitHub, connections_file, read_connections
from infra.console import Console, safe
from infra.exits import Misused, OutOfReach
from infra.following import tell_troubles
from infra.settings import Settings
from infra.temporal import connect, translated
from workflows import names
from workflows.domain.words import counted
from workflows.ports.intake import Reconciled
from workflows.sync import SyncOrder

_PATIENCE = timedelta(minutes=3)
_AGAIN = "What was missed is found by the next look."


async def sync(console: Console, settings: Settings, tracker: str, days: float) -> None:
    """Look at one tracker, or at all. Raises NotFound, Misused, and OutOfReach with the cause when a look fails."""
    wanted = _wanted(settings, read_connections(settings), tracker)
    client = await connect(settings)
    seen = {name: await _look(console, client, name, days) for name in wanted}

    def show(terminal: Terminal) -> None:
        for name, found in seen.items():
            started = f"started {safe(', '.join(found.started))}" if found.started else "nothing to start"
            looks = f", had {counted(found.nudged, 'ticket')} look at its pull request" if found.nudged else ""
            more = f", {counted(found.redelivered, 'failed webhook')} asked for again" if found.redelivered else ""
            terminal.print(f"[bold]{safe(name)}[/]: {started}; passed on {counted(found.told, 'change')}{looks}{more}.")

    console.result({"synced": seen}, show)


def _wanted(settings: Settings, table: Connections, tracker: str) -> list[str]:
    there = sorted(table.trackers | {name for name, _ in table.of(GitHub)})
    if not there:
        raise Misused(
            "There is no tracker to look at: no connection and no route name one.",
            f"Set a key (LINEAR_API_KEY, ...) and PAWL_REPOSITORY, or write {connections_file(settings)}.",
        )
    if tracker and tracker not in there:
        raise Misused(f"No tracker is called {tracker!r}.", f"There is: {', '.join(there)}.")
    return [tracker] if tracker else there


async def _look(console: Console, client: Client, tracker: str, days: float) -> Reconciled:
    """Tells what stands in the way meanwhile."""
    with translated(f"the look at {tracker}"):
        handle = await client.start_workflow(
            "Sync",
            SyncOrder(tracker=tracker, days=days),
            id=f"{names.sync_id(tracker)}:now-{uuid.uuid4().hex[:8]}",
            task_queue=names.WORK,
            result_type=Reconciled,
            execution_timeout=_PATIENCE,
            static_summary=f"Look at {tracker}: somebody typed `pawl sync`",
        )
    telling = asyncio.create_task(tell_troubles(client, handle.id, lambda trouble: console.remark(trouble.sentence)))
    try:
        with translated(f"the look at {tracker}"):
            return await handle.result()
    except WorkflowFailureError as error:
        raise OutOfReach(f"The look at {tracker} failed: {_why(error)}", _AGAIN) from error
    finally:
        telling.cancel()
        await asyncio.wait([telling])


def _why(error: WorkflowFailureError) -> str:
    if isinstance(error.cause, exceptions.TimeoutError):
        return f"it did not end in {_PATIENCE.total_seconds() / 60:.0f} minutes; is a worker running (`pawl up`)?"
    cause = error.cause.cause if isinstance(error.cause, exceptions.ActivityError) else error.cause
    return str(getattr(cause, "message", cause))
