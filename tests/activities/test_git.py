"""The trusted git helper, against real git, honest repositories and hostile states."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.git import (
    AccessDenied,
    BadState,
    DiffStat,
    Git,
    GitError,
    PushRejected,
    RepositoryMissing,
    TrustedClones,
)
from activities.git.command import GitTimeout
from tests.repos import Box, commit, git, git_bytes, make_repository
from workflows.domain.change import Repository

FILES = {"README.md": "hello\n", "src/app.py": "print(1)\n"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "source", FILES)


@pytest.fixture
def clones(tmp_path: Path) -> TrustedClones:
    return TrustedClones(tmp_path / "clones")


@pytest.fixture
async def repository(clones: TrustedClones, source: Path) -> Repository:
    branch, sha = await clones.fetch("one", str(source))
    return Repository(name="one", url=str(source), base_branch=branch, base_sha=sha)


@pytest.fixture
async def box(tmp_path: Path, clones: TrustedClones, repository: Repository) -> Box:
    return Box(tmp_path / "box", repository, await clones.bundle(repository))


# --- fetching ---------------------------------------------------------------------------------------------------


async def test_fetch_finds_the_default_branch_and_follows_it(clones: TrustedClones, source: Path) -> None:
    assert await clones.fetch("one", str(source)) == ("main", git(source, "rev-parse", "HEAD"))
    head = commit(source, {"new.txt": "1"})
    assert await clones.fetch("one", str(source)) == ("main", head)
    git(source, "checkout", "-q", "-b", "feature/x")
    other = commit(source, {"other.txt": "1"})
    assert await clones.fetch("one", source.as_uri(), "feature/x") == ("feature/x", other)


def detach(path: Path) -> None:
    git(make_repository(path, FILES), "checkout", "-q", "--detach")


MISSING: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "nothing there": (str, "", "is not a git repository"),
    "no repository": (Path.mkdir, "", "Name its top folder"),
    "no commit": (make_repository, "", "has no commit yet. Commit something"),
    "no such branch": (lambda path: make_repository(path, FILES), "nope", "has no branch nope. It has: main"),
    "on no branch": (detach, "", "Name one of: main"),
    "a way out": (lambda path: make_repository(path, FILES), "../main", "has no branch ../main"),
    "an option": (lambda path: make_repository(path, FILES), "-x", "has no branch -x"),
}


@pytest.mark.parametrize("case", list(MISSING))
async def test_what_cannot_be_fetched_says_what_to_do(clones: TrustedClones, tmp_path: Path, case: str) -> None:
    make, branch, says = MISSING[case]
    make(tmp_path / "there")
    with pytest.raises(RepositoryMissing) as caught:
        await clones.fetch("one", str(tmp_path / "there"), branch)
    assert says in str(caught.value)
    assert str(tmp_path / "there") in str(caught.value)


@pytest.mark.parametrize("url", ["", "--upload-pack=touch /tmp/x", "ext::sh -c date", "https://u:secret@127.0.0.1/x"])
async def test_urls_that_are_no_repositories(clones: TrustedClones, url: str) -> None:
    with pytest.raises(RepositoryMissing) as caught:
        await clones.fetch("one", url)
    assert "secret" not in str(caught.value)


async def test_a_server_that_does_not_answer_is_worth_another_try(clones: TrustedClones) -> None:
    with pytest.raises(GitError) as caught:
        await clones.fetch("one", "http://127.0.0.1:1/x.git")
    assert not isinstance(caught.value, RepositoryMissing | AccessDenied)
    assert "127.0.0.1" in str(caught.value)


async def test_a_shallow_source_says_how_to_deepen_it(clones: TrustedClones, source: Path, tmp_path: Path) -> None:
    commit(source, {"new.txt": "1"})
    git(tmp_path, "clone", "-q", "--depth", "1", source.as_uri(), "shallow")
    with pytest.raises(RepositoryMissing, match="git fetch --unshallow"):
        await clones.fetch("one", str(tmp_path / "shallow"))


async def test_nothing_of_the_source_runs(clones: TrustedClones, source: Path, tmp_path: Path) -> None:
    """Hooks, monitors, filters and pack hooks of the repository that is fetched stay text."""
    trap = f"touch {tmp_path}/sprung"
    for name in ("post-checkout", "reference-transaction", "post-update", "pre-auto-gc"):
        hook = source / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{trap}\n")
        hook.chmod(0o755)
    for key in ("core.fsmonitor", "uploadpack.packObjectsHook", "core.sshCommand", "diff.external"):
        git(source, "config", key, trap)
    commit(source, {".gitattributes": "* diff=trap filter=trap\n"})
    (tmp_path / "sprung").unlink(missing_ok=True)  # the person's own git does run it
    branch, sha = await clones.fetch("one", str(source))
    repository = Repository(name="one", url=str(source), base_branch=branch, base_sha=sha)
    await clones.bundle(repository)
    await clones.diff(repository, f"{sha}~1")
    assert not (tmp_path / "sprung").exists()


async def test_the_environment_of_the_machine_stays_outside(
    clones: TrustedClones, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "gitconfig"
    hostile.write_text(f'[core]\n\tfsmonitor = touch {tmp_path}/sprung\n[url "/nowhere"]\n\tinsteadOf = {tmp_path}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(hostile))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    await clones.fetch("one", str(source))
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "trace").exists()


async def test_old_honest_histories_are_fetched(clones: TrustedClones, source: Path) -> None:
    """A commit as git of 2005 could write it: no space before the date's zone is right, but the zone is not."""
    tree, parent = git(source, "rev-parse", "HEAD^{tree}"), git(source, "rev-parse", "HEAD")
    who = "Ada <ada@example.org> 1120000000 +051800"
    raw = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nold\n"
    old = git(source, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw.encode())
    git(source, "update-ref", "refs/heads/main", old)
    assert await clones.fetch("one", str(source)) == ("main", old)


