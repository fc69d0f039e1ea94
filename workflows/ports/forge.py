"""Where code and pull requests live."""

from abc import abstractmethod
from datetime import datetime, timedelta

from pydantic import Field
from temporalio import activity
from temporalio.workflow import ActivityConfig

from workflows.domain.change import Change, PullRequest, Repository
from workflows.domain.model import Record
from workflows.domain.policy import ChangeLimits, ProtectedPaths, SecretScan
from workflows.domain.pull import FailedJob, PullSeen
from workflows.domain.review import Finding
from workflows.ports import PATIENT, Port


class OpenRepository(Record):
    url: str
    """A path or a git URL, as the person named it."""
    base_branch: str = ""
    """Empty: the repository's default branch."""


class PublishChange(Record):
    repository: Repository
    branch: str
    state: str
    """Journal reference of the workspace state to publish."""
    message: str = Field(max_length=20_000)
    previous_head: str = ""
    """What we last published on the branch; empty when we never did. Anything else there was pushed by a person."""
    limits: ChangeLimits = ChangeLimits()
    protected: ProtectedPaths = ProtectedPaths()
    secrets: SecretScan = SecretScan()
    allowed: str = ""
    """The `asks_digest` that a person has allowed."""


class ReadDiff(Record):
    repository: Repository
    head_sha: str


class OpenPullRequest(Record):
    repository: Repository
    branch: str
    head_sha: str
    title: str
    body: str
    labels: tuple[str, ...] = ()
    draft: bool = False
    """Where the forge knows drafts: to be made ready by `mark_ready`."""


class PostReview(Record):
    repository: Repository
    number: int
    key: str
    """Posting the same key again leaves one review."""
    summary: str
    findings: tuple[Finding, ...] = ()


class MergePullRequest(Record):
    repository: Repository
    number: int
    head_sha: str
    """The head that was approved: another one is not merged."""


class ClosePullRequest(Record):
    repository: Repository
    number: int
    reason: str


class MarkReady(Record):
    repository: Repository
    number: int


class LookAtPullRequest(Record):
    repository: Repository
    number: int


class ReadJobLogs(Record):
    repository: Repository
    jobs: tuple[FailedJob, ...]


class RerunJobs(Record):
    """Run failed jobs once more, once per attempt they have had."""

    repository: Repository
    head_sha: str
    jobs: tuple[FailedJob, ...]


class AnswerThread(Record):
    repository: Repository
    number: int
    thread: str
    key: str
    """The same key is said once."""
    text: str
    """Empty: nothing is said."""
    resolve: bool = False


class ShowCheck(Record):
    """Pawl's own review as a check on a commit, once per key; said again, it replaces what was there."""

    repository: Repository
    head_sha: str
    key: str
    title: str
    summary: str
    findings: tuple[Finding, ...] = ()
    ok: bool | None = None
    """None: still running."""


class FindRecent(Record):
    """What happened in a repository since a moment, for triage."""

    repository: Repository
    since: datetime
    stale_before: datetime
    """Open pull requests that nobody touched since then are stale."""
    most: int = Field(default=50, ge=1, le=200)
    """Of each sort, the newest first."""


class CommitSeen(Record):
    sha: str
    at: datetime
    author: str = Field(max_length=200)
    subject: str = Field(max_length=300)


class RunFailed(Record):
    """The newest run of one job on the base branch, where it failed."""

    name: str = Field(max_length=300)
    at: datetime
    head_sha: str
    url: str = ""
    log: str = ""
    """Journal reference, as of `read_job_logs`; empty: there is none."""


class PullStale(Record):
    number: int
    title: str = Field(max_length=300)
    author: str = Field(max_length=200)
    touched: datetime
    url: str = ""


class Recent(Record):
    commits: tuple[CommitSeen, ...] = ()
    runs: tuple[RunFailed, ...] = ()
    pulls: tuple[PullStale, ...] = ()
    left_out: tuple[str, ...] = ()
    """What was cut or cannot be seen here, a sentence each."""


