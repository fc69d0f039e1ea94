"""Repositories as people and sandboxes make them, for tests."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from workflows.domain.change import Repository

_IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "@1700000000 +0100"))
}
_NO_MAINTENANCE = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "maintenance.auto", "GIT_CONFIG_VALUE_0": "false"}
"""Half of what a commit takes: nobody keeps these repositories for long."""
_ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    **_NO_MAINTENANCE,
    **_IDENTITY,
}


def git(folder: Path, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
    return git_bytes(folder, *arguments, stdin=stdin, env=env).decode().strip()


def git_bytes(folder: Path, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
    ran = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=stdin,
        env=_ENV | dict(env or {}),
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


def make_repository(folder: Path, files: Mapping[str, str | bytes] | None = None, branch: str = "main") -> Path:
    """A person's repository with one commit of these files; without files it has no commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", branch)
    if files:
        commit(folder, files)
    return folder


def commit(folder: Path, files: Mapping[str, str | bytes], message: str = "Work") -> str:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


class Box:
    """What a sandbox does with a base bundle: check it out, change files, hand the state out as a bundle."""

    def __init__(self, folder: Path, repository: Repository, base: bytes) -> None:
        self.base = repository.base_sha
        self.folder = folder / "work"
        folder.mkdir(parents=True)
        (folder / "base.bundle").write_bytes(base)
        git(folder, "clone", "-q", "-b", repository.base_branch, str(folder / "base.bundle"), str(self.folder))

    def state(self, files: Mapping[str, str | bytes]) -> bytes:
        commit(self.folder, files, "state")
        return self.bundled("HEAD")

    def tree_state(self, entries: bytes, *more: bytes) -> bytes:
        """The state of a hand-made tree (`git mktree` input), which no checkout could hold."""
        tree = git(self.folder, "mktree", "--missing", "-z", stdin=entries)
        for outer in more:
            tree = git(self.folder, "mktree", "--missing", "-z", stdin=outer.replace(b"TREE", tree.encode()))
        made = git(self.folder, "commit-tree", tree, "-p", self.base, "-m", "state")
        return self.bundled(made)

    def blob(self, data: bytes) -> str:
        return git(self.folder, "hash-object", "-w", "--stdin", stdin=data)

    def bundled(self, commit: str, ref: str = "refs/pawl/state", *revisions: str) -> bytes:
        git(self.folder, "update-ref", ref, commit)
        asked = revisions or (ref, f"^{self.base}")
        return git_bytes(self.folder, "bundle", "create", "--quiet", "-", *asked)
