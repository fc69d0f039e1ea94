"""Which branches of Pawl's nobody needs any more, as git and the pull requests tell it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from activities.forge.standing import contains
from activities.git import PAWL
from activities.git.command import Git
from workflows.domain.pull import PullState
from workflows.domain.shown import code
from workflows.ports.forge import SweepBranches, Swept

_MOST = 150
"""Branches in one sweep: each may take a call or two."""
_MOST_COMMITS = 1_000


class PullOf(NamedTuple):
    """What has become of a pull request of a branch."""

    number: int
    state: PullState
    head_sha: str
    """Where it stood when it was merged or closed; empty: git alone tells whether it is merged."""
    ours: bool
    """Whether Pawl opened it."""
    closed_at: datetime | None = None


class Commits(NamedTuple):
    """What is on a branch."""

    merged: bool
    """Whether the base has all of it."""
    begun_by_us: bool
    """Whether any of it is Pawl's."""
    others: bool
    """Whether any of it is somebody else's and not in the base."""


class Judged(NamedTuple):
    dead: bool
    why: str = ""
    """Why it is kept though it looks dead."""


@dataclass
class Outcome:
    """A sweep as it goes on."""

    removed: list[str] = field(default_factory=list[str])
    kept: list[str] = field(default_factory=list[str])

    def keep(self, branch: str, why: str) -> None:
        self.kept.append(f"{code(branch)} is kept: {why}.")

    def swept(self) -> Swept:
        return Swept(removed=tuple(sorted(self.removed)), kept=tuple(self.kept))


def candidates(heads: dict[str, str], sweep: SweepBranches, default: str, outcome: Outcome) -> dict[str, str]:
    """Branch -> head of those that may be looked at. Where there are many, others every day."""
    spared = {*sweep.in_use, sweep.repository.base_branch, default}
    ours = [branch for branch in heads if branch.startswith(sweep.prefix) and branch not in spared]
    if not sweep.prefix:
        return {}
    if len(ours) > _MOST:
        day = f"{sweep.closed_before:%Y-%m-%d}"
        ours.sort(key=lambda branch: hashlib.sha256(f"{day}\n{branch}".encode()).digest())
        outcome.kept.append(f"{len(ours) - _MOST} more branches were not looked at: others are each day.")
    return {branch: heads[branch] for branch in sorted(ours[:_MOST])}


async def commits(git: Git, folder: Path, base: str, head: str) -> Commits:
    """Of a bare repository that has both."""
    if await contains(git, folder, base, head):
        asked = ("show", "--no-patch", "--format=%ce", head)
        return Commits(True, await git.text(*asked, repository=folder) == PAWL.email, False)
    asked = ("log", f"--max-count={_MOST_COMMITS}", "--format=%ce", f"{base}..{head}", "--")
    by = (await git.text(*asked, repository=folder)).splitlines()
    return Commits(False, PAWL.email in by, len(by) >= _MOST_COMMITS or set(by) != {PAWL.email})


def judged(head: str, has: Commits, pulls: Sequence[PullOf], closed_before: datetime) -> Judged:
    """`pulls`: all of the branch."""
    if any(pull.state is PullState.OPEN for pull in pulls):
        return Judged(False)
    landed = has.merged or any(pull.state is PullState.MERGED and pull.head_sha == head for pull in pulls)
    if landed:
        ours = has.begun_by_us or any(pull.ours for pull in pulls)
        return Judged(ours, "" if ours else "it is merged, and nothing on it is Pawl's")
    if not pulls:
        return Judged(False, "it has commits that no pull request has")
    last = max(pulls, key=lambda pull: pull.number)
    if last.head_sha != head:
        return Judged(False, f"its pull request {last.number} was {last.state} with another head")
    if has.others:
        return Judged(False, f"its pull request {last.number} was closed, and somebody else's commits are on it")
    return Judged(last.closed_at is not None and last.closed_at < closed_before)
