"""What the contract suites need of every tracker: the adapter, and the hands of a person at the vendor's board."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from workflows.domain.people import Trust
from workflows.domain.ticket import Ticket, TicketRef
from workflows.ports.tracker import Tracker


class TrackerRig(ABC):
    """Used as `async with`: what it needs runs as long."""

    tracker: Tracker
    name: str
    """Of its connection."""
    words_are_news: ClassVar[bool] = True
    """Whether a look finds what people say."""
    trust: ClassVar[Trust] = Trust.MEMBER
    """What a look alone says of a member who writes."""
    words_change_the_version: ClassVar[bool] = True
    """Whether the tracker promises that a comment changes its ticket's version."""

    knows_its_own: ClassVar[bool] = True
    """Whether it tells what Pawl filed from what the hands of people have added here."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    @abstractmethod
    async def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> TicketRef:
        """A person files a ticket in Todo."""

    @abstractmethod
    async def look(self, ref: TicketRef) -> Ticket:
        """What a poller reads."""

    @abstractmethod
    async def drag(self, ref: TicketRef, status: str) -> None:
        """A person moves the card."""

    @abstractmethod
    async def say(self, ref: TicketRef, text: str) -> None:
        """A person comments."""

    @abstractmethod
    async def thread(self, ref: TicketRef) -> str:
        """All comments, in order."""

    @abstractmethod
    async def titles(self) -> list[str]:
        """Of all tickets there are."""

    async def links(self, ref: TicketRef) -> str:
        """Where people find the links of a ticket, as text: its comments, where there is no other place for them."""
        return await self.thread(ref)

    async def note(self, ref: TicketRef, text: str) -> bool:
        """A person writes at the end of a ticket of ours; False where nobody else can."""
        return False

    @abstractmethod
    async def copy(self, ref: TicketRef) -> bool:
        """A person files what looks like this ticket: title, text, labels, and every mark on it that can be copied.
        Whether that is a ticket at all."""

    def lose_the_reply(self) -> bool:
        """Of the next change of a ticket, which is made; False where no service is between."""
        return False
