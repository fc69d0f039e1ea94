"""The local board as a tracker."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from temporalio import activity

from activities.errors import stop
from infra import board
from workflows.domain.failures import Failure
from workflows.domain.intake import CardSeen
from workflows.domain.ticket import Ticket, TicketRef
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
    RewriteTicket,
    ShowProgress,
    Tracker,
)


@dataclass
class BoardTracker(Tracker):
    """One Markdown file per ticket in `folder`."""

    folder: Path

    @activity.defn
    async def claim_ticket(self, claim: ClaimTicket) -> Ticket:
        return await self._on(claim.ref, lambda card: board.claim(self.folder, card, claim.account, claim.version))

    @activity.defn
    async def move_ticket(self, move: MoveTicket) -> None:
        remark = (move.remark.key, move.remark.text) if move.remark else None
        await self._on(move.ref, lambda card: board.move(self.folder, card, move.to, remark))

    @activity.defn
    async def post_comment(self, comment: PostComment) -> None:
        remark = comment.remark
        await self._on(comment.ref, lambda card: board.comment(self.folder, card, remark.key, remark.text))

    @activity.defn
    async def show_progress(self, progress: ShowProgress) -> None:
        """The board has no place for it: the Temporal UI and `pawl show` tell the story."""

    @activity.defn
    async def link_ticket(self, link: LinkTicket) -> None:
        key = f"link-{_digest(link.url)}"
        await self._on(link.ref, lambda card: board.comment(self.folder, card, key, f"{link.title}: {link.url}"))

    @activity.defn
    async def file_ticket(self, filing: FileTicket) -> Ticket:
        return await asyncio.to_thread(self._filed, filing)

    @activity.defn
    async def list_open(self, listing: ListOpen) -> OpenTickets:
        """The card that changed last is the first. A board has no teams: all of it is meant."""
        found = await asyncio.to_thread(board.open_tickets, self.folder, listing.labels, listing.most + 1)
        return OpenTickets.of(found, listing)

    @activity.defn
    async def rewrite_ticket(self, rewrite: RewriteTicket) -> Ticket:
        return await self._on(rewrite.ref, lambda card: board.rewrite(self.folder, card, rewrite.title, rewrite.body))

    @activity.defn
    async def find_news(self, search: FindNews) -> News:
        """The cards as they stand. Their moves are told by the board's own watcher, and words in files by nobody."""
        now = datetime.now(UTC)
        listing = await asyncio.to_thread(board.list_tickets, self.folder)
        cards = [seen for card in listing.tickets if (seen := _seen(card))]
        known = {seen.card.ref.id for seen in cards}
        unreadable = [_unreadable(ref, now) for ref in search.under_way if ref.id not in known and self._is_there(ref)]
        return News(cards=(*cards, *unreadable), until=now)

    def _is_there(self, ref: TicketRef) -> bool:
        return (self.folder / f"{ref.id}.md").exists()

    def _filed(self, filing: FileTicket) -> Ticket:
        card = f"{filing.parent.id[:40] if filing.parent else 'pawl'}-{_digest(filing.key)}"
        try:
            return board.create_ticket(self.folder, card, filing.title, filing.body, labels=filing.labels, ours=True)
        except FileExistsError:
            return board.read(self.folder, card)
        except (ValueError, board.CardTooLarge) as error:
            raise stop(Failure.BAD_REQUEST, f"The ticket cannot be filed: {error}") from error

    async def _on(self, ref: TicketRef, change: Callable[[str], Ticket]) -> Ticket:
        try:
            return await asyncio.to_thread(change, ref.id)
        except board.CardMissing as error:
            raise stop(Failure.TICKET_NOT_FOUND, str(error), "Put the card back, then resume.") from error
        except board.BadCard as error:
            raise stop(Failure.BAD_TICKET, str(error), "Then resume.") from error
        except board.HeldByAnother as error:
            raise stop(Failure.CLAIM_LOST, str(error)) from error


def _seen(card: Ticket) -> CardSeen | None:
    """The card with the time of its file; None when it is gone by now."""
    try:
        changed = Path(card.url).stat().st_mtime
    except OSError:
        return None
    return CardSeen(id=f"card@{card.version}", card=card, at=datetime.fromtimestamp(changed, UTC))


def _unreadable(ref: TicketRef, now: datetime) -> CardSeen:
    """A card that is there, and of which nothing can be read: it is not gone, and asks for nothing."""
    return CardSeen(id="card@unreadable", card=Ticket(ref=ref, identifier=ref.id, title="", status=""), at=now)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
