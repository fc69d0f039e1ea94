"""All forges of this installation as one: a repository on a connected host goes there, every other one to the local
forge."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from temporalio import activity

from workflows.domain.change import Change, PullRequest, Repository
from workflows.domain.pull import PullSeen
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

_SCP = re.compile(r"(?:[^@/]+@)?([^:/]+):(?!/)")
"""How git takes `git@github.com:acme/shop.git`."""


@dataclass
class ForgeRouter(Forge):
    local: Forge
    hosts: Mapping[str, Forge]
    """By host, as in the repositories' URLs; with its port where that is not the usual one."""

    @activity.defn
    async def open_repository(self, request: OpenRepository) -> Repository:
        return await self._at(request.url).open_repository(request)

    @activity.defn
    async def publish_change(self, change: PublishChange) -> Change:
        return await self._of(change.repository).publish_change(change)

    @activity.defn
    async def read_diff(self, request: ReadDiff) -> str:
        return await self._of(request.repository).read_diff(request)

    @activity.defn
    async def open_pull_request(self, request: OpenPullRequest) -> PullRequest:
        return await self._of(request.repository).open_pull_request(request)

    @activity.defn
    async def post_review(self, review: PostReview) -> None:
        await self._of(review.repository).post_review(review)

    @activity.defn
    async def merge_pull_request(self, merge: MergePullRequest) -> PullRequest:
        return await self._of(merge.repository).merge_pull_request(merge)

    @activity.defn
    async def mark_ready(self, ready: MarkReady) -> None:
        await self._of(ready.repository).mark_ready(ready)

    @activity.defn
    async def close_pull_request(self, close: ClosePullRequest) -> None:
        await self._of(close.repository).close_pull_request(close)

    @activity.defn
    async def look_at_pull_request(self, look: LookAtPullRequest) -> PullSeen:
        return await self._of(look.repository).look_at_pull_request(look)

    @activity.defn
    async def read_job_logs(self, reading: ReadJobLogs) -> str:
        return await self._of(reading.repository).read_job_logs(reading)

    @activity.defn
    async def rerun_jobs(self, rerun: RerunJobs) -> None:
        await self._of(rerun.repository).rerun_jobs(rerun)

    @activity.defn
    async def answer_thread(self, answer: AnswerThread) -> None:
        await self._of(answer.repository).answer_thread(answer)

    @activity.defn
    async def find_recent(self, search: FindRecent) -> Recent:
        return await self._of(search.repository).find_recent(search)

    @activity.defn
    async def sweep_branches(self, sweep: SweepBranches) -> Swept:
        return await self._of(sweep.repository).sweep_branches(sweep)

    @activity.defn
    async def show_check(self, check: ShowCheck) -> None:
        await self._of(check.repository).show_check(check)

    def _of(self, repository: Repository) -> Forge:
        return self._at(repository.url)

    def _at(self, url: str) -> Forge:
        return self.hosts.get(host_of(url), self.local)


def host_of(url: str) -> str:
    """The host a git URL names, in small letters; empty for a path."""
    if "://" in url:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    found = _SCP.match(url)
    return found[1].lower() if found else ""
