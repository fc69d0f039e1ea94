"""Autonomy level 4: when a ticket passes a gate by itself, and why it does not. Pure; every doubt is a person's."""

from datetime import datetime, timedelta

from workflows.domain.aftercare import SETTLES_WITHIN, Care, Whose, whose
from workflows.domain.change import Change
from workflows.domain.decision import Action, DecisionRecord, short
from workflows.domain.gates import GateRules, spelled
from workflows.domain.model import Record
from workflows.domain.plan import PlanDraft, Risk
from workflows.domain.policy import Policy
from workflows.domain.protected import exempt
from workflows.domain.pull import CiState, PullSeen, PullState
from workflows.domain.review import Review
from workflows.domain.ticket import Phase
from workflows.domain.triage import Kind, Level

BY, VIA = "Pawl, unattended", "the policy"
"""Who decided, and where, as it is recorded. No connection can have such a name."""
MOST_FILES, MOST_LINES = 5, 100
"""Of a change that nobody looks at."""
INTERVENES = frozenset(
    {Action.PAUSE, Action.STEER, Action.REQUEST_CHANGES, Action.REJECT, Action.TAKE_OVER, Action.ABORT}
)
"""Whoever does this has taken an interest: from then on the ticket waits for people."""


class Leave(Record):
    """By whose leave a ticket may pass its gates, and what has spoken against it so far."""

    why: str
    """The order's; empty: it may not."""
    kind: Kind | None
    """Of the finding that the ticket is about."""
    policy: Policy
    """As it was at the ticket's own base."""
    interest: str = ""
    """Why people are to decide from now on, such as what one of them has done; empty: nothing."""
    decisions: tuple[DecisionRecord, ...] = ()


class Work(Record):
    """What is to be merged."""

    plan: PlanDraft
    risks: tuple[Risk, ...]
    """As builder and fixers saw it, one for each piece of work that was pushed."""
    change: Change | None
    review: Review
    reviewed: bool
    """Whether a reviewer has seen exactly this commit."""
    notes: tuple[str, ...] = ()
    """What an attempt to mend could not do."""


class AuditEntry(Record):
    """One line of the audit log: a decision that was taken without a person, or one that came to nothing."""

    key: str
    at: datetime
    ticket: str
    """`tracker:id`."""
    identifier: str
    run: str
    """Of the workflow."""
    repository: str
    base: str
    """The commit whose WORKFLOW.md gave the leave."""
    action: Action
    phase: Phase
    subject: str
    """The hash of the plan, or the commit."""
    why: str
    pull_request: str = ""
    withdrawn: str = ""
    """Why it was not carried out after all; empty: it was decided."""


def no_leave(leave: Leave, rules: GateRules) -> str:
    """Why no gate of this kind is passed by itself, in words; empty where one may be."""
    if not leave.why:
        return "nothing lets it"
    if leave.policy.triage.level < Level.FINISH:
        return "WORKFLOW.md at the ticket's base gives no leave (triage level 4)"
    if leave.kind not in leave.policy.triage.low_risk:
        return f"WORKFLOW.md at the ticket's base has {leave.kind or 'no such kind'} not under triage.low_risk"
    if exempt("WORKFLOW.md", leave.policy.protected.allow):
        return "WORKFLOW.md may be changed without a person (protected: allow), so it cannot give leave"
    if rules.who or not rules.operators:
        return "WORKFLOW.md names who decides here"
    if leave.interest:
        return leave.interest
    objections = [one for one in leave.decisions if one.action in INTERVENES]
    if objections:
        return f"a person has decided otherwise before ({objections[-1].action})"
    if any(one.phase is Phase.PUSH_GATE for one in leave.decisions):
        return "it touches what only a person may allow"
    return ""


def plan_waits(leave: Leave, plan: PlanDraft) -> str:
    """Why a person must decide on the plan, in words; empty: it passes by itself."""
    if why := no_leave(leave, leave.policy.gates.at(Phase.PLAN_GATE)):
        return why
    if plan.risk is not Risk.LOW:
        return f"the planner sees its risk as {plan.risk}"
    return "the plan leaves something to be found out" if plan.spikes else ""


