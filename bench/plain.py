"""Workspace, repository and forge as plain files: what is left of a ticket without sandboxes and git processes."""

import asyncio
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from temporalio import activity

from activities.context.repository import ticket_text
from bench.work import CHECK, PROGRESS, TURNS_PER_SESSION, files
from infra.files import replace_file
from workflows.domain.budget import Budget
from workflows.domain.change import Change, CheckReport, PullRequest, Repository
from workflows.domain.policy import Policy
from workflows.domain.pull import PullSeen, PullState
from workflows.domain.session import WorkspaceOrder
from workflows.ports.context import Context, GatherContext, GatheredContext, GatherEvidence
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
from workflows.ports.sandbox import BadSpec
from workflows.ports.workspace import (
    Carried,
    CarryOver,
    Checkout,
    Checkouts,
    DestroyWorkspace,
    PrepareWorkspace,
    Ran,
    RunChecks,
    Runs,
    TryCommand,
    Workspace,
    WorkspaceReady,
)

BASE = files()


@dataclass
class PlainCheckouts(Checkouts):
    """One folder per key with the files that differ from the base. A state is those files as JSON."""

    root: Path
    journal: Journal

    async def open(self, order: WorkspaceOrder) -> Checkout:
        folder = self.root / order.key
        if not folder.exists():
            folder.mkdir(parents=True)
            if order.state:
                changed: dict[str, str] = json.loads(await self.journal.load(order.state))
                for name, text in changed.items():
                    (folder / name).write_text(text)
        return PlainCheckout(folder, self.journal)

    async def destroy(self, key: str) -> None:
        shutil.rmtree(self.root / key, ignore_errors=True)


class PlainCheckout(Checkout):
    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder, self._journal = folder, journal
        self.instance = folder.name

    async def run(self, job: str, command: str, timeout_seconds: float) -> Ran:
        raise BadSpec("A plain folder runs no commands.")

    async def read(self, path: str, max_bytes: int) -> bytes:
        changed = self._folder / path
        if changed.exists():
            return changed.read_bytes()
        if path not in BASE:
            raise FileNotFoundError(path)
        return BASE[path].encode()

    async def write(self, path: str, data: bytes) -> None:
        replace_file(self._folder / path, data)

    async def keep_state(self, job: str) -> str | None:
        changed = {path.name: path.read_text() for path in sorted(self._folder.iterdir())}
        return await self._journal.keep(json.dumps(changed).encode()) if changed else None


@dataclass
class PlainWorkspace(Workspace):
    checkouts: PlainCheckouts

    @activity.defn
    async def prepare_workspace(self, request: PrepareWorkspace) -> WorkspaceReady:
        await self.checkouts.open(request.workspace)
        return WorkspaceReady(tier="plain folders", environment="plain")

    @activity.defn
    async def run_checks(self, request: RunChecks) -> CheckReport:
        """What the repository's check does, without a shell."""
        order = request.workspace.model_copy(update={"key": request.key})
        ok = b"step 1: done" in await (await self.checkouts.open(order)).read(PROGRESS, 0)
        await self.checkouts.destroy(request.key)
        log = await self.checkouts.journal.keep_text(f"{CHECK.run}: {ok}")
        return CheckReport(ok=ok, summary=f"{CHECK.name}: {'passed' if ok else 'failed'}", log=log)

    @activity.defn
    async def try_command(self, request: TryCommand) -> Runs:
        return Runs(runs=request.times, failed=0)

    @activity.defn
    async def sweep_sandboxes(self) -> int:
        return 0

    @activity.defn
    async def carry_over(self, request: CarryOver) -> Carried:
        """Its base never moves."""
        return Carried(state=request.workspace.state)

    @activity.defn
    async def destroy_workspace(self, request: DestroyWorkspace) -> None:
        await self.checkouts.destroy(request.key)


@dataclass
class PlainContext(Context):
    journal: Journal

    @activity.defn
    async def gather_context(self, request: GatherContext) -> GatheredContext:
        policy = Policy(checks=(CHECK,), budget=Budget(turns_per_session=TURNS_PER_SESSION))
        text = await self.journal.keep_text(ticket_text(request.ticket))
        return GatheredContext(policy=policy, ticket_text=text, guide="")

    @activity.defn
    async def gather_evidence(self, request: GatherEvidence) -> str:
        return await self.journal.keep_text("")


@dataclass
class PlainForge(Forge):
    """A durable file for each branch, pull request and review, under a name that a repeated step finds again."""

    folder: Path
    journal: Journal

    @activity.defn
    async def open_repository(self, request: OpenRepository) -> Repository:
        return Repository(name="synthetic", url=request.url, base_branch="main", base_sha="0" * 40)

    @activity.defn
    async def publish_change(self, change: PublishChange) -> Change:
        head = hashlib.sha256(f"{change.branch}\n{change.state}".encode()).hexdigest()[:40]
        await self._write("branches", change.branch, head)
        return Change(branch=change.branch, head_sha=head, files=1, insertions=1, deletions=1)

    @activity.defn
    async def read_diff(self, request: ReadDiff) -> str:
        return await self.journal.keep_text(f"-step 1: open\n+step 1: done\n{request.head_sha}\n")

    @activity.defn
    async def open_pull_request(self, request: OpenPullRequest) -> PullRequest:
        await self._write("pulls", request.branch, request.body)
        number = int(hashlib.sha256(request.branch.encode()).hexdigest()[:7], 16)
        return PullRequest(number=number, url=f"plain:{number}", branch=request.branch, head_sha=request.head_sha)

    @activity.defn
    async def post_review(self, review: PostReview) -> None:
        await self._write("reviews", review.key, review.model_dump_json())

    @activity.defn
    async def merge_pull_request(self, merge: MergePullRequest) -> PullRequest:
        await self._write("merges", str(merge.number), merge.head_sha)
        return PullRequest(
            number=merge.number,
            url=f"plain:{merge.number}",
            branch="merged",
            head_sha=merge.head_sha,
            merged_sha=merge.head_sha,
        )

    @activity.defn
    async def close_pull_request(self, close: ClosePullRequest) -> None:
        await self._write("closed", str(close.number), close.reason)

    @activity.defn
    async def mark_ready(self, ready: MarkReady) -> None:
        await self._write("ready", str(ready.number), "")

    @activity.defn
    async def look_at_pull_request(self, look: LookAtPullRequest) -> PullSeen:
        return PullSeen(number=look.number, state=PullState.OPEN, head_sha="")

    @activity.defn
    async def read_job_logs(self, reading: ReadJobLogs) -> str:
        return await self.journal.keep_text("")

    @activity.defn
    async def rerun_jobs(self, rerun: RerunJobs) -> None:
        await self._write("reruns", rerun.head_sha, "")

    @activity.defn
    async def answer_thread(self, answer: AnswerThread) -> None:
        await self._write("answers", answer.key, answer.text)

    @activity.defn
    async def find_recent(self, search: FindRecent) -> Recent:
        return Recent()

    @activity.defn
    async def sweep_branches(self, sweep: SweepBranches) -> Swept:
        return Swept()

    @activity.defn
    async def show_check(self, check: ShowCheck) -> None:
        await self._write("checks", check.key, check.summary)

    async def _write(self, kind: str, name: str, text: str) -> None:
        path = self.folder / kind / name.replace("/", "_")
        await asyncio.to_thread(replace_file, path, text.encode())
