"""A bare repository of ours: made when there is none, held while it is changed, committed to without a checkout."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from activities.git.command import Git
from infra.files import holding


class Identity(NamedTuple):
    name: str
    email: str


PAWL = Identity("Pawl", "pawl@localhost")
"""The committer of everything Pawl makes: by it Pawl knows its own work on a branch from a person's."""


@asynccontextmanager
async def alone(git: Git, repository: Path) -> AsyncGenerator[int]:
    """Hold the repository against all other tasks and processes of Pawl.

    Yields the lock's descriptor. Children that change the repository inherit it and so keep the lock should this
    process die before them.
    """
    async with holding(repository.with_suffix(".lock")) as lock:
        if not (repository / "HEAD").exists():
            await git.run("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(repository))
        yield lock


async def commit_tree(
    git: Git, repository: Path, tree: str, parents: list[str], message: str, author: Identity = PAWL
) -> str:
    """Write a commit whose every byte follows from the arguments: its date is that of its youngest parent."""
    dates = await git.text("show", "--no-patch", "--format=%ct", *parents, repository=repository)
    date = f"@{max(int(line) for line in dates.split())} +0000"
    who = {
        f"GIT_{role}_{what}": value
        for role, identity in (("AUTHOR", author), ("COMMITTER", PAWL))
        for what, value in (("NAME", identity.name), ("EMAIL", identity.email), ("DATE", date))
    }
    lines = [line.rstrip() for line in message.replace("\0", "").splitlines()]
    text = "\n".join(lines).strip("\n") + "\n"
    onto = [part for parent in parents for part in ("-p", parent)]
    made = await git.run("commit-tree", tree, *onto, "-F", "-", repository=repository, stdin=text.encode(), env=who)
    return made.out.decode().strip()


async def merge_tree(git: Git, own: Path, onto: str, head: str) -> tuple[str, list[str]]:
    """The tree of a merge that is not made, and the files in which it conflicts."""
    merged = await git.run(
        "merge-tree", "--write-tree", "--name-only", "--no-messages", onto, head,
        repository=own, accept=(0, 1),
    )  # fmt: skip
    tree, *conflicts = merged.out.decode(errors="replace").splitlines()
    return tree, conflicts if merged.code else []
