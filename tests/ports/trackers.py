"""One rig per tracker: the adapter, and the hands of a person at the vendor's board."""

from abc import ABC, abstractmethod
from pathlib import Path

from activities.tracker.board import BoardTracker
from infra import board
from workflows.domain.ticket import Ticket, TicketRef
from workflows.ports.tracker import Tracker


class TrackerRig(ABC):
    tracker: Tracker

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


class BoardRig(TrackerRig):
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

    def _edit(self, ref: TicketRef, old: str, new: str) -> None:
        file = self.folder / f"{ref.id}.md"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))


RIGS = {"board": BoardRig}
