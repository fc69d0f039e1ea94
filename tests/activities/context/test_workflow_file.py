"""WORKFLOW.md: what it may say, and what it says to people when it is wrong."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.context.workflow_file import BadWorkflowFile, read_workflow_file
from workflows.domain.change import Check
from workflows.domain.gates import GateRules
from workflows.domain.policy import Policy
from workflows.domain.ticket import Phase

SYMPHONY = b"""---
tracker:
  kind: linear
  api_key: $LINEAR_API_KEY
polling: {interval_ms: 30000}
agent:
  max_turns: 20
pawl:
  budget:
    usd: 2.5        # per ticket
    strikes: 3
  models:
    reviewer: openai:gpt-5
  checks:
    - python3 -m pytest -q
    - name: lint
      run: ruff check .
      timeout_seconds: 60
---

You work on {{ issue.identifier }}.
"""


def test_a_symphony_file_with_our_keys() -> None:
    policy, prompt = read_workflow_file(SYMPHONY)
    assert (policy.budget.usd, policy.budget.strikes, policy.budget.review_rounds) == (Decimal("2.5"), 3, 3)
    assert policy.models.reviewer == "openai:gpt-5"
    assert policy.checks == (
        Check(name="python3 -m pytest -q", run="python3 -m pytest -q"),
        Check(name="lint", run="ruff check .", timeout_seconds=60),
    )
    assert prompt == "You work on {{ issue.identifier }}."


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("", ""),
        ("Only words.\n", "Only words."),
        ("---\n---\nWords.", "Words."),
        ("---\ntracker: {kind: linear}\n---\nWords.", "Words."),
        ("---\npawl:\n---\nWords.", "Words."),
        ("---\r\npawl: {}\r\n---\r\nTwo\r\nlines.\r\n", "Two\nlines."),
        ("Words\n---\nwith a rule", "Words\n---\nwith a rule"),
    ],
)
def test_what_is_not_said_has_its_default(text: str, prompt: str) -> None:
    assert read_workflow_file(text.encode()) == (Policy(), prompt)


@pytest.mark.parametrize(
    ("head", "complaints"),
    [
        ("pawl:\n  budget:\n    usd: -1", ["line 4, key pawl.budget.usd: Input should be greater than or equal to 0"]),
        (
            "pawl:\n  budget:\n    usd: five",
            ["line 4, key pawl.budget.usd: Input should be a valid decimal"],
        ),
        ("pawl:\n  budget:\n    usd: .nan", ["line 4, key pawl.budget.usd: Input should be a finite number"]),
        (
            "pawl:\n  budget:\n    dollars: 1",
            ["line 4, key pawl.budget.dollars: There is no such key. Known"],
        ),
        ("pawl:\n  budgets:\n    usd: 1", ["line 3, key pawl.budgets: There is no such key. Did you mean budget?"]),
        ("pawl:\n  source: x", ["line 3, key pawl.source: There is no such key."]),
        ("pawl: [1]", ["line 2, key pawl: Write `key: value` lines below it."]),
        ("pawl:\n  budget: 5", ["line 3, key pawl.budget: Write `key: value` lines below it."]),
        ("pawl:\n  checks:\n    a: b", ["line 3, key pawl.checks: Write a list"]),
        ("pawl:\n  checks:\n    - run: ' '", ["line 4, key pawl.checks[0].run: It is empty. Write a command."]),
        ("pawl:\n  checks:\n    - name: a", ["line 4, key pawl.checks[0].run: It is missing. Write it."]),
        (
            "pawl:\n  sandbox:\n    prepare:\n      lock_files: [/deps.lst]",
            ["line 5, key pawl.sandbox.prepare.lock_files: '/deps.lst' names no path: write it from"],
        ),
        ("pawl:\n  checks: [a, a]", ["line 3, key pawl.checks[1].name: Another check is named a."]),
        (
            "pawl:\n  checks:\n    - name: a\n      run: b\n      timeout: 5",
            ["line 6, key pawl.checks[0].timeout: There is no such key. Did you mean timeout_seconds?"],
        ),
        (
            "pawl:\n  branch_prefix: 'a b'\n  budget:\n    strikes: 0\n    usd: x\n  modles: {}",
            [
                "line 3, key pawl.branch_prefix: 'a b' cannot begin the name of a branch",
                "line 5, key pawl.budget.strikes: Input should be greater than or equal to 1, not '0'",
                "line 6, key pawl.budget.usd: ",
                "line 7, key pawl.modles: There is no such key. Did you mean models?",
            ],
        ),
        (
            "pawl:\n  budget: {usd: x}\n  models:\n    builder: claude-sonnet-4-6\n    fixer: 'openai:'\n"
            "    planner: 5\n    reviewer: mistral:large",
            [
                "line 3, key pawl.budget.usd: ",
                "line 5, key pawl.models.builder: 'claude-sonnet-4-6' names no model. Write provider:model, with a",
                "line 6, key pawl.models.fixer: 'openai:' names no model.",
                "line 7, key pawl.models.planner: Input should be a valid string",
                "line 8, key pawl.models.reviewer: 'mistral:large' names no model.",
            ],
        ),
        (
            "pawl:\n  sandbox:\n    disk_mb: 99999999999999999999\n    memory_mb: 1048577\n    processes: '65537'",
            [
                "line 4, key pawl.sandbox.disk_mb: Write 1,048,576 at most.",
                "line 5, key pawl.sandbox.memory_mb: Write 1,048,576 at most.",
                "line 6, key pawl.sandbox.processes: Write 65,536 at most.",
            ],
        ),
        (
            'pawl:\n  sandbox:\n    image: "\\uD800"\n    prepare:\n      run:\n        - make\n        - "a\\0b"',
            [
                "line 4, key pawl.sandbox.image: It holds half of a character.",
                "line 8, key pawl.sandbox.prepare.run[1]: It holds a NUL character.",
            ],
        ),
        (
            "pawl:\n  sandbox:\n    network: ['https://pypi.org']",
            ["line 4, key pawl.sandbox.network: 'https://pypi.org' is a URL: write its host alone"],
        ),
        (f"pawl:\n  checks: [{'a' * 100_001}]", ["line 3, key pawl.checks[0].run: It is longer than 100,000 bytes."]),
        (
            "pawl:\n  sandbox:\n    image: docker-archive:/home/operator/key",
            ["line 4, key pawl.sandbox.image: 'docker-archive:/home/operator/key' names no image: write 'python:3.13'"],
        ),
        (
            "pawl:\n  gates:\n    plan:\n      who: [ada]\n      remind_after: 24\n      expire_after: soon\n"
            "      second_after: 2d\n      escalate_after:\n      whom: []",
            [
                "line 6, key pawl.gates.plan.remind_after: Write a time such as 30m, 4h or 2d, a year at most, or",
                "line 7, key pawl.gates.plan.expire_after: 'soon' is no time here. Write a time such as",
                "line 9, key pawl.gates.plan.escalate_after: Write a time such as",
                "line 10, key pawl.gates.plan.whom: There is no such key. Did you mean who?",
            ],
        ),
        (
            "pawl:\n  gates:\n    default:\n      second: ['@bob']\n    merge:\n      who: [ada, 'github:ada']",
            [
                "line 5, key pawl.gates.default.second: '@bob' names nobody: write place:name, such as linear:ada@",
                "line 7, key pawl.gates.merge.who: 'ada' names nobody",
            ],
        ),
        (
            "pawl:\n  gates:\n    plan:\n      second_after: 2d",
            ["line 5, key pawl.gates.plan.second_after: Nobody is named to be asked. Write second, too."],
        ),
        ("pawl:\n  gates:\n    plan: 5", ["line 4, key pawl.gates.plan: Write `key: value` lines below it."]),
        ("pawl:\n  gates:\n    plan:\n      who: github:ada", ["line 5, key pawl.gates.plan.who: Write a list"]),
        ("pawl:\n  gates:\n    plan:\n      operators: 5", ["line 5, key pawl.gates.plan.operators: "]),
        ("pawl:\n  gates:\n    pull: {}", ["line 4, key pawl.gates.pull: There is no such key. Known here: default,"]),
        ("Pawl:\n  budget: {}", ["line 2, key Pawl: Write pawl, not Pawl."]),
        ("- a", ["line 2: The front matter must be `key: value` lines."]),
        ("a: 1\npawl: {b: [", ["line 4: This is not YAML"]),
        ("a: 1\na: 2", ["line 3: This is not YAML: "]),
        ("pawl: &x\n  budget: *x", ["line 3, key pawl.budget: "]),
    ],
)
def test_every_mistake_is_named_with_line_and_key(head: str, complaints: list[str]) -> None:
    with pytest.raises(BadWorkflowFile) as caught:
        read_workflow_file(f"---\n{head}\n---\nWords.".encode())
    lines = str(caught.value).splitlines()
    assert len(lines) == len(complaints), lines
    for line, complaint in zip(lines, complaints, strict=True):
        assert line.startswith(f"WORKFLOW.md {complaint}"), line
        assert not line.endswith(".."), line


def test_gates_are_read() -> None:
    text = """---
