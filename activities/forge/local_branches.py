"""Dead branches of the local forge."""

from pathlib import Path

from activities.forge.dead_branches import Outcome, PullOf, candidates, commits, judged
from activities.forge.pulls import OPEN, Pull, Pulls
from activities.git.command import Git, GitError
from workflows.domain.pull import PullState
from workflows.ports.forge import SweepBranches, Swept


async def swept(git: Git, own: Path, pulls: Pulls, sweep: SweepBranches) -> Swept:
    """The caller holds the repository's lock. A page that cannot be read may be any branch's: then all are kept."""
    outcome = Outcome()
    heads, default = await _heads(git, own), await _default(git, own)
    readable, broken = pulls.every()
    if broken:
        return Swept(kept=(f"No branch is removed while a pull request cannot be read: {broken[0]}",))
    based_on = {pull.base for pull in readable if pull.state == OPEN}
    base = heads.get(sweep.repository.base_branch, "")
    for branch, head in candidates(heads, sweep, default, outcome).items() if base else ():
        found = [_seen(pull) for pull in readable if pull.branch == branch]
        dead, why = judged(head, await commits(git, own, base, head), found, sweep.closed_before)
        if dead and branch in based_on:
            dead, why = False, "an open pull request is to be merged into it"
        if why:
            outcome.keep(branch, why)
        if dead and (sweep.dry_run or await _removed(git, own, branch, head, outcome)):
            outcome.removed.append(branch)
    return outcome.swept()


async def _removed(git: Git, own: Path, branch: str, head: str, outcome: Outcome) -> bool:
    """A person may push to it at any moment."""
    try:
        await git.run("update-ref", "-d", f"refs/heads/{branch}", head, repository=own)
    except GitError as error:
        outcome.keep(branch, f"git does not remove it ({error})")
        return False
    return True


def _seen(pull: Pull) -> PullOf:
    """People may write `state: merged` into the page; what is merged is in the base."""
    state = PullState(pull.state) if pull.state in set(PullState) else PullState.OPEN
    head = "" if state is PullState.MERGED else pull.head
    return PullOf(pull.number, state, head, ours=True, closed_at=pull.changed)


async def _heads(git: Git, own: Path) -> dict[str, str]:
    listed = await git.text("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", repository=own)
    rows = (line.partition(" ") for line in listed.splitlines())
    return {ref.removeprefix("refs/heads/"): sha for sha, _, ref in rows}


async def _default(git: Git, own: Path) -> str:
    asked = ("symbolic-ref", "--quiet", "HEAD")
    ref = (await git.run(*asked, repository=own, accept=(0, 1))).out.decode().strip()
    return ref.removeprefix("refs/heads/")
