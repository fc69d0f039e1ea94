"""Talking to repositories elsewhere: which branch, which commit, and what a refusal means."""

import re
from pathlib import Path

from activities.git.command import Git, GitError, without_password

LONG_SECONDS = 280
"""For what moves a whole history: just under the five minutes a forge step has."""


class RepositoryMissing(GitError):
    """There is no such repository, branch or commit. The message says what to do."""


class AccessDenied(GitError):
    """The repository wants credentials we do not have."""


class PushRejected(GitError):
    """The branch is not where it was expected, or the other side refuses the push."""


def checked_url(url: str) -> str:
    """The URL, if it may be kept in records people read. Raises RepositoryMissing when it holds a password."""
    if not url.strip() or url.startswith("-"):
        raise RepositoryMissing(f"{url!r} names no repository. Give a folder or a git URL.")
    if re.match(r"https?://[^/]*@", url):
        raise RepositoryMissing(
            f"The URL of {without_password(url)} holds a password, which would be kept in records. "
            "Give the URL without it."
        )
    return url


async def resolve(git: Git, url: str, branch: str = "") -> tuple[str, str]:
    """Branch name and head commit; the default branch when none is named. Raises RepositoryMissing, AccessDenied."""
    wanted = f"refs/heads/{branch}" if branch else "HEAD"
    heads = await _listed(git, checked_url(url), wanted)
    if branch and wanted in heads:
        return branch, heads[wanted]
    named = heads.get("ref: HEAD", "")
    if not branch and "HEAD" in heads and named:
        return named.removeprefix("refs/heads/"), heads["HEAD"]
    others = sorted(ref.removeprefix("refs/heads/") for ref in await _listed(git, url, "refs/heads/*"))
    raise RepositoryMissing(_nothing_there(url, branch, others, detached="HEAD" in heads))


async def head_of(git: Git, url: str, branch: str) -> str:
    """Where a branch is; empty when there is none. Raises RepositoryMissing, AccessDenied."""
    ref = f"refs/heads/{branch}"
    return (await _listed(git, checked_url(url), ref)).get(ref, "")


async def branches(git: Git, url: str, prefix: str) -> tuple[dict[str, str], str]:
    """Branch -> head of those that begin with the prefix, and the default branch, empty where there is none. Raises
    RepositoryMissing, AccessDenied."""
    found = await _listed(git, checked_url(url), "HEAD", f"refs/heads/{prefix}*")
    named = {ref.removeprefix("refs/heads/"): sha for ref, sha in found.items() if ref.startswith("refs/heads/")}
    return named, found.get("ref: HEAD", "").removeprefix("refs/heads/")


async def fetch(git: Git, repository: Path, url: str, refspec: str, lock: int) -> None:
    """Fetch branches into a bare repository whose lock the caller holds. Raises RepositoryMissing, AccessDenied."""
    try:
        got = await git.run(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", url, refspec,
            repository=repository, env=await git.access(url), timeout_seconds=LONG_SECONDS, keep_open=[lock],
        )  # fmt: skip
    except GitError as error:
        raise meant(error, url) from error
    if "shallow" in got.said:  # git only warns of it, and leaves the branch where it was
        raise meant(GitError(got.said), url)


async def _listed(git: Git, url: str, *patterns: str) -> dict[str, str]:
    """Ref -> commit, and `ref: HEAD` -> the branch HEAD names."""
    try:
        answer = await git.text("ls-remote", "--symref", "--", url, *patterns, env=await git.access(url))
    except GitError as error:
        raise meant(error, url) from error
    found: dict[str, str] = {}
    for line in answer.splitlines():
        value, _, ref = line.partition("\t")
        if value.startswith("ref: "):
            found[f"ref: {ref}"] = value.removeprefix("ref: ")
        else:
            found[ref] = value
    return found


def _nothing_there(url: str, branch: str, others: list[str], *, detached: bool) -> str:
    if not others:
        return f"{url} has no commit yet. Commit something there, then resume."
    known = ", ".join(others[:10]) + (", ..." if len(others) > 10 else "")
    if branch:
        return f"{url} has no branch {branch}. It has: {known}."
    why = "HEAD is on no branch" if detached else "its HEAD names a branch without commits"
    return f"{url} has no default branch ({why}). Name one of: {known}."


_DENIED = re.compile(r"Authentication failed|could not read (Username|Password)|Permission denied|error: 40[13]\b")
_MISSING = re.compile(
    r"not appear to be a git repository|[Rr]epository .*(not found|does not exist)|no such (file|path)|"
    r"transport '.*' not allowed|[Pp]rotocol .* (is )?not (supported|allowed)|unable to find remote helper",
    re.IGNORECASE,
)


def meant(error: GitError, url: str) -> GitError:
    """What git's complaint about another repository means: missing, denied, or something that may pass."""
    said = str(error)
    if _DENIED.search(said):
        return AccessDenied(f"{url} refuses us: {said}")
    if "mismatched algorithms" in said:
        return RepositoryMissing(f"{url} uses SHA-256 object names, which Pawl cannot read.")
    if _MISSING.search(said):
        inside = " Name its top folder." if Path(url).is_dir() else ""
        return RepositoryMissing(f"{url} is not a git repository: {said}{inside}")
    if "shallow" in said:
        return RepositoryMissing(f"{url} is a shallow clone. Run `git fetch --unshallow` in it, then resume.")
    return type(error)(said)  # a new one: callers raise it from the old, and an error that is its own cause has no end
