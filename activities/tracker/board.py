"""The local board as a tracker."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from temporalio import activity

from activities.errors import stop
from infra import board
from workflows.domain.failures import Failure
from workflows.domain.ticket import Ticket, TicketRef
from workflows.ports.tracker import ClaimTicket, MoveTicket, PostComment, Tracker


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

    async def _on(self, ref: TicketRef, change: Callable[[str], Ticket]) -> Ticket:
        try:
            return await asyncio.to_thread(change, ref.id)
        except board.CardMissing as error:
            raise stop(Failure.TICKET_NOT_FOUND, str(error), "Put the card back, then resume.") from error
        except board.BadCard as error:
            raise stop(Failure.BAD_TICKET, str(error), "Then resume.") from error
        except board.HeldByAnother as error:
            raise stop(Failure.CLAIM_LOST, str(error)) from error
