"""How a local pull request stands: what has been pushed to it, and whether it fits its base."""

from pathlib import Path

from activities.forge.pulls import Pull
from activities.git.bare import merge_tree
from activities.git.command import Git
from workflows.domain.pull import PullSeen, PullState


async def standing(git: Git, own: Path, pull: Pull, head: str, base: str) -> PullSeen:
    """Of branches that are at `head` and `base` now; empty for a branch that is gone."""
    state = PullState(pull.state) if pull.state in set(PullState) else PullState.OPEN
    threads = pull.threads()
    moved = conflicts = False
    if state is PullState.OPEN and head and base:
        moved = not await contains(git, own, head, base)
        conflicts = moved and bool((await merge_tree(git, own, base, head))[1])
    return PullSeen(
        number=pull.number,
        state=state,
        head_sha=head,
        merged_sha=pull.merged_sha,
        base_moved=moved,
        conflicts=conflicts,
        threads=threads,
        others_wrote=bool(threads),
    )


async def contains(git: Git, own: Path, later: str, earlier: str) -> bool:
    """Whether one commit is the other or came after it."""
    asked = ("merge-base", "--is-ancestor", earlier, later)
    return (await git.run(*asked, repository=own, accept=(0, 1))).code == 0