# --- bundles ----------------------------------------------------------------------------------------------------


async def test_the_bundle_is_the_base_with_its_history(box: Box, clones: TrustedClones, repository: Repository) -> None:
    assert git(box.folder, "rev-parse", "HEAD") == repository.base_sha
    assert (box.folder / "src/app.py").read_text() == FILES["src/app.py"]
    assert await clones.bundle(repository) == await clones.bundle(repository)


async def test_a_lost_clone_is_made_again(tmp_path: Path, source: Path, repository: Repository) -> None:
    commit(source, {"later.txt": "1"})
    elsewhere = TrustedClones(tmp_path / "elsewhere")
    assert len(await elsewhere.bundle(repository)) > 100
    assert await elsewhere.show(repository, repository.base_sha, "later.txt", 100) is None


async def test_a_base_that_is_gone_says_so(tmp_path: Path, source: Path, repository: Repository) -> None:
    git(source, "commit", "-q", "--amend", "-m", "rewritten")
    git(source, "reflog", "expire", "--expire=now", "--all")
    git(source, "gc", "-q", "--prune=now")
    with pytest.raises(RepositoryMissing, match=r"is gone from .* Start the ticket anew"):
        await TrustedClones(tmp_path / "elsewhere").bundle(repository)


# --- states -----------------------------------------------------------------------------------------------------


async def test_a_state_comes_in_and_becomes_a_commit(clones: TrustedClones, repository: Repository, box: Box) -> None:
    state = box.state({"src/app.py": "print(2)\nprint(3)\n", "new.txt": "1\n", "link": "x"})
    sha = await clones.import_state(repository, state)
    assert sha == git(box.folder, "rev-parse", "HEAD")
    assert await clones.import_state(repository, state) == sha
    made = await clones.commit(repository, sha, "Do it\n\nBecause.  \n")
    assert made == await clones.commit(repository, sha, "Do it\n\nBecause.")
    assert await clones.diffstat(repository, made) == DiffStat(files=3, insertions=4, deletions=1)
    assert b"+print(2)\n" in await clones.diff(repository, made)
    shown = await clones.git.text("show", "-s", "--format=%an|%ae|%ct|%P|%B", made, repository=clones.path("one"))
    assert shown == f"Pawl|pawl@localhost|1700000000|{repository.base_sha}|Do it\n\nBecause."


async def test_deleted_and_executable_and_linked_files_come_in(
    clones: TrustedClones, repository: Repository, box: Box
) -> None:
    (box.folder / "README.md").unlink()
    (box.folder / "src" / "link").symlink_to("app.py")
    (box.folder / "run.sh").write_text("#!/bin/sh\n")
    (box.folder / "run.sh").chmod(0o755)
    sha = await clones.import_state(repository, box.state({"ünïcode name.txt": b"\x00\xff"}))
    assert await clones.paths(repository, sha) == ["run.sh", "src/app.py", "src/link", "ünïcode name.txt"]
    assert await clones.show(repository, sha, "src/link", 100) == b"print(1)\n"
    assert await clones.show(repository, sha, "src/app.py", 3) == b"pri"
    assert await clones.show(repository, sha, "src", 100) is None