class SweepBranches(Record):
    """Remove what Pawl pushed and nobody needs any more."""

    repository: Repository
    prefix: str
    """Of the branches' names; empty: none is looked at."""
    in_use: tuple[str, ...] = ()
    """Branches of tickets that are under way."""
    closed_before: datetime
    """A branch whose pull request was closed without a merge is kept until then."""
    dry_run: bool = False


class Swept(Record):
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Why a branch that looks dead is kept, a sentence each."""


class Forge(Port):
    """Where code and pull requests live. Only it holds git credentials; only trusted clones are its working copies."""

    options = ActivityConfig(start_to_close_timeout=timedelta(minutes=5), retry_policy=PATIENT)

    @activity.defn
    @abstractmethod
    async def open_repository(self, request: OpenRepository) -> Repository:
        """Fetch the repository and fix the base every later step is measured from.

        Raises RepositoryNotFound (no such repository, no such branch, no commit yet).
        """

    @activity.defn
    @abstractmethod
    async def publish_change(self, change: PublishChange) -> Change:
        """Turn a workspace state into one commit on the branch, look at it from all sides, and push it. The same
        request gives the same commit. What breaks the limits, holds a secret or could not be checked out everywhere is
        refused; what touches protected paths is pushed only when its digest was allowed. Neither leaves this machine,
        and the answer says why.

        Raises BranchMoved when somebody else pushed to the branch, WorkspaceBroken when the state fails fsck or
        holds no change.
        """

    @activity.defn
    @abstractmethod
    async def read_diff(self, request: ReadDiff) -> str:
        """Journal reference of the unified diff from base to head."""

    @activity.defn
    @abstractmethod
    async def open_pull_request(self, request: OpenPullRequest) -> PullRequest:
        """The open pull request of the branch: looked up first, created when there is none."""

    @activity.defn
    @abstractmethod
    async def post_review(self, review: PostReview) -> None:
        """Post findings as review comments, once per key."""

    @activity.defn
    @abstractmethod
    async def merge_pull_request(self, merge: MergePullRequest) -> PullRequest:
        """Merge into the base branch, once. Raises BranchMoved when head or base moved so that it cannot be merged."""

    @activity.defn
    @abstractmethod
    async def mark_ready(self, ready: MarkReady) -> None:
        """Make a draft an ordinary pull request; one that is none stays as it is."""

    @activity.defn
    @abstractmethod
    async def close_pull_request(self, close: ClosePullRequest) -> None:
        """Close without merging; closing a closed one changes nothing."""

    @activity.defn
    @abstractmethod
    async def look_at_pull_request(self, look: LookAtPullRequest) -> PullSeen:
        """The pull request as it stands now."""

    @activity.defn
    @abstractmethod
    async def read_job_logs(self, reading: ReadJobLogs) -> str:
        """Journal reference of the failed jobs' logs, each cut to its last 20,000 characters with a notice. What looks
        like a secret is not in it; a log that is gone is said so."""

    @activity.defn
    @abstractmethod
    async def rerun_jobs(self, rerun: RerunJobs) -> None:
        """Have the jobs run again on the same commit. One that has begun another attempt meanwhile is left alone."""

    @activity.defn
    @abstractmethod
    async def answer_thread(self, answer: AnswerThread) -> None:
        """Reply in a conversation, once per key, and resolve it where asked and where the forge can."""

    @activity.defn
    @abstractmethod
    async def show_check(self, check: ShowCheck) -> None:
        """Show Pawl's review on the commit, with its findings at their lines. A forge without checks shows nothing."""

    @activity.defn
    @abstractmethod
    async def find_recent(self, search: FindRecent) -> Recent:
        """Commits of the base branch, its failed CI and stale pull requests. Everything is bounded; what was cut is
        said."""

    @activity.defn
    @abstractmethod
    async def sweep_branches(self, sweep: SweepBranches) -> Swept:
        """Remove branches with the prefix whose work is merged, or whose pull request was closed long ago, at exactly
        the head that was looked at. The base, the default branch and those another pull request builds on are never
        touched; a branch with somebody else's unmerged work, or without any pull request, is kept."""
