"""What the demo tells of its ticket: its story from the workflow, its turns from the journal, what is in the way."""

import asyncio
import json
import re
import textwrap
from typing import Any, cast

from temporalio.client import Client

from infra import following
from infra.demo.screen import Screen
from infra.following import news
from infra.journal import JournalStore
from workflows.domain.model import Record
from workflows.domain.order import TicketStatus
from workflows.domain.session import TurnReport
from workflows.ports.journal import EntryKind

_NUMBER = re.compile(r"\d+$")
_LINE, _WORDS = 110, 200


class Story:
    """Says each thing once."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._told = ""
        self._pull_request = False

    def tell(self, status: TicketStatus) -> None:
        """What is new in the ticket's own story."""
        for sentence in news(status.story, self._told):
            self._screen.line(_short(sentence.partition(" ")[2], 2 * _WORDS))
        self._told = status.story[-1] if status.story else ""
        if status.pull_request and not self._pull_request:
            self._screen.line(f"Pull request {status.pull_request.number} is open: {status.pull_request.url}", "bold")
            self._pull_request = True


class _Turn(Record):
    """What the demo reads of a finished turn."""

    answer: str
    """Key of the journal entry with the model's answer."""
    report: TurnReport


class Turns:
    """Says of every finished turn, once, what was done in it and why."""

    def __init__(self, journal: JournalStore, screen: Screen) -> None:
        self._journal, self._screen = journal, screen
        self._place = 0

    async def tell(self) -> None:
        for event in await asyncio.to_thread(self._journal.events, kinds=[EntryKind.TURN], after=self._place):
            self._place, turn = event.place, _Turn.model_validate_json(event.entry.body)
            session = _NUMBER.sub(r" \g<0>", event.entry.session.rpartition(".")[2])
            self._screen.line(f"  {session}, turn {event.entry.seq}: {_short(turn.report.summary, _LINE)}")
            answer = await asyncio.to_thread(self._journal.get, event.entry.session, turn.answer)
            if answer and (said := _words(answer.body)):
                self._screen.aside(_short(said, _WORDS))


def _words(answer: str) -> str:
    """What the model said beside its tool calls."""
    messages = cast("list[dict[str, Any]]", json.loads(answer))
    parts = cast("list[dict[str, Any]]", messages[0].get("parts", []) if messages else [])
    return " ".join(str(part.get("content", "")) for part in parts if part.get("part_kind") == "text")


async def tell_troubles(connected: Client, workflow_id: str, screen: Screen) -> None:
    """Say what is in the way, in a line each. Runs until it is cancelled."""
    await following.tell_troubles(
        connected, workflow_id, lambda trouble: screen.line(_short(trouble.sentence, _WORDS), "yellow")
    )


def _short(text: str, most: int) -> str:
    return textwrap.shorten(text, most, placeholder=" ...")
