"""What WORKFLOW.md may say of triage, and what it says to people when that is wrong."""

from decimal import Decimal

import pytest

from activities.context.workflow_file import BadWorkflowFile, read_workflow_file
from workflows.domain.change import Check
from workflows.domain.triage import Kind, Level, TriagePolicy


def read(text: str, checks: str = "[make]") -> TriagePolicy:
    return read_workflow_file(f"---\npawl:\n  checks: {checks}\n  triage: {text}\n---\n".encode()).policy.triage


def test_all_of_it() -> None:
    policy = read(
        "{level: Start, model: 'anthropic:claude-haiku-4-5', tries: 7, usd_per_night: null, usd_per_finding: 0.5,\n"
        "    commands: [ruff check ., {name: audit, run: pip-audit, timeout_seconds: 60}], new_tickets: 0,\n"
        "    open_tickets: 4, low_risk: [lint, Flaky-Test, stale_pull_request], stale_after: 3d}"
    )
    assert policy == TriagePolicy(
        level=Level.START,
        model="anthropic:claude-haiku-4-5",
        commands=(
            Check(name="ruff check .", run="ruff check ."),
            Check(name="audit", run="pip-audit", timeout_seconds=60),
        ),
        tries=7,
        usd_per_night=None,
        usd_per_finding=Decimal("0.5"),
        new_tickets=0,
        open_tickets=4,
        low_risk=(Kind.LINT, Kind.FLAKY_TEST, Kind.STALE_PULL_REQUEST),
        stale_after=3 * 86_400,
    )


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("{}", TriagePolicy()),
        ("{level: 4}", TriagePolicy(level=Level.FINISH)),
        ("{level: '2'}", TriagePolicy(level=Level.DRAFT)),
        ("{commands: ruff check}", TriagePolicy(commands=(Check(name="ruff check", run="ruff check"),))),
        ("{low_risk: []}", TriagePolicy(low_risk=())),
        ("{stale_after: never}", TriagePolicy(stale_after=0)),
    ],
)
def test_shorter(text: str, policy: TriagePolicy) -> None:
    assert read(text) == policy


LEVELS = "Write report (1), draft (2), start (3), finish (4)."


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{level: all}", f"line 4, key pawl.triage.level: 'all' is no level. {LEVELS}"),
        ("{level: 5}", f"line 4, key pawl.triage.level: '5' is no level. {LEVELS}"),
        ("{level: true}", f"line 4, key pawl.triage.level: 'True' is no level. {LEVELS}"),
        ("{level: [1]}", f"line 4, key pawl.triage.level: '[1]' is no level. {LEVELS}"),
        (
            "\n    low_risk:\n      - lint\n      - bug",
            "line 7, key pawl.triage.low_risk[1]: 'bug' is no kind of finding.",
        ),
        ("{low_risk: lint}", "line 4, key pawl.triage.low_risk: Write a list"),
        ("{stale_after: 14}", "line 4, key pawl.triage.stale_after: Write a time such as 30m, 4h or 2d"),
        ("{stale_after: soon}", "line 4, key pawl.triage.stale_after: 'soon' is no time here."),
        ("{model: haiku}", "line 4, key pawl.triage.model: 'haiku' names no model. Write provider:model, with a"),
        ("{model: 'mistral:large'}", "line 4, key pawl.triage.model: 'mistral:large' names no model."),
        ("{commands: [make]}", "key pawl.triage.commands[0].name: Another check or command is named make."),
        ("{commands: ['a', 'a']}", "key pawl.triage.commands[1].name: Another check or command is named a."),
        ("{commands: [' ']}", "key pawl.triage.commands[0].run: It is empty. Write a command."),
        (
            "{commands: [{run: a, timeout: 5}]}",
            "key pawl.triage.commands[0].timeout: There is no such key. Did you mean",
        ),
        ("{usd_per_night: 0}", "key pawl.triage.usd_per_night: Input should be greater than 0, not '0'."),
        ("{tries: 21}", "key pawl.triage.tries: Input should be less than or equal to 20, not '21'."),
        ("{levels: 1}", "key pawl.triage.levels: There is no such key. Did you mean level?"),
        ("3", "line 4, key pawl.triage: Write `key: value` lines below it."),
    ],
)
def test_a_slip_is_named_with_line_and_key(text: str, says: str) -> None:
    with pytest.raises(BadWorkflowFile) as caught:
        read(text)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
