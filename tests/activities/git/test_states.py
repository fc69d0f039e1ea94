"""States coming out of sandboxes: what is let in, and everything hostile that is not."""

from pathlib import Path

import pytest

from activities.git import (
    BadState,
    DiffStat,
    TrustedClones,
)
from tests.repos import Box, git, git_bytes, make_repository
from workflows.domain.change import Repository

FILES = {"README.md": "hello\n", "src/app.py": "print(1)\n"}


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


async def test_a_state_that_is_only_checked_leaves_nothing(
    clones: TrustedClones, repository: Repository, box: Box
) -> None:
    clone = clones.path("one")
    before = sorted(clone.rglob("*"))
    state = box.state({"new.txt": "1\n"})
    await clones.check_state(repository, state)
    with pytest.raises(BadState):
        await clones.check_state(repository, state[:-40])
    assert sorted(clone.rglob("*")) == before
    assert await clones.import_state(repository, state)


async def test_deleted_and_executable_and_linked_files_come_in(
    clones: TrustedClones, repository: Repository, box: Box
) -> None:
    (box.folder / "README.md").unlink()
    (box.folder / "src" / "link").symlink_to("app.py")
    (box.folder / "run.sh").write_text("#!/bin/sh\n")
    (box.folder / "run.sh").chmod(0o755)
    sha = await clones.import_state(repository, box.state({"ünïcode name.txt": b"\x00\xff"}))
    assert list(await clones.blobs(repository, sha)) == ["run.sh", "src/app.py", "src/link", "ünïcode name.txt"]
    assert await clones.show(repository, sha, "src/link", 100) == b"print(1)\n"
    assert await clones.show(repository, sha, "src/app.py", 3) == b"pri"
    assert await clones.show(repository, sha, "src", 100) is None


HOSTILE = {
    "git folder": (b"100644 blob BLOB\thooks\0", b"040000 tree TREE\t.git\0"),
    "git folder in other letters": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\t.GIT\0"),
    "git folder as windows sees it": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\tgit~1\0"),
    "git folder as a mac sees it": (b"100644 blob BLOB\tconfig\0", "040000 tree TREE\t.g\u200cit\0".encode()),
    "git folder as windows sees it, in capitals": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\tGIT~1\0"),
    "git folder with a dot": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\t.git.\0"),
    "git folder with a blank": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\t.git \0"),
    "git folder as a stream": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\t.git::$INDEX_ALLOCATION\0"),
    "git folder behind a backslash": (b"100644 blob BLOB\tsub\\.git\\config\0",),
    "git as a file": (b"100644 blob BLOB\t.git\0",),
    "git folder below": (b"100644 blob BLOB\tconfig\0", b"040000 tree TREE\t.git\0", b"040000 tree TREE\tsub\0"),
    "way up": (b"100644 blob BLOB\tevil\0", b"040000 tree TREE\t..\0"),
    "control characters": (b"100644 blob BLOB\tan\x1b[2Jevil\nname\0",),
    "newline": (b"100644 blob BLOB\ta\nb\0",),
    "name too long": (b"100644 blob BLOB\t" + b"n" * 256 + b"\0",),
    "path too long": (b"100644 blob BLOB\tfile\0", *[b"040000 tree TREE\t" + b"d" * 200 + b"\0"] * 5),
    "dot": (b"100644 blob BLOB\tevil\0", b"040000 tree TREE\t.\0"),
    "submodules by a link": (b"120000 blob LINK\t.gitmodules\0",),
    "submodules that run a command": (b"100644 blob MODULES\t.gitmodules\0",),
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
        b"LINK": box.blob(b"elsewhere"),
        b"MODULES": box.blob(b'[submodule "x"]\n\tpath = x\n\turl = -u./payload\n'),
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


async def test_a_file_whose_name_holds_a_tab_can_be_counted(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", {"a\tb.txt": "x\n", "c.txt": "c\n"})
    base = git(source, "rev-parse", "HEAD")
    (source / "a\tb.txt").unlink()
    git(source, "commit", "-aqm", "Without it")
    clones = TrustedClones(tmp_path / "clones")
    repository = Repository(name="tabs", url=str(source), base_branch="main", base_sha=base)
    stat = await clones.diffstat(repository, git(source, "rev-parse", "HEAD"))
    assert stat == DiffStat(files=1, insertions=0, deletions=1)
