"""Telling people that a ticket waits for them or has ended."""

from abc import abstractmethod
from datetime import datetime, timedelta

from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.chat import Waiting
from workflows.domain.model import Record
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports import PATIENT, Port


class Note(Record):
    key: str
    """The same key is said once."""
    identifier: str
    phase: Phase
    text: str
    title: str = ""
    """The ticket's."""
    ticket: TicketRef | None = None
    subject: str = ""
    """The hash that waits for a decision."""
    body: str = ""
    """What waits, as Markdown: the plan, the change."""
    url: str = ""
    """Where people read on: the pull request, else the card."""
    alarm: bool = False
    """For the people who keep Pawl running, not only those of the ticket."""


class Digest(Record):
    """What waits for people, for those who keep Pawl running."""

    key: str
    """The same key is said once."""
    at: datetime
    waiting: tuple[Waiting, ...]


class Notify(Port):
    """Telling people that a ticket waits for them or has ended."""

    options = ActivityConfig(start_to_close_timeout=timedelta(seconds=30), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def post_note(self, note: Note) -> None:
        """Say it, once per key."""

    @activity.defn
    @abstractmethod
    async def post_digest(self, digest: Digest) -> None:
        """Say what waits, once per key, where such things are read; nothing where nothing waits."""
