"""All trackers of this installation as one: each request goes to the connection that its ticket names."""

from collections.abc import Mapping
from dataclasses import dataclass

from temporalio import activity

from activities.errors import stop
from activities.git import each_without_secrets
from activities.git.failures import told as told_by_git
from workflows.domain.failures import Failure
from workflows.domain.ticket import Ticket
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
class TrackerRouter(Tracker):
    trackers: Mapping[str, Tracker]
    """By the name of their connection."""

    @activity.defn
    async def claim_ticket(self, claim: ClaimTicket) -> Ticket:
        return await self.named(claim.ref.tracker).claim_ticket(claim)

    @activity.defn
    async def move_ticket(self, move: MoveTicket) -> None:
        await self.named(move.ref.tracker).move_ticket(move)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> None:
        await self.named(comment.ref.tracker).post_comment(comment)

    @activity.defn
    async def show_progress(self, progress: ShowProgress) -> None:
        await self.named(progress.ref.tracker).show_progress(progress)

    @activity.defn
    async def link_ticket(self, link: LinkTicket) -> None:
        await self.named(link.ref.tracker).link_ticket(link)

    @activity.defn
    async def file_ticket(self, filing: FileTicket) -> Ticket:
        tracker, words = self.named(filing.tracker), await _fit_to_leave(filing.title, filing.body)
        return await tracker.file_ticket(filing.model_copy(update=words))

    @activity.defn
    async def list_open(self, listing: ListOpen) -> OpenTickets:
        return await self.named(listing.tracker).list_open(listing)

    @activity.defn
    async def rewrite_ticket(self, rewrite: RewriteTicket) -> Ticket:
        tracker, words = self.named(rewrite.ref.tracker), await _fit_to_leave(rewrite.title, rewrite.body)
        return await tracker.rewrite_ticket(rewrite.model_copy(update=words))

    @activity.defn
    async def find_news(self, search: FindNews) -> News:
        return await self.named(search.tracker).find_news(search)

    def named(self, name: str) -> Tracker:
        """Raises BadRequest where no connection of this worker has the name."""
        if (tracker := self.trackers.get(name)) is None:
            known = ", ".join(sorted(self.trackers))
            raise stop(
                Failure.BAD_REQUEST,
                f"This worker has no connection called {name!r}; it has: {known}.",
                "Add it to connections.toml, or set its key, start the worker again, then resume.",
            )
        return tracker


async def _fit_to_leave(title: str, body: str) -> dict[str, str]:
    """A ticket's words without lines that look like secrets, whichever tracker they go to: agents and programs may have
    quoted one."""
    with told_by_git():
        shown, text = await each_without_secrets(title, body)
    return {"title": shown, "body": text}
