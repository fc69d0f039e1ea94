"""Record histories: `python -m tests.replay.record [STORY ...]` plays the stories on a server and keeps what happened.

A history that exists is never replaced: it stands for tickets that are in flight somewhere.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from infra import devserver, temporal_cli
from infra.payloads import DATA_CONVERTER
from infra.settings import Settings
from infra.temporal import exit_now
from tests.replay.after import AFTER
from tests.replay.nights import NIGHTS, NightStory
from tests.replay.people import PEOPLE
from tests.replay.stories import STORIES, Story
from tests.workflows.conftest import Run, a_worker
from workflows import names
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import TicketRef
from workflows.ticket import Ticket

_STACK_TRACE = re.compile(r'"stackTrace": "(?:[^"\\]|\\.)*"')
FOLDER = Path(__file__).parent / "histories"


@asynccontextmanager
async def server() -> AsyncGenerator[Client]:
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        program, ports = await temporal_cli.provided(settings, print), devserver.free_ports(settings)
        process = subprocess.Popen(  # noqa: ASYNC220  # at start, with nothing else to do
            devserver.command(program, ports, None), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            address = f"127.0.0.1:{ports.temporal}"
            while not await devserver.serves(address):  # noqa: ASYNC110  # another process: no event to wait for
                await asyncio.sleep(0.05)
            yield await Client.connect(address, data_converter=DATA_CONVERTER)
        finally:
            process.kill()
            process.wait()


async def record(client: Client, name: str, story: Story) -> None:
    queue = f"record-{name}"
    ref = TicketRef(tracker="board", id=f"STORY-{name}")
    wanted = {"ref": ref, "identifier": ref.id, "repository": "/srv/hinge", "model": "tape:x", **story.order}
    order = TicketOrder.model_validate(wanted)
    async with a_worker(client, story.world, queue):
        handle = await client.start_workflow(Ticket.run, order, id=names.ticket_workflow_id(ref), task_queue=queue)
        run = Run(handle)
        account = (await run.status()).account
        await story.people(run)
        await run.outcome()
    await keep(handle, name)
    for role in story.sessions:
        session = names.session_workflow_id(names.session_key(account, role, 1))
        await keep(client.get_workflow_handle(session), f"{name}.{role}")


async def record_night(client: Client, name: str, story: NightStory) -> None:
    queue = f"record-{name}"
    async with a_worker(client, story.world, queue):
        for flow, handle in (await story.play(client, name, queue)).items():
            await keep(handle, f"{name}.{flow}")


async def keep(handle: WorkflowHandle[Any, Any], name: str) -> None:
    path = FOLDER / f"{name}.json"
    if path.exists():
        print(f"{path.name} exists and stays")
        return
    recorded = (await handle.fetch_history()).to_json()
    path.write_text(_STACK_TRACE.sub('"stackTrace": ""', recorded))  # they name folders of this machine
    print(f"{path.name} recorded")


async def main(wanted: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    async with server() as client:
        for story in (*STORIES, *PEOPLE, *AFTER):
            if not wanted or story.__name__ in wanted:
                await record(client, story.__name__, story())
        for night in NIGHTS:
            if not wanted or night.__name__ in wanted:
                await record_night(client, night.__name__, night())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
    exit_now(0)