HOSTILE = {
    "git folder": (b"100644 blob BLOB\thooks\0", b"040000 tree TREE\t.git\0"),
    "git folder in other letters": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\t.GIT\0"),
    "git folder as windows sees it": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\tgit~1\0"),
    "git folder as a mac sees it": (b"100644 blob BLOB\tconfig\0", "040000 tree TREE\t.g\u200cit\0".encode()),
    "git folder below": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\t.git\0", b"040000 tree TREE\tsub\0"),
    "way up": (b"100644 blob BLOB\tevil\0", b"040000 tree TREE\t..\0"),
    "control characters": (b"100644 blob BLOB\tan\x1b[2Jevil\nname\0",),
    "not utf-8": (b"100644 blob BLOB\tcaf\xe9\0",),
    "link to the machine": (b"120000 blob ABSOLUTE\tlink\0",),
    "link out": (b"120000 blob OUTSIDE\tlink\0", b"040000 tree TREE\tsub\0"),
    "link into git": (b"120000 blob INTO_GIT\tlink\0",),
    "repository inside": (b"160000 commit BASE\tinner\0",),
}


@pytest.mark.parametrize("case", list(HOSTILE))
async def test_a_hostile_tree_is_refused(clones: TrustedClones, repository: Repository, box: Box, case: str) -> None:
    blobs = {
        b"BLOB": box.blob(b"evil"),
        b"ABSOLUTE": box.blob(b"/etc/passwd"),
        b"OUTSIDE": box.blob(b"../../x"),
        b"INTO_GIT": box.blob(b"a/../.git/hooks"),
        b"BASE": repository.base_sha,
    }
    entries = [bytes(entry) for entry in HOSTILE[case]]
    for name, sha in blobs.items():
        entries = [entry.replace(name, sha.encode()) for entry in entries]
    with pytest.raises(BadState):
        await clones.import_state(repository, box.tree_state(*entries))
    assert not list(clones.path("one").glob("objects/incoming-*"))
    assert await clones.git.text("for-each-ref", "refs/pawl/states", repository=clones.path("one")) == ""


async def test_states_that_are_not_one_commit_on_the_base(
    clones: TrustedClones, repository: Repository, box: Box
) -> None:
    good = box.state({"a.txt": "1"})
    first = git(box.folder, "rev-parse", "HEAD")
    second_commit = box.state({"b.txt": "1"})
    orphan = box.bundled(git(box.folder, "commit-tree", "HEAD^{tree}", "-m", "x"), "refs/pawl/state", "refs/pawl/state")
    two_refs = box.bundled(first, "refs/pawl/other", "refs/pawl/other", "refs/pawl/state", f"^{box.base}")
    tag = git(box.folder, "mktag", stdin=f"object {first}\ntype commit\ntag t\ntagger A <a@b> 1 +0000\n\nt\n".encode())
    tagged = box.bundled(tag)
    on_other = box.bundled(git(box.folder, "rev-parse", "HEAD"), "refs/pawl/state", "refs/pawl/state", f"^{first}")
    flipped = bytearray(good)
    flipped[-30] ^= 0xFF
    for bad in (
        second_commit,
        orphan,
        two_refs,
        tagged,
        on_other,
        bytes(flipped),
        good[:-40],
        b"",
        b"# v2 git bundle\n",
    ):
        with pytest.raises(BadState):
            await clones.import_state(repository, bad)
    assert await clones.import_state(repository, good) == first


async def test_a_state_with_missing_objects_is_refused(clones: TrustedClones, repository: Repository, box: Box) -> None:
    absent = "1" * 40
    state = f"# v2 git bundle\n{absent} refs/pawl/state\n\n".encode()
    pack = git_bytes(box.folder, "pack-objects", "--stdout", "--revs", "-q", stdin=b"HEAD\n")
    with pytest.raises(BadState):
        await clones.import_state(repository, state + pack)


