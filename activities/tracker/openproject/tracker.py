"""OpenProject as a tracker: every write to a card carries the version that was read."""

from dataclasses import dataclass, field
from typing import Any

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import again, stop
from activities.tracker.openproject import files, news
from activities.tracker.openproject.client import Client, Conflict, Missing
from activities.tracker.openproject.comments import say_once
from activities.tracker.openproject.desk import Desk
from activities.tracker.openproject.filing import filed, no_field
from activities.tracker.openproject.listing import listed
from activities.tracker.openproject.rewriting import rewritten
from infra.openproject import Note, Place, WorkPackage, version
from workflows.domain.events import phase_of, rests
from workflows.domain.failures import Failure
from workflows.domain.ticket import Ticket, TicketRef
from workflows.ports.journal import Journal
from workflows.ports.tracker import (
    ClaimTicket,
    FileTicket,
    FindNews,
    LinkTicket,
    ListOpen,
    MoveTicket,
    News,
    OpenTickets,
    PostComment,
    Remark,
    RewriteTicket,
    ShowProgress,
    Tracker,
)

MOST_CONFLICTS = 10
"""How often a write is tried on a card that others change meanwhile, before Temporal waits."""


@dataclass
class OpenProjectTracker(Tracker):
    place: Place
    http: httpx.AsyncClient
    key: str = field(repr=False)
    """The API key of Pawl's own user."""
    journal: Journal
    """Keeps the bytes of attachments."""
    handle: str = "pawl"
    """What addresses Pawl after an @, beside the mention of its user."""
    user: int = 0
    """The id the connection says is Pawl's own; 0: it says none."""
    members: frozenset[int] = frozenset()
    """Users that count as members of every project."""

    def __post_init__(self) -> None:
        self._client = Client(self.http, self.place.url, self.key)
        self._desk = Desk(self._client, self.place, self.handle, self.user, self.members)

    @activity.defn
    async def claim_ticket(self, claim: ClaimTicket) -> Ticket:
        await self._desk.us()
        try:
            card = await self._claimed(claim, _number(claim.ref))
            ticket = await self._desk.ticket(card)
            return ticket.model_copy(update={"attachments": await files.fetched(self._client, self.journal, card.id)})
        except Missing as error:
            raise _not_found(claim.ref) from error

    @activity.defn
    async def move_ticket(self, move: MoveTicket) -> None:
        try:
            number = _number(move.ref)
            status = await self._desk.status_link(move.to)
            await self._moved(number, status, move.to)
            await self._say(number, move.remark)
        except Missing as error:
            raise _not_found(move.ref) from error

    @activity.defn
    async def post_comment(self, comment: PostComment) -> None:
        try:
            await self._say(_number(comment.ref), comment.remark)
        except Missing as error:
            raise _not_found(comment.ref) from error

    @activity.defn
    async def show_progress(self, progress: ShowProgress) -> None:
        """OpenProject has no place for it that would not send news to everybody who watches the card."""

    @activity.defn
    async def link_ticket(self, link: LinkTicket) -> None:
        try:
            await self._say(_number(link.ref), Remark(key=f"link:{link.url}", text=f"{link.title}: {link.url}"))
        except Missing as error:
            raise _not_found(link.ref) from error

    @activity.defn
    async def file_ticket(self, filing: FileTicket) -> Ticket:
        try:
            parent = await self._client.card(_number(filing.parent)) if filing.parent else None
            return await self._desk.ticket(await filed(self._desk, filing, parent))
        except Missing as error:
            raise _not_found(filing.parent) from error

    @activity.defn
    async def list_open(self, listing: ListOpen) -> OpenTickets:
        return await listed(self._desk, listing)

    @activity.defn
    async def rewrite_ticket(self, rewrite: RewriteTicket) -> Ticket:
        try:
            number = _number(rewrite.ref)
            for _ in range(MOST_CONFLICTS):
                try:
                    card = await rewritten(self._desk, await self._client.card(number), rewrite)
                    return await self._desk.ticket(card)
                except Conflict:
                    continue
            raise _busy(number)
        except Missing as error:
            raise _not_found(rewrite.ref) from error

    @activity.defn
    async def find_news(self, search: FindNews) -> News:
        return await news.found(self._desk, search)

    async def _claimed(self, claim: ClaimTicket, number: int) -> WorkPackage:
        """Write the account on the card as it was read. Where a reply was lost, the account stands there already."""
        for _ in range(MOST_CONFLICTS):
            card = await self._client.card(number)
            if self.place.holder(card) == claim.account:
                return card
            await self._check_free(card, claim)
            try:
                return await self._noted(card, Note(by=claim.account, at=card.links.status.id), {})
            except Conflict:
                continue
        raise _busy(number)

    async def _check_free(self, card: WorkPackage, claim: ClaimTicket) -> None:
        if holder := self.place.holder(card):
            raise stop(Failure.CLAIM_LOST, f"#{card.id} is held by {holder}. Move its card to Todo to free it.")
        if claim.version is not None and claim.version != version(card):
            raise stop(
                Failure.CLAIM_LOST,
                f"#{card.id} changed since it was read: version {claim.version} then, {version(card)} now.",
            )
        if blockers := await self._desk.open_blockers(card.id):
            raise stop(Failure.CLAIM_LOST, f"#{card.id} is blocked by {', '.join(blockers)}, which is not closed.")

    async def _moved(self, number: int, status: dict[str, str], to: str) -> None:
        """Status and note change together. A column in which no work goes on also frees the card."""
        phase = phase_of(to)
        is_free = rests(phase)
        for _ in range(MOST_CONFLICTS):
            card = await self._client.card(number)
            note, target = self.place.note(card), int(status["href"].rpartition("/")[2])
            holder, stands = "" if is_free else note.by, card.links.status.id == target
            if stands and holder == note.by and (not holder or note.at == target):
                return
            try:
                wanted = Note(by=holder, at=target)
                await self._noted(card, wanted, {} if stands else {"_links": {"status": status}})
                return
            except Conflict:
                continue
        raise _busy(number)

    async def _noted(self, card: WorkPackage, note: Note, changes: dict[str, Any]) -> WorkPackage:
        """Change a card together with what Pawl keeps of it."""
        if self.place.note_field not in (card.model_extra or {}):
            raise no_field(self.place, card.id)
        kept = self.place.note(card)
        more = {"on": card.id, "lock": card.lock_version + 1, "filed": kept.filed, "labels": kept.labels}
        note = note.model_copy(update=more)
        changed = await self._client.change_card(card, {self.place.note_field: note.text, **changes})
        if changed.lock_version == card.lock_version:
            raise stop(
                Failure.BAD_REQUEST,
                f"OpenProject does not count a change of {self.place.note_field} on #{card.id} as one.",
                "Without that two runs could claim one work package: please report it, with OpenProject's version.",
            )
        return changed

    async def _say(self, number: int, remark: Remark | None) -> None:
        if remark:
            await say_once(self._client, number, (await self._desk.us()).id, remark.key, remark.text)


def _number(ref: TicketRef) -> int:
    """Raises Missing where it is none."""
    if not (ref.id.isascii() and ref.id.isdigit()):
        raise Missing(ref.id)
    return int(ref.id)


def _not_found(ref: TicketRef | None) -> ApplicationError:
    what = f"work package {ref.id!r}" if ref else "such work package"
    return stop(
        Failure.TICKET_NOT_FOUND,
        f"OpenProject shows Pawl no {what}.",
        "Put it back, or give Pawl's user a role in its project, then resume.",
    )


def _busy(number: int) -> ApplicationError:
    return again(f"Work package #{number} was changed by others {MOST_CONFLICTS} times while Pawl wanted to change it.")
