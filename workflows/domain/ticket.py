"""The ticket: what a tracker holds, and where Pawl is with it."""

from enum import StrEnum

from pydantic import Field

from workflows.domain.model import Record


class TicketRef(Record):
    """The stable key of a ticket. `id` is the tracker's immutable id, never the shown identifier."""

    tracker: str
    id: str

    @property
    def key(self) -> str:
        """`tracker:id`, the form used in workflow ids."""
        return f"{self.tracker}:{self.id}"


class Phase(StrEnum):
    """Where a ticket is. The value is what people read on the card, in the UI and in the terminal."""

    TODO = "Todo"
    PLANNING = "Planning"
    PLAN_GATE = "Plan gate"
    BUILDING = "Building"
    PUSH_GATE = "Push gate"
    REVIEWING = "Reviewing"
    MERGE_GATE = "Merge gate"
    QUESTION = "Question"
    BUDGET_GATE = "Budget gate"
    BLOCKED = "Blocked"
    DONE = "Done"
    DECLINED = "Declined"
    GAVE_UP = "Gave up"
    CANCELLED = "Cancelled"
    TAKEN_OVER = "Taken over"

    @property
    def waits_for_a_person(self) -> bool:
        return self in _WAITING

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_WAITING = frozenset(
    {Phase.PLAN_GATE, Phase.PUSH_GATE, Phase.MERGE_GATE, Phase.QUESTION, Phase.BUDGET_GATE, Phase.BLOCKED}
)
_FINAL = frozenset({Phase.DONE, Phase.DECLINED, Phase.GAVE_UP, Phase.CANCELLED, Phase.TAKEN_OVER})


class Attachment(Record):
    """A file on a ticket, as it was fetched. Untrusted."""

    name: str = Field(max_length=200)
    media_type: str = Field(max_length=100)
    content: str
    """Journal reference of the bytes."""


class Ticket(Record):
    """One item of the tracker, as read at one moment."""

    ref: TicketRef
    identifier: str
    """What people call it, ENG-12. Shown, never used as a key."""
    title: str
    body: str = ""
    """Markdown. Untrusted: it is data to the agent, never an instruction to Pawl."""
    status: str
    """The card's column, in the tracker's own words."""
    version: int = 0
    """Grows with every change of the ticket; a claim on an old version is lost."""
    labels: tuple[str, ...] = ()
    url: str = ""
    team: str = ""
    """The team, project or repository it is filed in, by the key people know; empty: the tracker has none."""
    closed: bool = False
    """The tracker says that nothing is to be done any more: completed, cancelled or archived."""
    attachments: tuple[Attachment, ...] = ()
    """Files and pictures people put on it, at most 20."""
    ours: bool = False
    """Whether Pawl itself has filed it, by what nobody else can write. Told where open tickets are listed."""
