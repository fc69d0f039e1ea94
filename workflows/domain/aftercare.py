"""After the pull request is opened: what one look at it asks for next, given what was tried before."""

from datetime import timedelta
from enum import StrEnum

from workflows.domain.budget import Budget
from workflows.domain.model import Record
from workflows.domain.people import Trust
from workflows.domain.pull import CiState, FailedJob, PullSeen, PullState, Thread

SETTLES_WITHIN = timedelta(minutes=10)
"""A forge shows a new commit, and CI begins on it, within this time; after it, what is seen is believed."""
_MOST_THREADS, _MOST_COMMENTS, _MOST_CHARS = 10, 4, 2_000
"""What one session is told of conversations: histories hold it."""
_SOON, _LATER, _RARELY = 10, 60, 360
"""Minutes between two looks at most: while CI is awaited, while somebody may come back, when nobody does."""
_AWAITED_LOOKS, _USUAL_LOOKS = 60, 200

_MOST_EVENTS, _MOST_BYTES = 20_000, 20 * 1024 * 1024


class Next(StrEnum):
    WAIT = "wait"
    """Nothing for Pawl to do: for people, for CI, or for nobody."""
    MERGED = "merged"
    CLOSED = "closed"
    RERUN = "rerun"
    """Run failed jobs again on the same commit."""
    MEND_CI = "mend CI"
    ANSWER = "answer"
    """People's comments wait to be fixed or answered."""
    RESOLVE = "resolve"
    """The change conflicts with the base as that is now."""
    UPDATE = "update"
    """The base only moved, but the forge does not merge before the change is on top of it."""


class Whose(StrEnum):
    OURS = "ours"
    EARLIER = "earlier"
    """One that we have replaced: the forge has not caught up."""
    THEIRS = "theirs"
    """A person pushed: nothing of ours may bury it."""


class Care(Record):
    """What is remembered of the pull request between two looks."""

    heads: tuple[str, ...] = ()
    """Every commit of ours on the branch, the newest last."""
    ci_strikes: int = 0
    review_strikes: int = 0
    conflict_strikes: int = 0
    base_strikes: int = 0
    reruns: int = 0
    """Of jobs on the newest commit."""
    settled_jobs: tuple[str, ...] = ()
    """Failures on the newest commit that something was done about already: `id/attempt`."""
    settled_comments: tuple[str, ...] = ()
    """The last comments of conversations that were taken up."""
    has_ci: bool = False
    """CI has reported on some commit."""

    @property
    def strikes(self) -> dict[str, int]:
        """By what asked for them, in words."""
        return {
            "CI": self.ci_strikes,
            "comments": self.review_strikes,
            "conflicts": self.conflict_strikes,
            "the base": self.base_strikes,
        }

    def pushed(self, head: str) -> "Care":
        if head in self.heads[-1:]:
            return self
        return self.model_copy(update={"heads": (*self.heads, head), "reruns": 0, "settled_jobs": ()})

    def settled(self, jobs: tuple[FailedJob, ...]) -> "Care":
        return self.model_copy(update={"settled_jobs": (*self.settled_jobs, *map(_attempt, jobs))})

    def counted(self, counter: str) -> "Care":
        return self.model_copy(update={counter: getattr(self, counter) + 1})


def whose(seen: PullSeen, care: Care, age: timedelta) -> Whose:
    """Whose commit is on the branch. `age`: since we pushed the newest one."""
    if not seen.head_sha or seen.head_sha in care.heads[-1:]:
        return Whose.OURS
    return Whose.EARLIER if seen.head_sha in care.heads and age < SETTLES_WITHIN else Whose.THEIRS


def next_step(seen: PullSeen, care: Care, budget: Budget, age: timedelta, refused: bool = False) -> Next:
    """`refused`: the forge would not merge it as it is."""
    if seen.state is not PullState.OPEN:
        return Next.MERGED if seen.state is PullState.MERGED else Next.CLOSED
    if whose(seen, care, age) is not Whose.OURS:
        return Next.WAIT
    if seen.conflicts and care.conflict_strikes < budget.conflict_strikes:
        return Next.RESOLVE
    if refused and seen.base_moved and not seen.conflicts and care.base_strikes < budget.base_strikes:
        return Next.UPDATE
    if waiting_threads(seen, care) and care.review_strikes < budget.review_strikes:
        return Next.ANSWER
    if seen.ci is CiState.RED and (failed := fresh_failures(seen, care)):
        if care.reruns < budget.flaky_reruns and all(job.rerunnable for job in failed):
            return Next.RERUN
        if care.ci_strikes < budget.ci_strikes:
            return Next.MEND_CI
    return Next.WAIT


def fresh_failures(seen: PullSeen, care: Care) -> tuple[FailedJob, ...]:
    """What failed and was not dealt with yet: a forge shows a failure for a while after the job runs again."""
    return tuple(job for job in seen.failed if _attempt(job) not in care.settled_jobs)


def waiting_threads(seen: PullSeen, care: Care) -> tuple[Thread, ...]:
    """Conversations in which a member has the last word that was not taken up yet."""
    return tuple(
        thread for thread in seen.threads if thread.waits_for_us and thread.comments[-1].id not in care.settled_comments
    )


def told_to_fixer(threads: tuple[Thread, ...]) -> tuple[Thread, ...]:
    """As much of the conversations as one session is told: words of members and our own, never a stranger's."""
    return tuple(_cut(thread) for thread in threads[:_MOST_THREADS])


def merge_holds(seen: PullSeen, care: Care, require_ci: bool, age: timedelta) -> str:
    """What an approved merge still waits for, in words; empty: nothing."""
    if whose(seen, care, age) is Whose.EARLIER:
        return "the forge does not show the newest commit yet"
    if not require_ci:
        return ""
    if seen.ci is CiState.RED:
        return "CI is red"
    if seen.ci is CiState.RUNNING:
        return "CI is running"
    begins = seen.ci is CiState.NONE and care.has_ci and age < SETTLES_WITHIN
    return "CI has not begun yet" if begins else ""


def is_crowded(events: int, size: int) -> bool:
    """Whether a history is so large that the rest of its room is kept for decisions: Temporal ends one of 51,200
    events or 50 MiB."""
    return events > _MOST_EVENTS or size > _MOST_BYTES


def until_next_look(quiet: int, awaited: bool, crowded: bool) -> timedelta:
    """How long nobody looks unless somebody nudges. `quiet`: looks in a row that saw nothing new; `awaited`: CI is.
    Growing, so that a ticket which waits for months stays small; `crowded`: its history is large already."""
    if crowded or quiet >= _USUAL_LOOKS:
        return timedelta(minutes=_RARELY)
    most = _SOON if awaited and quiet < _AWAITED_LOOKS else _LATER
    return timedelta(minutes=min(2 ** min(quiet, 10), most))


def _attempt(job: FailedJob) -> str:
    return f"{job.id}/{job.attempt}"


def _cut(thread: Thread) -> Thread:
    said = [comment for comment in thread.comments if comment.by.trust is not Trust.STRANGER]
    cut = tuple(comment.model_copy(update={"text": comment.text[:_MOST_CHARS]}) for comment in said[-_MOST_COMMENTS:])
    return thread.model_copy(update={"comments": cut})
