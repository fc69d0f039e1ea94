"""How a pull request stands: one look, of one moment as far as GitHub can tell."""

import asyncio

from activities.forge.github import ci, threads
from activities.forge.github.place import Place
from activities.github.client import path_of
from activities.github.records import Account, Issue, Pull, Review, person
from workflows.domain.model import Record
from workflows.domain.people import Person, Trust
from workflows.domain.pull import PullSeen, PullState

_PAUSES = (0.5, 1, 2)
"""Seconds between looks while GitHub works out whether it can be merged, or while it moves."""
_STANDS = {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}


class _Compared(Record):
    behind_by: int


async def seen(place: Place, number: int) -> PullSeen:
    looked, settled = await _look_twice(place, number)
    for pause in _PAUSES:
        if settled:
            break
        await asyncio.sleep(pause)
        looked, settled = await _look_twice(place, number)
    return looked


async def _look_twice(place: Place, number: int) -> tuple[PullSeen, bool]:
    """What is to be seen, and whether it stood still meanwhile."""
    before = await place.pull(number)
    looked = await _look(place, before)
    after = await place.pull(number)
    known = after.state != "open" or after.mergeable is not None
    conflicts = after.state == "open" and after.mergeable is False
    return looked.model_copy(update={"conflicts": conflicts}), known and _moment(before) == _moment(after)


def _moment(pull: Pull) -> tuple[str, str, str]:
    return pull.state, pull.head.sha, pull.base.sha


async def _look(place: Place, pull: Pull) -> PullSeen:
    reviews = await place.every(f"/pulls/{pull.number}/reviews", Review)
    state, by = await _state(place, pull)
    moved = state is PullState.OPEN and await _base_moved(place, pull)
    verdict, failed = await ci.seen(place, pull.head.sha)
    conversations, others_wrote = await threads.seen(place, pull.number, reviews)
    return PullSeen(
        number=pull.number,
        state=state,
        by=by,
        head_sha=pull.head.sha,
        merged_sha=(pull.merge_commit_sha or "") if pull.merged else "",
        base_moved=moved,
        ci=verdict,
        failed=failed,
        threads=conversations,
        changes_asked_by=changes_asked_by(reviews, place),
        others_wrote=others_wrote,
    )


async def _state(place: Place, pull: Pull) -> tuple[PullState, Person | None]:
    if pull.merged:
        return PullState.MERGED, _person(place, pull.merged_by)
    if pull.state == "open":
        return PullState.OPEN, None
    closer = (await place.get(f"/issues/{pull.number}", Issue)).closed_by
    return PullState.CLOSED, _person(place, closer)


def _person(place: Place, account: Account | None) -> Person | None:
    """Who may merge or close a pull request may write to the repository, or opened it, which was Pawl."""
    return person(account, "MEMBER", place.connection, place.ours) if account else None


async def _base_moved(place: Place, pull: Pull) -> bool:
    compared = await place.get(f"/compare/{path_of(pull.base.ref)}...{pull.head.sha}", _Compared, per_page=1)
    return compared.behind_by > 0


def changes_asked_by(reviews: list[Review], place: Place) -> tuple[Person, ...]:
    """People who may ask and whose last verdict asks for changes."""
    last: dict[str, tuple[str, Person]] = {}
    for review in reviews:  # oldest first
        by = review.person(place.connection, place.ours)
        if review.state in _STANDS and by.trust is Trust.MEMBER:
            last[by.id] = (review.state, by)
    return tuple(by for state, by in last.values() if state == "CHANGES_REQUESTED")
