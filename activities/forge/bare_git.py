"""The local forge: a bare repository per source, pull requests as files. The person's own repository is only read."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from temporalio import activity

from activities.errors import stop
from activities.forge import local_branches, recent
from activities.forge.departure import ready
from activities.forge.pulls import CLOSED, MERGED, OPEN, Pull, Pulls, review_text
from activities.forge.standing import contains, standing
from activities.git import TrustedClones, remotes, without_secrets
from activities.git.bare import alone, commit_tree, merge_tree
from activities.git.failures import told
from infra.files import replace_file
from workflows.domain.change import Change, PullRequest, Repository
from workflows.domain.failures import Failure
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


@dataclass
class BareGitForge(Forge):
    """Repositories in `folder` as `<name>.git`, their pull requests in `<name>.pulls`."""

    folder: Path
    clones: TrustedClones
    journal: Journal

    @activity.defn
    async def open_repository(self, request: OpenRepository) -> Repository:
        with told():
            source = source_of(request.url)
            name = name_of(source)
            branch, _ = await remotes.resolve(self.clones.git, source, request.base_branch)
            own = self.folder.absolute() / f"{name}.git"
            async with alone(self.clones.git, own) as lock:
                await self._follow(own, source, branch, lock)
            branch, sha = await self.clones.fetch(name, str(own), branch)
        return Repository(name=name, url=str(own), base_branch=branch, base_sha=sha)

    @activity.defn
    async def publish_change(self, change: PublishChange) -> Change:
        repository = change.repository
        with told():
            made = await ready(self.clones, self.journal, change)
            if not made.pushed:
                return made
            async with self._alone(repository):
                there = await self._head(self._own(repository), change.branch)
                if there != made.head_sha:
                    await self._refuse_to_bury(change, there)
                    await self.clones.push(repository, repository.url, made.head_sha, change.branch, expected=there)
                if pull := self._pulls(repository).open_on(change.branch):
                    await self._show_head(repository, pull, made.head_sha)
        return made

    @activity.defn
    async def read_diff(self, request: ReadDiff) -> str:
        with told():
            diff = await self.clones.diff(request.repository, request.head_sha)
        return await self.journal.keep_text(diff.decode(errors="replace"))  # files may be in any encoding

    @activity.defn
    async def open_pull_request(self, request: OpenPullRequest) -> PullRequest:
        repository = request.repository
        with told():
            body = await without_secrets(request.body)
            async with self._alone(repository):
                pulls = self._pulls(repository)
                pull = pulls.open_on(request.branch) or pulls.create(
                    request.title, body, request.branch, repository.base_branch, request.head_sha
                )
                head = await self._head(self._own(repository), request.branch)
                await self._show_head(repository, pull, head or request.head_sha)
        return pull.seen(head or request.head_sha)

    @activity.defn
    async def post_review(self, review: PostReview) -> None:
        with told():
            text = await without_secrets(review_text(review.summary, review.findings))
            async with self._alone(review.repository):
                pull = self._pull(review.repository, review.number)
                pull.say(review.key, text)
                pull.save()

    @activity.defn
    async def merge_pull_request(self, merge: MergePullRequest) -> PullRequest:
        with told():
            async with self._alone(merge.repository):
                pull = self._pull(merge.repository, merge.number)
                if pull.state != MERGED:
                    pull.put("merged", await self._merged(pull, merge))
                    pull.put("state", MERGED)
                    pull.save()
        return pull.seen(merge.head_sha)

    @activity.defn
    async def close_pull_request(self, close: ClosePullRequest) -> None:
        with told():
            async with self._alone(close.repository):
                pull = self._pull(close.repository, close.number)
                if pull.state == OPEN:
                    pull.put("state", CLOSED)
                    pull.say("close", f"**Closed.** {close.reason}")
                    pull.save()

    @activity.defn
    async def mark_ready(self, ready: MarkReady) -> None:
        """Files know no drafts."""

    # The pull request as it stands

    @activity.defn
    async def look_at_pull_request(self, look: LookAtPullRequest) -> PullSeen:
        with told():
            async with self._alone(look.repository):
                pull, own = self._pull(look.repository, look.number), self._own(look.repository)
                head, base = await self._head(own, pull.branch), await self._head(own, pull.base)
                return await standing(self.clones.git, own, pull, head, base)

    @activity.defn
    async def answer_thread(self, answer: AnswerThread) -> None:
        with told():
            text = await without_secrets(answer.text)
            async with self._alone(answer.repository):
                pull = self._pull(answer.repository, answer.number)
                if text or answer.resolve:
                    pull.answer(answer.thread, answer.key, text, resolve=answer.resolve)
                    pull.save()

    @activity.defn
    async def read_job_logs(self, reading: ReadJobLogs) -> str:
        return await self.journal.keep_text("No CI runs on the local forge.")

    @activity.defn
    async def rerun_jobs(self, rerun: RerunJobs) -> None:
        """No CI runs on the local forge."""

    @activity.defn
    async def find_recent(self, search: FindRecent) -> Recent:
        with told():
            commits, left = await recent.commits(self.clones, search)
            own, pulls = self._own(search.repository), self._pulls(search.repository)
            stale, more = await recent.stale_files(self.clones.git, own, pulls, search)
        return Recent(commits=commits, pulls=stale, left_out=(*left, *more))

    @activity.defn
    async def sweep_branches(self, sweep: SweepBranches) -> Swept:
        with told():
            async with self._alone(sweep.repository):
                own, pulls = self._own(sweep.repository), self._pulls(sweep.repository)
                return await local_branches.swept(self.clones.git, own, pulls, sweep)

    @activity.defn
    async def show_check(self, check: ShowCheck) -> None:
        """No page of the local forge shows checks: findings are in the reviews."""

    # The repository

    async def _follow(self, own: Path, source: str, branch: str, lock: int) -> None:
        """Bring our branch forward to the source's. Ours may be ahead, by merges the person has not pulled yet."""
        git = self.clones.git
        await remotes.fetch(git, own, source, f"+refs/heads/{branch}:refs/source/{branch}", lock)
        theirs = await git.text("rev-parse", f"refs/source/{branch}", repository=own)
        mine = await self._head(own, branch)
        if not mine:
            await git.run("config", "remote.origin.url", source, repository=own)
            await git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}", repository=own)
        if not mine or await contains(self.clones.git, own, theirs, mine):
            await git.run("update-ref", f"refs/heads/{branch}", theirs, mine, repository=own)
        elif not await contains(self.clones.git, own, mine, theirs):
            raise stop(
                Failure.BRANCH_MOVED,
                f"{branch} of {source} and of the local forge have gone different ways.",
                f"Run `git pull --no-rebase {own} {branch}` in it, then resume.",
            )

    async def _refuse_to_bury(self, change: PublishChange, there: str) -> None:
        """Only what Pawl put on the branch may be replaced: the last publication, or one of a run that was reset."""
        if there in ("", change.previous_head):
            return
        asked = ("show", "-s", "--format=%ce %P", there)
        about = await self.clones.git.text(*asked, repository=self._own(change.repository))
        if about.split() != ["pawl@localhost", change.repository.base_sha]:
            raise stop(
                Failure.BRANCH_MOVED,
                f"Somebody pushed {there[:12]} to {change.branch}.",
                "Move that work to a branch of its own and delete this one, then resume; or take the ticket over.",
            )

    # Pull requests

    async def _show_head(self, repository: Repository, pull: Pull, head: str) -> None:
        """Write the files for this head. The page comes last: with it the pull request exists."""
        diff = await self.clones.diff(repository, head)
        await asyncio.to_thread(replace_file, pull.path.with_name("diff.patch"), diff)
        pull.put("head", head)
        pull.save()

    async def _merged(self, pull: Pull, merge: MergePullRequest) -> str:
        """The commit that has the head in the base branch: found, or made."""
        own = self._own(merge.repository)
        if pull.state != OPEN:
            raise stop(
                Failure.BRANCH_MOVED,
                f"Pull request {pull.number} is {pull.state}.",
                f"Set `state: open` in {pull.path} to merge it after all, then resume.",
            )
        head, base = await self._head(own, pull.branch), await self._head(own, pull.base)
        if head != merge.head_sha:
            raise stop(
                Failure.BRANCH_MOVED,
                f"{pull.branch} is at {head[:12] or 'nothing'}, not at {merge.head_sha[:12]}, which was approved.",
                "Look at what was pushed, then take the ticket over or put the branch back and resume.",
            )
        if await contains(self.clones.git, own, base, head):
            return await self._merge_of(own, base, head) or head
        tree = await self._merged_tree(own, pull, base, head)
        message = f"Merge pull request {pull.number}: {pull.title}"
        commit = await commit_tree(self.clones.git, own, tree, [base, head], message)
        await self.clones.git.run("update-ref", f"refs/heads/{pull.base}", commit, base, repository=own)
        return commit

    async def _merge_of(self, own: Path, base: str, head: str) -> str:
        """The merge commit that brought the head into the base; empty when there is none."""
        walk = ("rev-list", "--first-parent", "--merges", "--parents", f"{head}..{base}")
        lines = (await self.clones.git.text(*walk, repository=own)).splitlines()
        return next((line.split()[0] for line in lines if head in line.split()[2:]), "")

    async def _merged_tree(self, own: Path, pull: Pull, base: str, head: str) -> str:
        tree, conflicts = await merge_tree(self.clones.git, own, base, head)
        if conflicts:
            raise stop(
                Failure.BRANCH_MOVED,
                f"{pull.base} has moved, and {pull.branch} conflicts with it in {', '.join(conflicts[:10])}.",
                "Take the ticket over, or abort it and start anew from today's base.",
            )
        return tree

    # Files and refs

    def _pull(self, repository: Repository, number: int) -> Pull:
        pull = self._pulls(repository).read(number)
        if pull is None:
            raise stop(Failure.BAD_REQUEST, f"There is no pull request {number} in {self._own(repository)}.")
        return pull

    def _pulls(self, repository: Repository) -> Pulls:
        return Pulls(self.folder.absolute() / f"{repository.name}.pulls")

    def _own(self, repository: Repository) -> Path:
        own = self.folder.absolute() / f"{repository.name}.git"
        if not own.exists():
            raise stop(Failure.REPOSITORY_NOT_FOUND, f"The local forge has lost {own}.", "Start the ticket anew.")
        return own

    @asynccontextmanager
    async def _alone(self, repository: Repository) -> AsyncGenerator[None]:
        async with alone(self.clones.git, self._own(repository)):
            yield

    async def _head(self, own: Path, branch: str) -> str:
        asked = ("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        return (await self.clones.git.run(*asked, repository=own, accept=(0, 1))).out.decode().strip()


def source_of(url: str) -> str:
    """A folder as its one absolute path, however it was named; any other URL as it is."""
    remotes.checked_url(url)
    if url.startswith("file://"):
        return str(Path(unquote(urlsplit(url).path)).resolve())
    if "://" in url or re.match(r"[^/]+:", url):
        return url
    return str(Path(url).expanduser().resolve())


def name_of(source: str) -> str:
    """A folder name for the source: readable, and its own by eight hex digits of the source's digest."""
    last = re.split(r"[/:]", source.rstrip("/"))[-1].removesuffix(".git")
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")[:60] or "repository"
    return f"{slug}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
