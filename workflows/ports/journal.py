"""The append-only record of every session outside the workflow history."""

from abc import ABC, abstractmethod
from datetime import datetime
from enum import StrEnum

from workflows.domain.model import Record


class EntryKind(StrEnum):
    PROMPT = "prompt"
    STEER = "steer"
    ANSWER = "answer"
    """A model answer as the agent understood it; the provider's own bytes are at the gateway."""
    INTENT = "intent"
    """A write that was decided and not yet done."""
    TOOL = "tool"
    """A tool call's result."""
    STATE = "state"
    """A kept workspace state."""
    KEPT = "kept"
    """A state that was taken out of a workspace, with its bytes: what the ticket's turns may keep is limited."""
    TURN = "turn"
    """A finished turn."""
    IMAGE = "image"
    """A prepared image of a repository's environment."""
    IMAGE_USED = "image_used"
    """A day on which a prepared image was made or used: the provider's reference."""
    IMAGE_RETIRED = "image_retired"
    """No sandbox is to be made of the image any more: it is about to be removed."""
    IMAGE_REMOVED = "image_removed"
    TRIED = "tried"
    """How one run of a command ended, for whoever asked how often it fails."""
    EGRESS = "egress"
    """What a command was let reach, or not, with bytes: a journal reference to lines of JSON."""


class Entry(Record):
    session: str
    seq: int
    """The turn, from 1; 0 for what belongs to the whole session."""
    kind: EntryKind
    key: str
    """Unique in the session."""
    body: str
    """JSON text, or a journal reference where the kind says so."""
    at: datetime | None = None
    """When it was written, set by the journal."""


def egress_entry(session: str, job: str, instance: str, body: str) -> Entry:
    """What a job of a sandbox was let reach. Whoever keeps it, and however often: one entry for each job."""
    return Entry(session=session, seq=0, kind=EntryKind.EGRESS, key=f"egress-{job}@{instance}", body=body)


class Journal(ABC):
    """Append-only and put-if-absent, so that whoever writes first is right and a retry reads what was done.

    Its methods are not activities: adapters use them inside activities. All are durable when they return.
    """

    @abstractmethod
    async def put(self, entry: Entry) -> Entry:
        """Write the entry unless its (session, key) exists; return what is stored."""

    @abstractmethod
    async def get(self, session: str, key: str) -> Entry | None: ...

    @abstractmethod
    async def entries(self, session: str, first: int = 0, last: int | None = None) -> list[Entry]:
        """The session's entries with first <= seq <= last, in the order they were written."""

    @abstractmethod
    async def keep(self, data: bytes) -> str:
        """Store bytes, return their reference: `sha256:<hex>`. The same bytes have the same reference."""

    @abstractmethod
    async def load(self, ref: str) -> bytes:
        """The bytes of a reference. Raises KeyError when there are none."""

    async def keep_text(self, text: str) -> str:
        return await self.keep(text.encode())

    async def load_text(self, ref: str) -> str:
        return (await self.load(ref)).decode()