async def test_a_small_state_that_unfolds_into_a_huge_file_is_refused(
    clones: TrustedClones, repository: Repository, box: Box
) -> None:
    state = box.state({"zeros": b"\0" * (60 * 1024 * 1024)})
    assert len(state) < 1_000_000
    with pytest.raises(BadState, match=r"zeros has 62,914,560 bytes; a file may have"):
        await clones.import_state(repository, state)


# --- pushing ----------------------------------------------------------------------------------------------------


async def test_push_only_onto_what_was_expected(
    clones: TrustedClones, repository: Repository, box: Box, tmp_path: Path
) -> None:
    target = tmp_path / "target.git"
    git(tmp_path, "init", "-q", "--bare", str(target))
    state = await clones.import_state(repository, box.state({"a.txt": "1"}))
    one, two = await clones.commit(repository, state, "one"), await clones.commit(repository, state, "two")
    await clones.push(repository, str(target), one, "pawl/x")
    with pytest.raises(PushRejected, match="pawl/x was not pushed"):
        await clones.push(repository, str(target), two, "pawl/x")
    with pytest.raises(PushRejected):
        await clones.push(repository, str(target), two, "pawl/x", expected=two)
    await clones.push(repository, str(target), two, "pawl/x", expected=one)
    assert git(target, "rev-parse", "pawl/x") == two


# --- together and interrupted -----------------------------------------------------------------------------------

_WORKER = """
import asyncio, sys
from pathlib import Path
from activities.git import TrustedClones
async def main():
    clones = TrustedClones(Path(sys.argv[1]))
    print(*[sha for _, sha in [await clones.fetch("one", sys.argv[2]) for _ in range(3)]])
asyncio.run(main())
"""


async def test_many_tasks_and_processes_share_a_clone(tmp_path: Path, source: Path, clones: TrustedClones) -> None:
    others = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WORKER, str(tmp_path / "clones"), str(source), stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    mine = await asyncio.gather(*(clones.fetch("one", str(source)) for _ in range(5)))
    theirs = [(await other.communicate())[0].decode().split() for other in others]
    head = git(source, "rev-parse", "HEAD")
    assert {sha for _, sha in mine} == {head}
    assert theirs == [[head] * 3] * 2


async def test_what_a_killed_git_left_behind_does_not_block(
    clones: TrustedClones, source: Path, repository: Repository
) -> None:
    head = commit(source, {"new.txt": "1"})
    clone = clones.path("one")
    (clone / "refs/remotes/origin/main.lock").write_text("half")
    (clone / "packed-refs.lock").write_text("half")
    (clone / "objects" / "incoming-dead" / "pack").mkdir(parents=True)
    assert await clones.fetch("one", str(source)) == ("main", head)
    assert not list(clone.rglob("*.lock"))
    assert not (clone / "objects" / "incoming-dead").exists()


async def test_a_command_that_hangs_is_killed_with_its_helpers(tmp_path: Path) -> None:
    running = tmp_path / "pid"
    script = f"!echo $$ > {running}; sleep 300"
    with pytest.raises(GitTimeout, match=r"stopped after 0\.5 s"):
        await Git(tmp_path / "home").run("-c", f"alias.hang={script}", "hang", timeout_seconds=0.5)
    await gone(int(running.read_text()))


async def test_a_cancelled_command_leaves_no_process(tmp_path: Path) -> None:
    running = tmp_path / "pid"
    script = f"!echo $$ > {running}; sleep 300"
    task = asyncio.create_task(Git(tmp_path / "home").run("-c", f"alias.hang={script}", "hang"))
    await written(running)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(int(running.read_text()))


async def written(file: Path) -> None:
    async with asyncio.timeout(10):
        while not file.exists() or not file.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError(f"process {pid} outlived its git")


async def test_long_output_is_cut_and_drained(tmp_path: Path) -> None:
    out = await Git(tmp_path / "home").run("-c", "alias.pour=!yes | head -c 3000000", "pour", most_bytes=1000)
    assert (len(out.out), out.cut) == (1000, True)


async def test_a_long_diff_says_that_it_was_cut(clones: TrustedClones, repository: Repository, box: Box) -> None:
    sha = await clones.import_state(repository, box.state({"long.txt": "line\n" * 1000}))
    diff = await clones.diff(repository, sha, max_bytes=1000)
    assert diff.endswith(b"+line\n[cut: only the first 1,000 bytes are shown]\n")