def merge_waits(leave: Leave, work: Work, seen: PullSeen, care: Care, age: timedelta) -> str:
    """Why a person must decide on the merge, whatever comes, in words; empty: none need. `age`: since the push."""
    if why := no_leave(leave, leave.policy.gates.at(Phase.MERGE_GATE)):
        return why
    return plan_waits(leave, work.plan) or _about_work(work) or _about_pull_request(seen, care, age)


def _about_work(work: Work) -> str:
    change = work.change
    if not work.risks or any(risk is not Risk.LOW for risk in work.risks):
        return f"the agents see its risk as {max(work.risks, key=_graveness) if work.risks else 'unknown'}"
    if change is None or not change.pushed:
        return "nobody knows how large the change is"
    if change.asks or change.asks_digest:
        return "it touches what only a person may allow"
    if change.binaries:
        return "it has binary files"
    if change.files > MOST_FILES or change.insertions + change.deletions > MOST_LINES:
        return f"it is not small: at most {MOST_FILES} files and {MOST_LINES} lines are"
    if not work.reviewed:
        return "no reviewer has seen this commit"
    if work.review.blockers:
        return "the review asks for fixes"
    return "an attempt to mend it was not finished" if work.notes else ""


def _about_pull_request(seen: PullSeen, care: Care, age: timedelta) -> str:
    if seen.state is not PullState.OPEN:
        return f"the pull request is {seen.state}"
    if whose(seen, care, age) is Whose.THEIRS:
        return "somebody else has pushed to the branch"
    if seen.conflicts or care.conflict_strikes:
        return "it conflicts with its base, or did"
    if seen.ci is CiState.RED:
        return "CI is red"
    if seen.changes_asked_by:
        return "a review asks for changes"
    return "somebody has written on the pull request" if seen.others_wrote else ""


def not_yet(seen: PullSeen, care: Care, age: timedelta, *, has_forge_ci: bool) -> str:
    """What a merge by itself still waits for, beside its time, in words; empty: nothing."""
    if whose(seen, care, age) is Whose.EARLIER:
        return "the forge does not show the newest commit yet"
    if seen.ci is CiState.RUNNING:
        return "CI is running"
    begins = has_forge_ci and seen.ci is CiState.NONE and age < SETTLES_WITHIN
    return "CI may still begin" if begins else ""


def until_it_may(
    seen: PullSeen, care: Care, age: timedelta, remaining: timedelta, *, has_forge_ci: bool
) -> timedelta | None:
    """When to look whether it may be merged by itself, if nothing happens before. `remaining`: of the time to object.
    None: something else must happen first."""
    held = not_yet(seen, care, age, has_forge_ci=has_forge_ci)
    settles = SETTLES_WITHIN - age if held and seen.ci is CiState.NONE else timedelta()
    if held and seen.ci is not CiState.NONE:
        return None
    return max(remaining, settles, timedelta(seconds=1))


def passed(action: Action, phase: Phase, subject: str, why: str) -> str:
    """The sentence on the card."""
    return f"**Unattended.** Pawl itself has decided `{action}` at {phase} for `{short(subject)}`: {why}."


def will_merge(grace: int, why: str) -> str:
    """What stands at the merge gate while there is time to object."""
    after = f"in {spelled(grace)}" if grace else "at once"
    return (
        f"**Unattended.** Unless somebody pauses it, rejects it, asks for changes or writes on the pull request, Pawl "
        f"merges this by itself {after}, when CI is green: {why}."
    )


def waits(phase: Phase, why: str) -> str:
    """Why people are asked although there was leave not to."""
    return f"**Not unattended.** A person decides at {phase}: {why}."


def interest_of(action: Action, by: str) -> str:
    """What is remembered of a person's action; empty where it shows no interest."""
    return f"a person has stepped in ({action} by {by or 'somebody who gave no name'})" if action in INTERVENES else ""


def _graveness(risk: Risk) -> int:
    return (Risk.LOW, Risk.MEDIUM, Risk.HIGH).index(risk)
