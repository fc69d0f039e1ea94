"""Taking a workspace state into a trusted clone: unpacked in quarantine, looked at from all sides, then let in."""

import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from activities.git import states
from activities.git.command import Git, GitError
from activities.git.states import BadState, ChangedFile, StateBundle

_SECONDS = 120
_LISTING_SECONDS = 20
_MOST_LISTING_BYTES = 16 * 1024 * 1024


async def look_at(git: Git, clone: Path, bundle: bytes, base_sha: str, lock: int) -> None:
    """Look at a state and leave nothing of it in the clone: whether `take_in` would take it.

    Raises BadState.
    """
    async with _looked_at(git, clone, states.opened(bundle, base_sha), base_sha, lock):
        pass


async def take_in(git: Git, clone: Path, bundle: bytes, base_sha: str, lock: int) -> str:
    """The state's commit, now in the clone. The caller holds the clone's lock and made sure that it has the base.

    Raises BadState.
    """
    state = states.opened(bundle, base_sha)
    kept = f"refs/pawl/states/{state.sha}"
    known = await git.run("show-ref", "--verify", "--quiet", kept, repository=clone, accept=(0, 1))
    if known.code == 0:
        await _Look(git, clone, {}).at_commit(state.sha, base_sha)
        return state.sha
    async with _looked_at(git, clone, state, base_sha, lock) as quarantine:
        _let_in(quarantine, clone)
    await git.run("update-ref", kept, state.sha, repository=clone)
    return state.sha


@asynccontextmanager
async def _looked_at(git: Git, clone: Path, state: StateBundle, base_sha: str, lock: int) -> AsyncGenerator[Path]:
    """The folder that holds the state's objects, looked at from all sides, until the end of the block."""
    with _quarantine(clone) as quarantine:
        look = _Look(git, clone, _inside(quarantine, clone))
        await look.unpack(state.pack, lock)
        await look.at_commit(state.sha, base_sha)
        await look.at_files(state.sha, base_sha)
        yield quarantine


class _Look:
    def __init__(self, git: Git, clone: Path, env: dict[str, str]) -> None:
        self._git = git
        self._clone = clone
        self._env = env

    async def unpack(self, pack: bytes, lock: int) -> None:
        limit = f"--max-input-size={states.MOST_BUNDLE_BYTES}"
        try:
            await self._git.run(
                "index-pack", "--stdin", "--fix-thin", "--strict", limit,
                repository=self._clone, stdin=pack, env=self._env, timeout_seconds=_SECONDS, keep_open=[lock],
            )  # fmt: skip
        except GitError as error:
            raise BadState(f"The workspace state is not sound: {error}") from error

    async def at_commit(self, sha: str, base_sha: str) -> None:
        try:
            found = await self._ask("rev-list", "--parents", "--max-count=1", sha)
        except GitError as error:
            raise BadState(f"The workspace state does not hold its commit {sha}.") from error
        if found.decode().split() != [sha, base_sha]:
            raise BadState(f"The workspace state is not one commit on the base {base_sha}.")

    async def at_files(self, sha: str, base_sha: str) -> None:
        try:
            listing = await self._git.run(
                "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", base_sha, sha,
                repository=self._clone, env=self._env, timeout_seconds=_LISTING_SECONDS,
                most_bytes=_MOST_LISTING_BYTES,
            )  # fmt: skip
        except GitError as error:  # folders in folders, many times the same: a few bytes can name billions of files
            raise BadState(f"The workspace state changes more files than can be listed: {error}") from error
        changed = list(states.changed_files(listing.out))
        if listing.cut or len(changed) > states.MOST_CHANGED_FILES:
            raise BadState(f"The workspace state changes more than {states.MOST_CHANGED_FILES:,} files.")
        sizes = await self._sizes([file for file in changed if not file.is_module])
        _refuse(states.too_much(sizes))
        for file in changed:
            _refuse(states.objection(file, await self._ask("cat-file", "blob", file.blob) if file.is_link else b""))

    async def _sizes(self, files: Sequence[ChangedFile]) -> dict[str, int]:
        asked = "".join(f"{file.blob}\n" for file in files).encode()
        answer = await self._ask("cat-file", "--batch-check=%(objecttype) %(objectsize)", stdin=asked)
        kinds = [line.split(" ") for line in answer.decode().splitlines()]
        if any(kind != "blob" for kind, *_ in kinds):
            raise BadState("The workspace state has a file that is not a file.")
        named = zip(files, kinds, strict=True)
        return {file.path.decode(errors="replace"): int(size) for file, (_, size) in named}

    async def _ask(self, *arguments: str, stdin: bytes = b"") -> bytes:
        answer = await self._git.run(
            *arguments, repository=self._clone, env=self._env, stdin=stdin, most_bytes=_MOST_LISTING_BYTES
        )
        return answer.out


def _refuse(objection: str) -> None:
    if objection:
        raise BadState(f"The workspace state is refused: {objection}")


@contextmanager
def _quarantine(clone: Path) -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="incoming-", dir=clone / "objects"))
    (folder / "pack").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _inside(quarantine: Path, clone: Path) -> dict[str, str]:
    """New objects go to the quarantine, the clone's own are only read."""
    path = str(clone / "objects").replace("\\", "\\\\").replace('"', '\\"')
    return {
        "GIT_OBJECT_DIRECTORY": str(quarantine),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{path}"',
        "GIT_ALLOC_LIMIT": "512m",  # a few bytes of delta can ask for gigabytes
    }


def _let_in(quarantine: Path, clone: Path) -> None:
    """The index goes last: only with it does git see a pack."""
    for file in sorted((quarantine / "pack").iterdir(), key=lambda file: file.suffix == ".idx"):
        file.replace(clone / "objects" / "pack" / file.name)
