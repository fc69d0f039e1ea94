"""Trusted clones: what the orchestrator's own git works on."""

import asyncio
import os
import posixpath
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from activities.git import remotes
from activities.git.bare import PAWL, Identity, alone, commit_tree
from activities.git.command import Access, Git, GitError, as_the_machine
from activities.git.intake import look_at, take_in
from activities.git.remotes import PushRejected, RepositoryMissing
from infra.files import replace_file
from workflows.domain.change import Repository

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")
_KEPT_PACKS = 4
_MOST_PACK_BYTES = 2 * 1024**3
_MOST_LINK_HOPS = 5


class DiffStat(NamedTuple):
    files: int
    insertions: int
    deletions: int


class TrustedClones:
    """A bare clone per repository name below `root`. Safe for many tasks and processes at once.

    What is missing is fetched again from the repository's URL, so the folder is a cache. Every method may raise
    GitError; the kinds worth telling apart are named where they come from. `access` lets git in elsewhere; `author` is
    who changes are by, as histories show it, while Pawl stays the committer.
    """

    def __init__(self, root: Path, access: Access = as_the_machine, author: Identity = PAWL) -> None:
        self._root = root.absolute()
        self.git = Git(self._root / ".home", access)
        self._author = author

    def path(self, name: str) -> Path:
        """Where the clone is."""
        if not _NAME.fullmatch(name):
            raise RepositoryMissing(f"{name!r} cannot be a repository's name.")
        return self._root / f"{name}.git"

    async def fetch(self, name: str, url: str, branch: str = "") -> tuple[str, str]:
        """Bring a branch, by default the default branch, up to date: its name and head commit.

        Raises RepositoryMissing, AccessDenied.
        """
        branch, _ = await remotes.resolve(self.git, url, branch)
        mine = f"refs/remotes/origin/{branch}"
        clone = self.path(name)
        async with self._alone(clone) as lock:
            await remotes.fetch(self.git, clone, url, f"+refs/heads/{branch}:{mine}", lock)
            sha = await self.git.text("rev-parse", "--verify", f"{mine}^{{commit}}", repository=clone)
            await self.git.run("update-ref", f"refs/pawl/bases/{sha}", sha, repository=clone)
        return branch, sha

    async def bundle(self, repository: Repository) -> bytes:
        """The base commit and all its history, as a git bundle that offers it as `refs/heads/<base_branch>`."""
        await self.have(repository, repository.base_sha)
        header = f"# v2 git bundle\n{repository.base_sha} refs/heads/{repository.base_branch}\n\n"
        return header.encode() + await self._pack(repository)

    async def import_base(self, repository: Repository) -> None:
        """Make sure of the base commit. Raises RepositoryMissing when nobody knows it any more."""
        await self.have(repository, repository.base_sha)

    async def import_state(self, repository: Repository, bundle: bytes) -> str:
        """Take a workspace state into the clone and return its commit. Taking it again changes nothing.

        Raises BadState unless it is one sound commit on the base whose changes are harmless to check out.
        """
        await self.have(repository, repository.base_sha)
        clone = self.path(repository.name)
        async with self._alone(clone) as lock:
            return await take_in(self.git, clone, bundle, repository.base_sha, lock)

    async def check_state(self, repository: Repository, bundle: bytes) -> None:
        """Look at a workspace state as `import_state` does, and leave nothing of it here. Raises BadState."""
        await self.have(repository, repository.base_sha)
        clone = self.path(repository.name)
        async with self._alone(clone) as lock:
            await look_at(self.git, clone, bundle, repository.base_sha, lock)

    async def commit(self, repository: Repository, tree_of: str, message: str) -> str:
        """One commit on the base with the tree of another commit. The same arguments give the same commit."""
        clone = self.path(repository.name)
        tree = await self.git.text("rev-parse", "--verify", f"{tree_of}^{{tree}}", repository=clone)
        return await commit_tree(self.git, clone, tree, [repository.base_sha], message, self._author)

    async def show(self, repository: Repository, sha: str, path: str, max_bytes: int) -> bytes | None:
        """The first bytes of a file at a commit, through links inside the repository; None when there is no file."""
        await self.have(repository, sha)
        clone = self.path(repository.name)
        for _ in range(_MOST_LINK_HOPS):
            listed = (await self.git.run("ls-tree", "-z", sha, "--", path, repository=clone)).out
            mode, _, rest = listed.partition(b"\0")[0].partition(b" ")
            blob = rest.partition(b"\t")[0].removeprefix(b"blob ").decode()
            if not mode.startswith((b"100", b"120")):
                return None
            data = (await self.git.run("cat-file", "blob", blob, repository=clone, most_bytes=max_bytes)).out
            if mode != b"120000":
                return data
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), data.decode(errors="replace")))
            if path.startswith(("/", "..")):
                return None
        return None

    async def blobs(self, repository: Repository, sha: str) -> dict[str, str]:
        """The paths of all files at a commit, each with the id of its content."""
        await self.have(repository, sha)
        listed = await self.git.run("ls-tree", "-r", "-z", sha, repository=self.path(repository.name))
        rows = [row.decode(errors="replace").partition("\t") for row in listed.out.split(b"\0") if row]
        return {path: about.split(" ")[2] for about, _, path in rows}

    async def base_contains(self, repository: Repository, sha: str) -> bool:
        """Whether the base is this commit or came after it. False also for a commit that nobody knows any more."""
        await self.have(repository, repository.base_sha)
        asked = ("merge-base", "--is-ancestor", sha, repository.base_sha)
        answer = await self.git.run(*asked, repository=self.path(repository.name), accept=(0, 1, 128))
        return answer.code == 0

    async def diff(self, repository: Repository, head: str, max_bytes: int = 4 * 1024 * 1024) -> bytes:
        """The unified diff from base to head, for reading. One that is longer ends with a line that says so."""
        await self.have(repository, repository.base_sha, head)
        diff = await self.git.run(
            "diff-tree", "-r", "-p", "-M", "--no-color", "--no-ext-diff", "--no-textconv", repository.base_sha, head,
            repository=self.path(repository.name), most_bytes=max_bytes,
        )  # fmt: skip
        if not diff.cut:
            return diff.out
        return diff.out[: diff.out.rfind(b"\n") + 1] + f"[cut: only the first {max_bytes:,} bytes are shown]\n".encode()

    async def diffstat(self, repository: Repository, head: str) -> DiffStat:
        """Files, inserted and deleted lines from base to head; binary files count no lines."""
        await self.have(repository, repository.base_sha, head)
        counted = await self.git.run(
            "diff-tree", "-r", "-z", "--numstat", "--no-renames", repository.base_sha, head,
            repository=self.path(repository.name),
        )  # fmt: skip
        rows = [row.split(b"\t", 2) for row in counted.out.split(b"\0") if row]
        lines = [(int(plus), int(minus)) for plus, minus, _ in rows if plus != b"-"]
        return DiffStat(len(rows), sum(plus for plus, _ in lines), sum(minus for _, minus in lines))

    async def push(self, repository: Repository, url: str, sha: str, branch: str, expected: str = "") -> None:
        """Put the branch at the commit, provided it still is at `expected`; empty: provided it does not exist. Without
        a commit the branch is removed.

        Raises PushRejected, AccessDenied, RepositoryMissing.
        """
        ref = f"refs/heads/{branch}"
        try:
            pushed = await self.git.run(
                "push", "--porcelain", "--no-verify", f"--force-with-lease={ref}:{expected}", "--",
                url, f"{sha}:{ref}",
                repository=self.path(repository.name), env=await self.git.access(url), accept=(0, 1),
                timeout_seconds=remotes.LONG_SECONDS,
            )  # fmt: skip
        except GitError as error:
            raise remotes.meant(error, url) from error
        if pushed.code:
            refused = [line for line in pushed.out.decode(errors="replace").splitlines() if line.startswith("!")]
            raise PushRejected(f"{branch} was not pushed: {' '.join(refused) or pushed.said}")

    @asynccontextmanager
    async def _alone(self, clone: Path) -> AsyncGenerator[int]:
        """Hold the clone. Nobody but us changes it, so whatever half-done work is found belongs to nobody."""
        async with alone(self.git, clone) as lock:
            for pattern in ("*.lock", "refs/**/*.lock", "objects/*.lock", "objects/info/*.lock"):
                for left in clone.glob(pattern):
                    left.unlink(missing_ok=True)
            for left in clone.glob("objects/incoming-*"):
                shutil.rmtree(left)
            yield lock

    async def have(self, repository: Repository, *shas: str) -> None:
        """Make sure of commits, fetching all branches when one is missing. Raises RepositoryMissing when nobody knows
        one any more."""
        missing = [sha for sha in shas if not await self._has(repository, sha)]
        if not missing:
            return
        clone = self.path(repository.name)
        async with self._alone(clone) as lock:
            every = "+refs/heads/*:refs/remotes/origin/*"
            await remotes.fetch(self.git, clone, repository.url, every, lock)
        for sha in missing:
            if not await self._has(repository, sha):
                raise RepositoryMissing(f"Commit {sha} is gone from {repository.url}. Start the ticket anew.")

    async def _has(self, repository: Repository, sha: str) -> bool:
        clone = self.path(repository.name)
        if not clone.exists():
            return False
        known = await self.git.run("cat-file", "-e", f"{sha}^{{commit}}", repository=clone, accept=(0, 1, 128))
        return known.code == 0

    async def _pack(self, repository: Repository) -> bytes:
        folder = self._root / f"{repository.name}.packs"
        file = folder / f"{repository.base_sha}.pack"
        if file.exists():
            os.utime(file)
            return await asyncio.to_thread(file.read_bytes)
        packed = await self.git.run(
            "pack-objects", "--quiet", "--revs", "--delta-base-offset", "--stdout",
            repository=self.path(repository.name), stdin=f"{repository.base_sha}\n".encode(),
            timeout_seconds=remotes.LONG_SECONDS, most_bytes=_MOST_PACK_BYTES,
        )  # fmt: skip
        if packed.cut:
            raise GitError(f"The history of {repository.name} is larger than {_MOST_PACK_BYTES:,} bytes.")
        await asyncio.to_thread(replace_file, file, packed.out)
        for old in sorted(folder.glob("*.pack"), key=lambda pack: pack.stat().st_mtime)[:-_KEPT_PACKS]:
            old.unlink(missing_ok=True)
        return packed.out
