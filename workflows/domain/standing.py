"""How a pull request stands, in the words people read at the merge gate."""

from datetime import timedelta

from workflows.domain.aftercare import Care, Whose, waiting_threads, whose
from workflows.domain.budget import Budget
from workflows.domain.decision import short
from workflows.domain.people import Person, Trust
from workflows.domain.pull import CiState, FailedJob, PullSeen
from workflows.domain.shown import code
from workflows.domain.words import counted

_MOST_NAMED = 5


def named(person: Person | None) -> str:
    """Who did it; a name from outside cannot pass for our words."""
    if person is None:
        return "Somebody"
    return "Pawl" if person.trust is Trust.OURS else code(person.shown[:80])


def jobs_named(jobs: tuple[FailedJob, ...]) -> str:
    more = f" and {len(jobs) - _MOST_NAMED} more" if len(jobs) > _MOST_NAMED else ""
    return ", ".join(code(job.name[:80]) for job in jobs[:_MOST_NAMED]) + more


def standing_line(seen: PullSeen, care: Care, age: timedelta) -> str:
    """`CI is green; 2 conversations are open`, for the place where one line is shown."""
    parts = [
        f"somebody pushed {short(seen.head_sha)}" if whose(seen, care, age) is Whose.THEIRS else "",
        "it conflicts with its base" if seen.conflicts else "",
        "" if seen.ci is CiState.NONE else f"CI is {seen.ci}",
        _open_threads(seen),
        _changes_asked(seen),
    ]
    return "; ".join(part for part in parts if part)


def standing_notes(seen: PullSeen, care: Care, budget: Budget, age: timedelta) -> tuple[str, ...]:
    """The same for the text of the gate, a sentence each, with what Pawl leaves to people and why."""
    return tuple(
        note for note in (*_about_the_branch(seen, care, budget, age), *_about_the_rest(seen, care, budget)) if note
    )


def _about_the_branch(seen: PullSeen, care: Care, budget: Budget, age: timedelta) -> tuple[str, ...]:
    if whose(seen, care, age) is Whose.THEIRS:
        ours = short(care.heads[-1]) if care.heads else "none"
        return (
            f"**Somebody pushed `{short(seen.head_sha)}` to the branch.** Pawl changes nothing on it while that is so. "
            f"An approval merges that commit, which no agent of Pawl's has checked or reviewed. Put the branch back to "
            f"`{ours}` to have Pawl go on, or take the ticket over.",
        )
    if seen.conflicts and care.conflict_strikes >= budget.conflict_strikes:
        tried = counted(care.conflict_strikes, "attempt")
        return (f"**It conflicts with its base**, and {tried} at bringing it over did not last (`conflict_strikes`).",)
    return ("It conflicts with its base.",) if seen.conflicts else ()


def _about_the_rest(seen: PullSeen, care: Care, budget: Budget) -> tuple[str, ...]:
    ci = "" if seen.ci is CiState.NONE else f"CI is {seen.ci}{f': {jobs_named(seen.failed)}' if seen.failed else ''}."
    if seen.ci is CiState.RED and care.ci_strikes >= budget.ci_strikes:
        ci += f" It was not mended in {counted(care.ci_strikes, 'attempt')} (`ci_strikes`): it is left to you."
    left = waiting_threads(seen, care) if care.review_strikes >= budget.review_strikes else ()
    rounds = counted(care.review_strikes, "round")
    return (
        ci,
        f"{_open_threads(seen)}." if _open_threads(seen) else "",
        f"Pawl answers no more of them: {rounds} are used up (`review_strikes`)." if left else "",
        f"{_changes_asked(seen)}." if seen.changes_asked_by else "",
    )


def _open_threads(seen: PullSeen) -> str:
    number = sum(not thread.resolved for thread in seen.threads)
    return f"{counted(number, 'conversation')} {'is' if number == 1 else 'are'} open" if number else ""


def _changes_asked(seen: PullSeen) -> str:
    who = ", ".join(named(person) for person in seen.changes_asked_by[:_MOST_NAMED])
    return f"changes are asked for by {who}" if who else ""
