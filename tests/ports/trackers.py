"""One rig per tracker: the adapter, and the hands of a person at the vendor's board."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Self

from activities.journal.sql import SqlJournal
from activities.tracker.board import BoardTracker
from activities.tracker.openproject.tracker import OpenProjectTracker
from infra import board
from infra.journal import JournalStore
from infra.openproject import Place
from tests.fakes.openproject import KEY, OpenProjectDouble
from tests.fakes.openproject_world import FIELD
from tests.fakes.service import no_kept_connections, serving
from workflows.domain.ticket import Ticket, TicketRef
from workflows.ports.tracker import FindNews, Tracker


class TrackerRig(ABC):
    """Used as `async with`: what it needs runs as long."""

    tracker: Tracker
    words_are_news: ClassVar[bool] = True
    """Whether a look finds what people say."""

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


class BoardRig(TrackerRig):
    words_are_news = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tracker = BoardTracker(folder)

    async def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> TicketRef:
        number = len(board.list_tickets(self.folder).tickets) + 1
        return board.create_ticket(self.folder, f"T-{number}", title, body, labels=labels).ref

    async def look(self, ref: TicketRef) -> Ticket:
        return board.read(self.folder, ref.id)

    async def drag(self, ref: TicketRef, status: str) -> None:
        old = (await self.look(ref)).status
        self._edit(ref, f"status: {old}", f"status: {status}")

    async def say(self, ref: TicketRef, text: str) -> None:
        file = self.folder / f"{ref.id}.md"
        heading = "" if board.COMMENTS in file.read_text() else f"\n{board.COMMENTS}\n"
        file.write_text(f"{file.read_text()}{heading}\n{text}\n")

    async def thread(self, ref: TicketRef) -> str:
        return (self.folder / f"{ref.id}.md").read_text().partition(board.COMMENTS)[2]

    async def titles(self) -> list[str]:
        return [ticket.title for ticket in board.list_tickets(self.folder).tickets]

    def _edit(self, ref: TicketRef, old: str, new: str) -> None:
        file = self.folder / f"{ref.id}.md"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))


class OpenProjectRig(TrackerRig):
    def __init__(self, folder: Path) -> None:
        self.store = JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects")
        self.double = OpenProjectDouble()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        url = await self._open.enter_async_context(serving(self.double.app))
        http = await self._open.enter_async_context(no_kept_connections())
        self.place = Place(name="openproject", url=url, note_field=FIELD)
        self.journal = SqlJournal(self.store)
        self.open_project = self.tracker = OpenProjectTracker(self.place, http, KEY, self.journal)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        self.store.close()
        assert not self.double.app.unforeseen

    async def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> TicketRef:
        return self.place.ref(self.double.file(title, body, labels))

    async def look(self, ref: TicketRef) -> Ticket:
        search = FindNews(
            tracker="openproject", since=datetime.now(UTC) + timedelta(days=1), routes=(), under_way=(ref,)
        )
        (seen,) = (await self.tracker.find_news(search)).cards
        return seen.card

    async def drag(self, ref: TicketRef, status: str) -> None:
        self.double.move(int(ref.id), status)

    async def say(self, ref: TicketRef, text: str) -> None:
        self.double.say(int(ref.id), text)

    async def thread(self, ref: TicketRef) -> str:
        return "\n\n".join(self.double.said(int(ref.id)))

    async def titles(self) -> list[str]:
        return [card.subject for card in self.double.cards.values()]


RIGS: dict[str, Callable[[Path], TrackerRig]] = {"board": BoardRig, "openproject": OpenProjectRig}
