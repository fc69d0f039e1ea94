"""When a ticket passes a gate by itself: one thing out of order, and a person decides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.workflows.pulls import ADA, GREEN_CI, PAWL, red_ci, seen, thread
from workflows.domain.aftercare import Care
from workflows.domain.change import Change
from workflows.domain.decision import Action, DecisionRecord
from workflows.domain.gates import Gates, GateTerms
from workflows.domain.plan import PlanDraft, Risk, Spike
from workflows.domain.policy import Policy, ProtectedPaths
from workflows.domain.protected import protected
from workflows.domain.pull import CiState, PullSeen, PullState
from workflows.domain.review import Finding, Review, Severity
from workflows.domain.ticket import Phase
from workflows.domain.triage import Kind, Level, TriagePolicy
from workflows.domain.unattended import Leave, Work, merge_waits, not_yet, plan_waits, until_it_may

OURS = "a" * 40
AGE = timedelta(hours=1)
CARE = Care(heads=(OURS,))
POLICY = Policy(triage=TriagePolicy(level=Level.FINISH))
LEAVE = Leave(why="WORKFLOW.md at 12ab34: triage level 4, kind lint", kind=Kind.LINT, policy=POLICY)
PLAN = PlanDraft(summary="Mend it", steps=("mend",), acceptance=("it works",), risk=Risk.LOW)
CHANGE = Change(branch="pawl/x", head_sha=OURS, files=5, insertions=60, deletions=40)
WORK = Work(plan=PLAN, risks=(Risk.LOW,), change=CHANGE, review=Review(summary="Good."), reviewed=True)


def policy(**more: Any) -> Policy:
    return POLICY.model_copy(update=more)


def leave(**more: Any) -> Leave:
    return LEAVE.model_copy(update=more)


def decision(action: Action, phase: Phase) -> DecisionRecord:
    return DecisionRecord(action=action, phase=phase, at=datetime(2026, 3, 2, tzinfo=UTC))


def gates(**terms: GateTerms) -> Policy:
    return policy(gates=Gates.model_validate(terms))


NO_LEAVE = [
    (leave(why=""), "nothing lets it"),
    (leave(policy=policy(triage=TriagePolicy(level=Level.START))), "gives no leave"),
    (leave(policy=policy(triage=TriagePolicy(level=Level.FINISH, low_risk=(Kind.DEPENDENCY,)))), "lint not under"),
    (leave(kind=None), "no such kind"),
    (leave(policy=policy(protected=ProtectedPaths(allow=("*.md",)))), "may be changed without a person"),
    (leave(policy=gates(default=GateTerms(who=("github:ada",)))), "names who decides"),
    (leave(policy=gates(default=GateTerms(operators=False))), "names who decides"),
    (leave(interest="a person has stepped in (pause by Ada)"), "stepped in (pause by Ada)"),
    (leave(decisions=(decision(Action.REQUEST_CHANGES, Phase.PLAN_GATE),)), "decided otherwise before"),
    (leave(decisions=(decision(Action.APPROVE, Phase.PUSH_GATE),)), "only a person may allow"),
]


@pytest.mark.parametrize(("given", "why"), NO_LEAVE)
def test_without_leave_people_decide_everything(given: Leave, why: str) -> None:
    assert why in plan_waits(given, PLAN)
    assert why in merge_waits(given, WORK, seen(head_sha=OURS), CARE, AGE)


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (PLAN, ""),
        (PLAN.model_copy(update={"risk": Risk.MEDIUM}), "risk as medium"),
        (PLAN.model_copy(update={"risk": Risk.HIGH}), "risk as high"),
        (PLAN.model_copy(update={"spikes": (Spike(question="Why?", why="So."),)}), "to be found out"),
    ],
)
def test_a_plan(plan: PlanDraft, why: str) -> None:
    said = plan_waits(LEAVE, plan)
    assert why in said
    assert bool(said) is bool(why)
    assert merge_waits(LEAVE, WORK.model_copy(update={"plan": plan}), seen(head_sha=OURS), CARE, AGE) == said


BLOCKER = Finding(severity=Severity.BLOCKER, path="a.py", line=1, text="No.")
NOTE = BLOCKER.model_copy(update={"severity": Severity.NOTE})


def change(**more: Any) -> dict[str, Any]:
    return {"change": CHANGE.model_copy(update=more)}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, ""),
        ({"review": Review(summary="Good.", findings=(NOTE,))}, ""),
        ({"risks": (Risk.LOW, Risk.HIGH)}, "risk as high"),
        ({"risks": ()}, "unknown"),
        ({"change": None}, "how large"),
        (change(files=6), "not small"),
        (change(deletions=41), "not small"),
        (change(binaries=("a.png",)), "binary"),
        (change(asks=("`.ci/run`",)), "only a person may allow"),
        (change(pushed=False), "how large"),
        ({"reviewed": False}, "no reviewer"),
        ({"review": Review(summary="Bad.", findings=(BLOCKER,))}, "asks for fixes"),
        ({"notes": ("**Not mended.**",)}, "not finished"),
    ],
)
def test_the_work(more: dict[str, Any], why: str) -> None:
    said = merge_waits(LEAVE, WORK.model_copy(update=more), seen(head_sha=OURS), CARE, AGE)
    assert why in said
    assert bool(said) is bool(why)


@pytest.mark.parametrize(
    ("pull", "why"),
    [
        (seen(head_sha=OURS), ""),
        (GREEN_CI, ""),
        (seen(ci=CiState.RUNNING), ""),
        (seen(base_moved=True), ""),
        (seen(threads=(thread(by=PAWL),)), ""),
        (seen(conflicts=True), "conflicts"),
        (red_ci(), "CI is red"),
        (seen(head_sha="c" * 40), "somebody else has pushed"),
        (seen(state=PullState.CLOSED), "is closed"),
        (seen(changes_asked_by=(ADA,)), "asks for changes"),
        (seen(others_wrote=True), "has written"),
    ],
)
def test_the_pull_request(pull: PullSeen, why: str) -> None:
    said = merge_waits(LEAVE, WORK, pull, CARE, AGE)
    assert why in said
    assert bool(said) is bool(why)
    conflicted = CARE.counted("conflict_strikes")
    assert merge_waits(LEAVE, WORK, pull, conflicted, AGE), "what once was merged with its base by an agent"


@pytest.mark.parametrize(
    ("pull", "age", "forge_ci", "waits", "until"),
    [
        (GREEN_CI, 0, True, "", 5),
        (seen(), 20, True, "", 5),
        (seen(), 0, False, "", 5),
        (seen(), 4, True, "CI may still begin", 6),
        (seen(ci=CiState.RUNNING), 20, True, "CI is running", None),
    ],
)
def test_what_it_waits_for(pull: PullSeen, age: int, forge_ci: bool, waits: str, until: int | None) -> None:
    old, remaining = timedelta(minutes=age), timedelta(minutes=5)
    assert not_yet(pull, CARE, old, has_forge_ci=forge_ci) == waits
    after = until_it_may(pull, CARE, old, remaining, has_forge_ci=forge_ci)
    assert after == (timedelta(minutes=until) if until else None)


def test_the_policy_that_gives_leave_is_a_protected_path() -> None:
    assert protected(("WORKFLOW.md", "src/a.py"), ProtectedPaths()) == ("WORKFLOW.md",)
