"""The notebook and the schedules of the world in memory, and a tracker that remembers what it was given."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from temporalio import activity

from activities.errors import stop
from workflows.domain.failures import Failure
from workflows.domain.ticket import Ticket, TicketRef
from workflows.domain.triage import Entry, TriageState
from workflows.domain.unattended import AuditEntry
from workflows.ports.audit import Audit
from workflows.ports.notebook import KeepNotebook, Notebook, Opened, OpenNotebook
from workflows.ports.schedules import PauseSchedule, Schedules
from workflows.ports.tracker import FileTicket, ListOpen, OpenTickets, RewriteTicket


@dataclass
class Cards:
    """A board: tickets by the key they were filed with, and those of other people."""

    filed: dict[str, Ticket] = field(default_factory=dict[str, Ticket])
    others: list[Ticket] = field(default_factory=list[Ticket])
    closes_all: bool = False
    """Somebody closes whatever is filed, at once."""

    def file(self, filing: FileTicket) -> Ticket:
        if filing.key not in self.filed:
            identifier = f"F-{len(self.filed) + 1}"
            self.filed[filing.key] = Ticket(
                ref=TicketRef(tracker=filing.tracker, id=f"{identifier}-{filing.key.partition(':')[2][:30]}"),
                identifier=identifier,
                title=filing.title,
                body=filing.body,
                labels=filing.labels,
                status="Todo",
                closed=self.closes_all,
                ours=True,
            )
        return self.filed[filing.key]

    def open(self, listing: ListOpen) -> OpenTickets:
        there = [ticket for ticket in (*self.filed.values(), *self.others) if not ticket.closed]
        wanted = [ticket for ticket in there if set(listing.labels) <= set(ticket.labels)]
        return OpenTickets.of(wanted, listing)

    def rewrite(self, request: RewriteTicket) -> Ticket:
        key = next((key for key, ticket in self.filed.items() if ticket.ref == request.ref), None)
        if key is None:
            raise stop(Failure.TICKET_NOT_FOUND, f"There is no {request.ref.id}.")
        self.filed[key] = self.filed[key].model_copy(update={"title": request.title, "body": request.body})
        return self.filed[key]

    def close(self, identifier: str) -> None:
        """As a person does who has read it."""
        for key, ticket in self.filed.items():
            if ticket.identifier == identifier:
                self.filed[key] = ticket.model_copy(update={"closed": True})


class Kept(Protocol):
    """What these need of the world."""

    state: TriageState
    set_aside: str

    async def heard(self, request: Any) -> None: ...


@dataclass
class WorldNotebook(Notebook):
    world: Kept

    @activity.defn
    async def open_notebook(self, request: OpenNotebook) -> Opened:
        await self.world.heard(request)
        said, self.world.set_aside = self.world.set_aside, ""
        return Opened(state=self.world.state, path="/triage/hinge.yaml", set_aside=said)

    @activity.defn
    async def keep_notebook(self, request: KeepNotebook) -> TriageState:
        await self.world.heard(request)
        self.world.state = kept(self.world.state, request)
        return self.world.state


@dataclass
class WorldSchedules(Schedules):
    world: Kept

    @activity.defn
    async def pause_schedule(self, request: PauseSchedule) -> None:
        await self.world.heard(request)


@dataclass
class WorldAudit(Audit):
    world: Kept

    @activity.defn
    async def append_audit(self, entry: AuditEntry) -> None:
        await self.world.heard(entry)


KEPT = (WorldNotebook, WorldSchedules, WorldAudit)


def kept(state: TriageState, request: KeepNotebook) -> TriageState:
    """What a person has written meanwhile wins: an entry that is not as it was seen stays."""
    seen = {entry.id: entry for entry in request.seen}
    entries: dict[str, Entry] = {entry.id: entry for entry in state.findings}
    for entry in request.entries:
        now = entries.get(entry.id)
        if now == seen.get(entry.id):
            entries[entry.id] = entry
    cursor = {
        "seen_until": request.seen_until or state.seen_until,
        "base": request.base or state.base,
        "saw": state.saw if request.saw is None else request.saw,
        "inbox": request.inbox or state.inbox,
        "told": request.told or state.told,
        "inboxes": state.inboxes if request.inboxes is None else request.inboxes,
    }
    return state.model_copy(update={"findings": tuple(entries.values()), **cursor})
