"""Fetching into trusted clones: what is found, what is refused in words, and that nothing of the source runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from activities.git import (
    AccessDenied,
    GitError,
    RepositoryMissing,
    TrustedClones,
    remotes,
)
from tests.repos import Box, commit, git, make_repository
from workflows.domain.change import Repository

FILES = {"README.md": "hello\n", "src/app.py": "print(1)\n"}


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


async def test_a_host_out_of_reach_is_an_error_that_can_be_reported(clones: TrustedClones) -> None:
    with pytest.raises(GitError, match="git ls-remote failed") as refused:
        await remotes.resolve(clones.git, "http://127.0.0.1:1/shop.git")
    chain = [refused.value]
    while isinstance(cause := chain[-1].__cause__, GitError):
        assert cause not in chain
        chain.append(cause)
    assert len(chain) == 2
