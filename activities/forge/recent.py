"""What happened in a repository, as git and the local forge's files tell it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from activities.forge.pulls import OPEN, Pull, Pulls
from activities.git import TrustedClones
from activities.git.command import Git
from workflows.domain.shown import code, visible
from workflows.ports.forge import CommitSeen, FindRecent, PullStale

T = TypeVar("T")
_PARTS = 4
_MOST_BYTES = 2 * 1024 * 1024
"""A subject can be as long as its commit, and git does not count what has no width."""


def line_of(text: str, most: int) -> str:
    """Words of anybody's as one line that a screen shows as it is."""
    return visible(" ".join(text.split()))[:most]


def newest(found: Sequence[T], most: int, what: str) -> tuple[tuple[T, ...], list[str]]:
    """What fits, and a sentence where something does not."""
    left = [f"There are more {what} than the newest {most}."] if len(found) > most else []
    return tuple(found[:most]), left


async def commits(clones: TrustedClones, search: FindRecent) -> tuple[tuple[CommitSeen, ...], list[str]]:
    """Of the base as it was opened. One that is dated tomorrow would be new for ever: it waits until its day."""
    repository = search.repository
    await clones.import_base(repository)
    until = int(datetime.now(UTC).timestamp())
    told = await clones.git.run(
        "log", "-z", "--format=%H%x00%ct%x00%<(200,trunc)%an%x00%<(300,trunc)%s", f"--max-count={search.most + 1}",
        f"--since=@{int(search.since.timestamp())}", f"--until=@{until}", "--end-of-options", repository.base_sha,
        repository=clones.path(repository.name), most_bytes=_MOST_BYTES,
    )  # fmt: skip
    parts = told.out.decode(errors="replace").split("\0")
    rows = zip(*(parts[n::_PARTS] for n in range(_PARTS)), strict=False)
    seen = [
        CommitSeen(sha=sha, at=_moment(at), author=line_of(author, 200), subject=line_of(subject, 300))
        for sha, at, author, subject in rows
    ]
    fitting, left = newest(seen, search.most, f"commits on {code(repository.base_branch)}")
    return fitting, [*left, *["Some of the commits could not be read: they say too much."] * told.cut]


async def stale_files(git: Git, own: Path, pulls: Pulls, search: FindRecent) -> tuple[tuple[PullStale, ...], list[str]]:
    """Open pull requests of the local forge that neither a person nor Pawl has touched."""
    readable, left = pulls.every()
    found = [_stale(pull, await _touched(git, own, pull)) for pull in readable if pull.state == OPEN]
    old = sorted((one for one in found if one.touched < search.stale_before), key=lambda one: one.touched, reverse=True)
    fitting, more = newest(old, search.most, "stale pull requests")
    return fitting, [*left, *more]


def _stale(pull: Pull, touched: datetime) -> PullStale:
    title = line_of(pull.title, 300)
    return PullStale(number=pull.number, title=title, author="Pawl", touched=touched, url=str(pull.path))


async def _touched(git: Git, own: Path, pull: Pull) -> datetime:
    """When its file was changed or its head was committed, whichever came later."""
    asked = ("for-each-ref", "--format=%(committerdate:unix)", f"refs/heads/{pull.branch}")
    dates = (await git.text(*asked, repository=own)).split()
    return max(pull.changed, *(_moment(date) for date in dates[:1])) if dates else pull.changed


def _moment(seconds: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):  # git takes any number for a date
        return datetime.fromtimestamp(0, UTC)
