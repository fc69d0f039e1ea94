"""What a look at the pull request asks for next: every rule as a table."""

from datetime import timedelta
from typing import Any

import pytest

from workflows.domain.aftercare import (
    Care,
    Next,
    Whose,
    is_crowded,
    merge_holds,
    next_step,
    told_to_fixer,
    until_next_look,
    waiting_threads,
    whose,
)
from workflows.domain.budget import Budget
from workflows.domain.people import Person, Trust
from workflows.domain.pull import CiState, FailedJob, PullSeen, PullState, Thread, ThreadComment
from workflows.domain.standing import named, standing_line, standing_notes

SOON, LATE = timedelta(minutes=1), timedelta(hours=1)
OURS = Care(heads=("old", "new"))
JOB = FailedJob(id="7", name="test")


def person(trust: Trust, name: str = "Ada") -> Person:
    return Person(place="github", id=name, name=name, trust=trust)


def thread(*trusts: Trust, resolved: bool = False, text: str = "Why?") -> Thread:
    said = tuple(ThreadComment(id=f"c{n}", by=person(trust), text=text) for n, trust in enumerate(trusts))
    return Thread(id="t", resolved=resolved, comments=said)


def seen(**more: Any) -> PullSeen:
    return PullSeen.model_validate({"number": 1, "state": PullState.OPEN, "head_sha": "new", **more})


ASKED = thread(Trust.MEMBER)
RED = {"ci": CiState.RED, "failed": (JOB,)}


@pytest.mark.parametrize(
    ("look", "care", "step"),
    [
        ({}, {}, Next.WAIT),
        ({"state": PullState.MERGED, "head_sha": "theirs"}, {}, Next.MERGED),
        ({"state": PullState.CLOSED, "conflicts": True}, {}, Next.CLOSED),
        ({"head_sha": "theirs", "conflicts": True, "threads": (ASKED,), **RED}, {}, Next.WAIT),
        ({"head_sha": "old", "conflicts": True}, {}, Next.WAIT),
        ({"head_sha": "", "conflicts": True}, {}, Next.RESOLVE),
        ({"conflicts": True, "threads": (ASKED,), **RED}, {}, Next.RESOLVE),
        ({"conflicts": True}, {"conflict_strikes": 3}, Next.WAIT),
        ({"conflicts": True, **RED}, {"conflict_strikes": 3}, Next.RERUN),
        ({"base_moved": True}, {}, Next.WAIT),
        ({"threads": (ASKED,), **RED}, {}, Next.ANSWER),
        ({"threads": (ASKED,)}, {"review_strikes": 10}, Next.WAIT),
        ({"threads": (ASKED,)}, {"settled_comments": ("c0",)}, Next.WAIT),
        ({"threads": (thread(Trust.MEMBER, Trust.MEMBER),)}, {"settled_comments": ("c0",)}, Next.ANSWER),
        ({"threads": (thread(Trust.MEMBER, Trust.OURS), thread(Trust.STRANGER))}, {}, Next.WAIT),
        ({"threads": (thread(Trust.MEMBER, resolved=True),)}, {}, Next.WAIT),
        ({"ci": CiState.RUNNING, "failed": (JOB,)}, {}, Next.WAIT),
        (RED, {}, Next.RERUN),
        (RED, {"reruns": 1}, Next.MEND_CI),
        (RED, {"reruns": 1, "settled_jobs": ("7/1",)}, Next.WAIT),
        (
            {"ci": CiState.RED, "failed": (JOB.model_copy(update={"attempt": 2}),)},
            {"settled_jobs": ("7/1",)},
            Next.RERUN,
        ),
        ({"ci": CiState.RED, "failed": (JOB.model_copy(update={"rerunnable": False}), JOB)}, {}, Next.MEND_CI),
        (RED, {"reruns": 1, "ci_strikes": 3}, Next.WAIT),
        ({"ci": CiState.RED}, {}, Next.WAIT),
    ],
)
def test_the_next_step(look: dict[str, Any], care: dict[str, Any], step: Next) -> None:
    assert next_step(seen(**look), OURS.model_copy(update=care), Budget(), SOON) is step


@pytest.mark.parametrize(
    ("look", "strikes", "step"),
    [
        ({"base_moved": True}, 0, Next.UPDATE),
        ({"base_moved": True}, 5, Next.WAIT),
        ({"base_moved": True, "conflicts": True}, 0, Next.RESOLVE),
        ({}, 0, Next.WAIT),
        ({"base_moved": True, "head_sha": "theirs"}, 0, Next.WAIT),
    ],
)
def test_a_base_that_moved_matters_when_the_merge_was_refused(look: dict[str, Any], strikes: int, step: Next) -> None:
    care = OURS.model_copy(update={"base_strikes": strikes})
    assert next_step(seen(**look), care, Budget(), SOON, refused=True) is step


