"""Staying with one ticket of a demo to its end: what happens is told, and a person is asked where one is needed."""

import asyncio
import shlex
import shutil
import sys
from collections.abc import Coroutine
from pathlib import Path

from infra import client, home
from infra.demo.gate import Gate
from infra.demo.screen import Screen
from infra.demo.story import Story, Turns, tell_troubles
from infra.exits import Refused
from infra.following import statuses
from infra.settings import Settings
from infra.stack import Stack
from workflows.domain.decision import Action
from workflows.domain.order import TicketOutcome

_LOOK_SECONDS = 0.2


async def attend(
    stack: Stack,
    started: client.Started,
    identifier: str,
    turns: Turns,
    screen: Screen,
    *,
    yes: bool,
    beside: tuple[Coroutine[None, None, None], ...] = (),
) -> tuple[TicketOutcome, str]:
    """How it ended, and its account. What is to happen `beside` goes on until then. Raises Refused when the ticket was
    ended in Temporal."""
    link = home.ui_link(stack.ui_url, started.workflow_id, started.run_id)
    screen.line(f"Watch it in the Temporal UI: {link}")

    def elsewhere(action: Action) -> list[str]:
        return [
            f"Another terminal:    {command(stack.settings, f'{action} {identifier}')}",
            f'The Temporal UI:     {link} -> "Send a Signal" -> {action}',
        ]

    gate = Gate(screen, stack.client, started.workflow_id, yes=yes, elsewhere=elsewhere)
    troubles = tell_troubles(stack.client, started.workflow_id, screen)
    tasks = [asyncio.create_task(one) for one in (troubles, *beside)]
    story, account = Story(screen), ""
    try:
        async for status in statuses(stack.client, started.workflow_id, _LOOK_SECONDS):
            await turns.tell()
            story.tell(status)
            account = status.account
            await gate.attend(status)
            for task in tasks:
                if task.done():
                    task.result()
    finally:
        await gate.close()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    outcome = await client.ticket_outcome(stack.client, started.workflow_id)
    if outcome is None:
        raise Refused(
            f"{identifier} was ended in Temporal, without a word of its own.",
            "The Temporal UI shows by whom; start the demo again, and it begins anew.",
        )
    screen.line(f"{outcome.phase}: {outcome.summary}", "bold")
    return outcome, account


def pull_requests(settings: Settings) -> int:
    """How many the local forge holds, by its files."""
    return sum(1 for _ in settings.forge_folder.glob("*.pulls/*/pull.md"))


def show_places(screen: Screen, places: list[tuple[str, str]]) -> None:
    screen.text()
    screen.text("Where to look next", "bold")
    for what, where in places:
        screen.text(f"  {what:<30} {where}")


def command(settings: Settings, words: str) -> str:
    """A `pawl` command for another terminal, as it works on this machine."""
    return f"PAWL_HOME={shlex.quote(str(settings.home))} {pawl()} {words}"


def pawl() -> str:
    """The program as it can be typed here: by name where PATH has it, else the one beside this Python."""
    beside = Path(sys.executable).with_name("pawl")
    return "pawl" if shutil.which("pawl") or not beside.exists() else shlex.quote(str(beside))
