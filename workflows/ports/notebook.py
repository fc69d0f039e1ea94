"""What triage remembers of a repository from night to night, in a file that people read and edit."""

from abc import abstractmethod
from datetime import datetime, timedelta

from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.model import Record
from workflows.domain.ticket import TicketRef
from workflows.domain.triage import Entry, TriageState
from workflows.ports import PATIENT, Port


class OpenNotebook(Record):
    name: str
    """The loop's: `triage:shop-3f2a`."""
    repository: str
    """As the schedule names it."""
    at: datetime | None = None
    """The night's moment, which may be of a simulated time."""


class Opened(Record):
    state: TriageState
    """As much of it as travels: see domain.triage_size."""
    path: str
    """Where people find the file."""
    set_aside: str = ""
    """Where a file that could not be read was put, and why, in words; empty: it could be read. The state is then that
    of the last good file. Said again at each opening until the notebook was kept."""
    doubt: str = ""
    """What else of the file is not taken as it stands, and why, in words; empty: nothing."""


class KeepNotebook(Record):
    """What a night has learned. Entries are put in by id; the file's others stay."""

    name: str
    repository: str
    seen: tuple[Entry, ...] = ()
    """As the notebook had them when it was opened, or after it was last kept, for those of `entries` that were there:
    what is otherwise in the file, or not in here, was written by a person since then, and wins until the notebook is
    opened again. So does the deletion of an entry."""
    entries: tuple[Entry, ...] = ()
    """What is in none of them stays as it is in the file."""
    seen_until: datetime | None = None
    """None: the cursor stays where it is."""
    base: str = ""
    saw: tuple[str, ...] | None = None
    """None: as it was."""
    inbox: TicketRef | None = None
    inboxes: int | None = None
    told: str = ""
    """Empty or None: that stays, too."""


class Notebook(Port):
    """The state file of each repository."""

    options = ActivityConfig(start_to_close_timeout=timedelta(seconds=30), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def open_notebook(self, request: OpenNotebook) -> Opened:
        """The state as the file has it; a new one where there is none. A file that cannot be read is put aside as it
        is, never overwritten."""

    @activity.defn
    @abstractmethod
    async def keep_notebook(self, request: KeepNotebook) -> TriageState:
        """Write what was learned into the file as it is now, and return as much of that as travels, `entries` first.
        Keeping the same again changes nothing, and what was not carried stays in the file."""
