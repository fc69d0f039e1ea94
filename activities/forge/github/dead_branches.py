"""Dead branches at GitHub. Git removes them, at the head that was looked at; GitHub's own call knows no lease."""

from datetime import datetime

from activities.forge.dead_branches import Commits, Outcome, PullOf, candidates, commits, judged
from activities.forge.github.place import Place
from activities.git import PushRejected, RepositoryMissing, TrustedClones, remotes
from activities.github.records import Account, Tip, is_ours
from workflows.domain.model import Record
from workflows.domain.pull import PullState
from workflows.domain.shown import visible
from workflows.ports.forge import SweepBranches, Swept

_MOST_SAID = 300


class _Pull(Record):
    number: int
    state: str
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    user: Account | None = None
    head: Tip
    base: Tip


async def swept(place: Place, clones: TrustedClones, sweep: SweepBranches) -> Swept:
    outcome = Outcome()
    heads, default = await remotes.branches(clones.git, sweep.repository.url, sweep.prefix)
    for branch, head in candidates(heads, sweep, default, outcome).items():
        has = await _commits(clones, sweep, head)
        if has is None:  # it is gone already
            continue
        dead, why = judged(head, has, await _pulls(place, branch), sweep.closed_before)
        if dead and await place.every("/pulls", _Pull, most=1, state="open", base=branch):
            dead, why = False, "an open pull request is to be merged into it"
        if why:
            outcome.keep(branch, why)
        if dead and (sweep.dry_run or await _removed(clones, sweep, branch, head, outcome)):
            outcome.removed.append(branch)
    return outcome.swept()


async def _commits(clones: TrustedClones, sweep: SweepBranches, head: str) -> Commits | None:
    repository = sweep.repository
    try:
        await clones.have(repository, repository.base_sha, head)
    except RepositoryMissing:
        return None
    return await commits(clones.git, clones.path(repository.name), repository.base_sha, head)


async def _pulls(place: Place, branch: str) -> list[PullOf]:
    """Not those of forks, whose branches may be called the same."""
    owner = place.name.partition("/")[0]
    listed = await place.every("/pulls", _Pull, head=f"{owner}:{branch}", state="all")
    return [
        PullOf(
            number=pull.number,
            state=PullState.MERGED if pull.merged_at else PullState(pull.state),
            head_sha=pull.head.sha,
            ours=pull.user is not None and is_ours(pull.user.login, place.ours),
            closed_at=pull.closed_at,
        )
        for pull in listed
        if pull.head.ref == branch
    ]


async def _removed(clones: TrustedClones, sweep: SweepBranches, branch: str, head: str, outcome: Outcome) -> bool:
    url = sweep.repository.url
    try:
        await clones.push(sweep.repository, url, "", branch, expected=head)
    except PushRejected as refused:
        now = await remotes.head_of(clones.git, url, branch)
        if not now:  # somebody was faster, or our first word of it got lost
            return True
        why = "somebody pushed to it just now" if now != head else visible(str(refused))[:_MOST_SAID]
        outcome.keep(branch, why)
        return False
    return True
