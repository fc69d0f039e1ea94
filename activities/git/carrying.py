"""Carrying a change over to a newer base: merged by git in the trusted clone, where no agent has been."""

from typing import NamedTuple

from activities.git.bare import alone, commit_tree, merge_tree
from activities.git.clones import TrustedClones
from activities.git.states import REF
from workflows.domain.change import Repository


class Carried(NamedTuple):
    bundle: bytes | None
    """The state on the newer base; None: that holds the whole change already."""
    conflicts: list[str]
    """Files that hold conflict markers."""


async def carried(clones: TrustedClones, repository: Repository, state: bytes, onto: Repository) -> Carried:
    """The state, which builds on the repository's base, on top of another base of the same repository. The same
    arguments give the same bytes.

    Raises BadState, RepositoryMissing.
    """
    commit = await clones.import_state(repository, state)
    await clones.import_base(onto)
    git, clone = clones.git, clones.path(repository.name)
    async with alone(git, clone) as lock:
        tree, conflicts = await merge_tree(git, clone, onto.base_sha, commit)
        if tree == await git.text("rev-parse", f"{onto.base_sha}^{{tree}}", repository=clone):
            return Carried(None, [])
        made = await commit_tree(git, clone, tree, [onto.base_sha], "Workspace state")
        pack = await git.run(
            "pack-objects", "--quiet", "--revs", "--thin", "--delta-base-offset", "--threads=1", "--stdout",
            repository=clone, stdin=f"{made}\n^{onto.base_sha}\n".encode(), keep_open=[lock],
        )  # fmt: skip
    header = f"# v2 git bundle\n-{onto.base_sha} base\n{made} {REF}\n\n"
    bundle = header.encode() + pack.out
    await clones.check_state(onto, bundle)
    return Carried(bundle, conflicts)
