"""GitHub as a forge: git through the trusted clones, everything else through its API."""

from dataclasses import dataclass

from temporalio import activity

from activities.errors import stop
from activities.forge import recent as git_tells
from activities.forge.bare_git import name_of
from activities.forge.departure import ready
from activities.forge.github import checks, dead_branches, jobs, pulls, recent, reviews, standing, threads
from activities.forge.github.place import Place, place_of, told
from activities.git import PAWL, PushRejected, RepositoryMissing, TrustedClones, remotes
from activities.github import GitHub, Refused, full_name
from activities.github.identity import must_be
from activities.github.records import About
from workflows.domain.change import Change, PullRequest, Repository
from workflows.domain.failures import Failure
from workflows.domain.model import Record
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
from workflows.ports.journal import Journal


class _Email(Record):
    email: str | None = None


class _CommitText(Record):
    committer: _Email | None = None


class _Parent(Record):
    sha: str


class _Commit(Record):
    commit: _CommitText
    parents: tuple[_Parent, ...] = ()


@dataclass
class GitHubForge(Forge):
    """Repositories of one GitHub. `clones` must be let in by `github.git_access`."""

    github: GitHub
    clones: TrustedClones
    journal: Journal
    ours: str
    """Pawl's own login: `pawl[bot]` of an app, the user's of a token."""
    connection: str = "github"
    """The name people's ids are known by."""
    merge_method: str = "merge"
    """`merge`, `squash` or `rebase`; the repository must allow it."""
    check_name: str = "Pawl review"

    @activity.defn
    async def open_repository(self, request: OpenRepository) -> Repository:
        with told():
            url = f"{self.github.web_url}/{await self._full_name(request.url)}.git"
            name = name_of(url)
            branch, sha = await self.clones.fetch(name, url, request.base_branch)
        return Repository(name=name, url=url, base_branch=branch, base_sha=sha)

    @activity.defn
    async def publish_change(self, change: PublishChange) -> Change:
        with told():
            made = await ready(self.clones, self.journal, change)
            if not made.pushed:
                return made
            there = await self._head(change)
            if there != made.head_sha:
                await self._refuse_to_bury(change, there)
                await self._push(change, made.head_sha, there)
        return made

    @activity.defn
    async def read_diff(self, request: ReadDiff) -> str:
        with told():
            diff = await self.clones.diff(request.repository, request.head_sha)
        return await self.journal.keep_text(diff.decode(errors="replace"))  # files may be in any encoding

    @activity.defn
    async def open_pull_request(self, request: OpenPullRequest) -> PullRequest:
        with told():
            return await pulls.opened(self._place(request.repository), request)

    @activity.defn
    async def post_review(self, review: PostReview) -> None:
        with told():
            await reviews.posted(self._place(review.repository), review)

    @activity.defn
    async def merge_pull_request(self, merge: MergePullRequest) -> PullRequest:
        with told():
            return await pulls.merged(self._place(merge.repository), self.clones, merge, self.merge_method)

    @activity.defn
    async def mark_ready(self, ready: MarkReady) -> None:
        with told():
            await pulls.readied(self._place(ready.repository), ready.number)

    @activity.defn
    async def close_pull_request(self, close: ClosePullRequest) -> None:
        with told():
            await pulls.closed(self._place(close.repository), close)

    # The pull request as it stands

    @activity.defn
    async def look_at_pull_request(self, look: LookAtPullRequest) -> PullSeen:
        with told():
            return await standing.seen(self._place(look.repository), look.number)

    @activity.defn
    async def read_job_logs(self, reading: ReadJobLogs) -> str:
        with told():
            text = await jobs.logs(self._place(reading.repository), reading.jobs)
        return await self.journal.keep_text(text)

    @activity.defn
    async def rerun_jobs(self, rerun: RerunJobs) -> None:
        with told():
            await jobs.rerun(self._place(rerun.repository), rerun.jobs)

    @activity.defn
    async def answer_thread(self, answer: AnswerThread) -> None:
        with told():
            await threads.answered(self._place(answer.repository), answer)

    @activity.defn
    async def find_recent(self, search: FindRecent) -> Recent:
        with told():
            place = self._place(search.repository)
            commits, left = await git_tells.commits(self.clones, search)
            runs, unseen = await recent.failed(place, self.journal, search)
            stale, more = await recent.stale(place, search)
        return Recent(commits=commits, runs=runs, pulls=stale, left_out=(*left, *unseen, *more))

    @activity.defn
    async def sweep_branches(self, sweep: SweepBranches) -> Swept:
        with told():
            return await dead_branches.swept(self._place(sweep.repository), self.clones, sweep)

    @activity.defn
    async def show_check(self, check: ShowCheck) -> None:
        with told():
            await checks.shown(self._place(check.repository), self.check_name, check)

    # The repository

    def _place(self, repository: Repository) -> Place:
        return place_of(self.github, repository, self.ours, self.connection)

    async def _full_name(self, url: str) -> str:
        """As GitHub calls it today, whatever it was called when somebody wrote it down."""
        remotes.checked_url(url)
        name = full_name(url, self.github.web_url)
        if not name:
            raise RepositoryMissing(f"{url} is not a git repository at {self.github.web_url}.")
        try:
            found = (await self.github.get(name, "", About)).full_name
        except Refused as refused:
            if refused.status != 404:
                raise
            raise RepositoryMissing(
                f"{self.github.web_url}/{name} is not a git repository, or Pawl is not let in there."
            ) from refused
        await must_be(self.github, found, self.ours)
        return found

    async def _head(self, change: PublishChange) -> str:
        return await remotes.head_of(self.clones.git, change.repository.url, change.branch)

    async def _refuse_to_bury(self, change: PublishChange, there: str) -> None:
        """Only what Pawl put on the branch may be replaced: the last publication, or one of a run that was reset."""
        if there in ("", change.previous_head):
            return
        found = await self._place(change.repository).get(f"/commits/{there}", _Commit)
        by = found.commit.committer.email if found.commit.committer else None
        if (by, [parent.sha for parent in found.parents]) != (PAWL.email, [change.repository.base_sha]):
            raise stop(
                Failure.BRANCH_MOVED,
                f"Somebody pushed {there[:12]} to {change.branch}.",
                "Move that work to a branch of its own and delete this one, then resume; or take the ticket over.",
            )

    async def _push(self, change: PublishChange, sha: str, there: str) -> None:
        repository = change.repository
        try:
            await self.clones.push(repository, repository.url, sha, change.branch, expected=there)
        except PushRejected:
            if await self._head(change) != sha:  # else another try of ours came first
                raise
