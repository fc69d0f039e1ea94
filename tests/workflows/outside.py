"""Tracker and forge of the world in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from temporalio import activity

from tests.workflows.notebooks import Cards
from workflows.domain.change import Change, PullRequest, Repository
from workflows.domain.pull import PullSeen
from workflows.domain.ticket import Attachment, Ticket, TicketRef
from workflows.ports.forge import (
    AnswerThread,
    ClosePullRequest,
    FindRecent,
    Forge,
    LookAtPullRequest,
    MarkReady,
    MergePullRequest,
    OpenPullRequest,
    OpenRepository,
    PostReview,
    PublishChange,
    ReadDiff,
    ReadJobLogs,
    Recent,
    RerunJobs,
    ShowCheck,
    SweepBranches,
    Swept,
)
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

PULL_REQUEST = "file:///pulls/1"
"""Where the world's pull request is read."""


class Outside(Protocol):
    """What these need of the world."""

    published: list[Callable[[PublishChange], Change]]
    attachments: tuple[Attachment, ...]
    looks: list[PullSeen]
    head: str
    bases: list[str]
    cards: Cards
    recent: Recent

    async def heard(self, request: Any) -> None: ...


@dataclass
class WorldTracker(Tracker):
    world: Outside

    @activity.defn
    async def claim_ticket(self, claim: ClaimTicket) -> Ticket:
        await self.world.heard(claim)
        files = self.world.attachments
        return Ticket(ref=claim.ref, identifier=claim.ref.id, title="Mend the hinge", status="Todo", attachments=files)

    @activity.defn
    async def move_ticket(self, move: MoveTicket) -> None:
        await self.world.heard(move)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> None:
        await self.world.heard(comment)

    @activity.defn
    async def show_progress(self, progress: ShowProgress) -> None:
        await self.world.heard(progress)

    @activity.defn
    async def link_ticket(self, link: LinkTicket) -> None:
        await self.world.heard(link)

    @activity.defn
    async def file_ticket(self, filing: FileTicket) -> Ticket:
        await self.world.heard(filing)
        if "triage" in filing.labels:
            return self.world.cards.file(filing)
        url = "https://board.test/F"
        ref = TicketRef(tracker=filing.tracker, id="filed")
        return Ticket(ref=ref, identifier="F", title=filing.title, status="", url=url)

    @activity.defn
    async def list_open(self, listing: ListOpen) -> OpenTickets:
        await self.world.heard(listing)
        return self.world.cards.open(listing)

    @activity.defn
    async def rewrite_ticket(self, rewrite: RewriteTicket) -> Ticket:
        await self.world.heard(rewrite)
        return self.world.cards.rewrite(rewrite)

    @activity.defn
    async def find_news(self, search: FindNews) -> News:
        await self.world.heard(search)
        return News(until=search.since)


@dataclass
class WorldForge(Forge):
    world: Outside

    @activity.defn
    async def open_repository(self, request: OpenRepository) -> Repository:
        await self.world.heard(request)
        bases = self.world.bases
        sha = bases.pop(0) if len(bases) > 1 else bases[0]
        return Repository(name="hinge", url=request.url, base_branch="main", base_sha=sha)

    @activity.defn
    async def publish_change(self, change: PublishChange) -> Change:
        await self.world.heard(change)
        script = self.world.published
        made = (script.pop(0) if len(script) > 1 else script[0])(change)
        self.world.head = made.head_sha if made.pushed else self.world.head
        return made

    @activity.defn
    async def read_diff(self, request: ReadDiff) -> str:
        await self.world.heard(request)
        return "sha256:diff"

    @activity.defn
    async def open_pull_request(self, request: OpenPullRequest) -> PullRequest:
        await self.world.heard(request)
        return PullRequest(number=1, url=PULL_REQUEST, branch=request.branch, head_sha=request.head_sha)

    @activity.defn
    async def post_review(self, review: PostReview) -> None:
        await self.world.heard(review)

    @activity.defn
    async def merge_pull_request(self, merge: MergePullRequest) -> PullRequest:
        await self.world.heard(merge)
        return PullRequest(number=1, url=PULL_REQUEST, branch="b", head_sha=merge.head_sha, merged_sha="merged")

    @activity.defn
    async def close_pull_request(self, close: ClosePullRequest) -> None:
        await self.world.heard(close)

    @activity.defn
    async def mark_ready(self, ready: MarkReady) -> None:
        await self.world.heard(ready)

    @activity.defn
    async def look_at_pull_request(self, look: LookAtPullRequest) -> PullSeen:
        await self.world.heard(look)
        script = self.world.looks
        seen = script.pop(0) if len(script) > 1 else script[0]
        return seen if seen.head_sha else seen.model_copy(update={"head_sha": self.world.head})

    @activity.defn
    async def read_job_logs(self, reading: ReadJobLogs) -> str:
        await self.world.heard(reading)
        return "sha256:logs"

    @activity.defn
    async def rerun_jobs(self, rerun: RerunJobs) -> None:
        await self.world.heard(rerun)

    @activity.defn
    async def answer_thread(self, answer: AnswerThread) -> None:
        await self.world.heard(answer)

    @activity.defn
    async def find_recent(self, search: FindRecent) -> Recent:
        await self.world.heard(search)
        return self.world.recent

    @activity.defn
    async def sweep_branches(self, sweep: SweepBranches) -> Swept:
        await self.world.heard(sweep)
        return Swept()

    @activity.defn
    async def show_check(self, check: ShowCheck) -> None:
        await self.world.heard(check)
