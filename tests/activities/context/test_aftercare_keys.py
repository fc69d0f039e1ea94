"""The keys of WORKFLOW.md about the time after the pull request is opened."""

import pytest

from activities.context.workflow_file import BadWorkflowFile, read_workflow_file


def test_they_are_read() -> None:
    text = (
        "---\npawl:\n  budget: {ci_strikes: 0, flaky_reruns: 2, review_strikes: 4,\n"
        "    conflict_strikes: 1, base_strikes: 9}\n"
        "  pull_request:\n    draft: false\n    labels: [agent, needs review]\n  merge: {require_ci: false}\n---\n"
    )
    policy = read_workflow_file(text.encode()).policy
    budget = policy.budget
    counted = (budget.ci_strikes, budget.flaky_reruns, budget.review_strikes, budget.conflict_strikes)
    assert (*counted, budget.base_strikes) == (0, 2, 4, 1, 9)
    assert (policy.pull_request.draft, policy.pull_request.labels) == (False, ("agent", "needs review"))
    assert not policy.merge.require_ci


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("budget: {ci_strikes: 99}", r"line 3, key pawl\.budget\.ci_strikes"),
        ("budget: {ci_strike: 1}", "Did you mean ci_strikes"),
        ("merge: {require_CI: true}", "Did you mean require_ci"),
        ("pull_request: {labels: agent}", "Write a list"),
    ],
)
def test_a_slip_is_named_with_its_line(text: str, says: str) -> None:
    with pytest.raises(BadWorkflowFile, match=says):
        read_workflow_file(f"---\npawl:\n  {text}\n---\n".encode())