pawl:
  gates:
    default:
      who: [linear:ada@acme.com, github:ada]
      remind_after: 4h
      expire_after: 2w
    merge:
      operators: false
      remind_after: never
      second: [slack:U012AB3CD]
---
"""
    gates = read_workflow_file(text.encode()).policy.gates
    ada = ("linear:ada@acme.com", "github:ada")
    week = 7 * 24 * 3_600
    assert gates.at(Phase.PLAN_GATE) == GateRules(who=ada, remind_after=4 * 3_600, expire_after=2 * week)
    assert gates.at(Phase.MERGE_GATE) == GateRules(
        who=ada, operators=False, remind_after=0, second=("slack:U012AB3CD",), expire_after=2 * week
    )


def test_a_head_that_is_never_closed() -> None:
    with pytest.raises(BadWorkflowFile, match=r"WORKFLOW\.md line 1: The front matter is never closed"):
        read_workflow_file(b"---\npawl: {}\n")


def test_aliases_that_unfold_into_billions_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(BadWorkflowFile, match="Use fewer aliases"):
        read_workflow_file("\n".join(["---", *lines, "---"]).encode())


yaml_ish = st.text(st.sampled_from("abpawl:-[]{}&*!|>'\"#, \n\t0.~budgetusd"), max_size=60)


@given(head=yaml_ish, body=st.text(max_size=40))
def test_whatever_people_write_is_read_or_explained(head: str, body: str) -> None:
    text = f"---\n{head}\n---\n{body}"
    try:
        said = f"read with {read_workflow_file(text.encode(errors='ignore')).policy.budget.strikes} strikes"
    except BadWorkflowFile as error:
        said = str(error)
    assert said.startswith(("WORKFLOW.md line ", "read with 5 strikes"))


def test_a_stored_policy_from_before_a_bound_is_still_read() -> None:
    assert Policy.model_validate_json('{"sandbox": {"disk_mb": 99999999999}}').sandbox.disk_mb == 99999999999