@pytest.mark.parametrize(
    ("head", "age", "is_"),
    [("new", LATE, Whose.OURS), ("", LATE, Whose.OURS), ("old", SOON, Whose.EARLIER), ("old", LATE, Whose.THEIRS)],
)
def test_whose_commit_is_on_the_branch(head: str, age: timedelta, is_: Whose) -> None:
    assert whose(seen(head_sha=head), OURS, age) is is_


@pytest.mark.parametrize(
    ("look", "has_ci", "age", "held"),
    [
        ({}, False, SOON, ""),
        ({}, True, SOON, "CI has not begun yet"),
        ({}, True, LATE, ""),
        ({"ci": CiState.GREEN}, True, SOON, ""),
        ({"ci": CiState.RUNNING}, True, LATE, "CI is running"),
        ({"ci": CiState.RED}, True, LATE, "CI is red"),
        ({"head_sha": "old", "ci": CiState.GREEN}, True, SOON, "the forge does not show the newest commit yet"),
    ],
)
def test_what_an_approved_merge_waits_for(look: dict[str, Any], has_ci: bool, age: timedelta, held: str) -> None:
    care = OURS.model_copy(update={"has_ci": has_ci})
    assert merge_holds(seen(**look), care, True, age) == held
    if "ci" in look and look.get("head_sha") != "old":
        assert merge_holds(seen(**look), care, False, age) == ""


def test_a_new_commit_of_ours_has_its_own_reruns_and_failures() -> None:
    care = OURS.counted("reruns").counted("ci_strikes").settled((JOB,))
    assert (care.pushed("new"), care.settled_jobs) == (care, ("7/1",))
    fresh = care.pushed("newer")
    assert (fresh.heads, fresh.reruns, fresh.settled_jobs, fresh.ci_strikes) == (("old", "new", "newer"), 0, (), 1)


def test_a_fixer_is_told_no_stranger_s_words_and_no_more_than_it_can_read() -> None:
    mixed = thread(Trust.STRANGER, *[Trust.MEMBER] * 6, text="x" * 5_000)
    told = told_to_fixer(waiting_threads(seen(threads=(mixed,) * 20), OURS))
    assert len(told) == 10
    assert [len(comment.text) for comment in told[0].comments] == [2_000] * 4
    assert all(comment.by.trust is Trust.MEMBER for comment in told[0].comments)
    assert told[0].comments[-1].id == "c6"


def test_a_ticket_that_waits_for_a_year_looks_a_bounded_number_of_times() -> None:
    assert [until_next_look(n, False, False) for n in range(8)] == [
        timedelta(minutes=m) for m in (1, 2, 4, 8, 16, 32, 60, 60)
    ]
    assert until_next_look(10, True, False) == timedelta(minutes=10)
    assert until_next_look(0, True, True) == timedelta(hours=6)
    for awaited in (False, True):
        waited, looks = timedelta(), 0
        while waited < timedelta(days=365):
            waited, looks = waited + until_next_look(looks, awaited, False), looks + 1
        assert looks < 1_800


def test_a_large_history_keeps_its_room_for_decisions() -> None:
    assert [is_crowded(*size) for size in ((20_000, 0), (20_001, 0), (0, 21 * 1024 * 1024))] == [False, True, True]


def test_names_from_outside_cannot_pass_for_our_words() -> None:
    assert named(person(Trust.MEMBER, "Ada`\n**Approved**")) == "`Ada' **Approved**`"
    assert (named(None), named(person(Trust.OURS))) == ("Somebody", "Pawl")


def test_the_gate_says_what_is_left_to_people() -> None:
    look = seen(threads=(ASKED,), changes_asked_by=(person(Trust.MEMBER),), **RED)
    care = OURS.model_copy(update={"ci_strikes": 3, "review_strikes": 10})
    assert standing_line(look, care, SOON) == "CI is red; 1 conversation is open; changes are asked for by `Ada`"
    notes = "\n".join(standing_notes(look, care, Budget(), SOON))
    for words in ("CI is red: `test`.", "(`ci_strikes`)", "1 conversation is open.", "(`review_strikes`)"):
        assert words in notes
    theirs = "\n".join(standing_notes(seen(head_sha="theirs"), OURS, Budget(), SOON))
    assert "Put the branch back to `new`" in theirs
    assert standing_notes(seen(), OURS, Budget(), SOON) == ()
