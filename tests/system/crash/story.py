"""The ticket every crash test runs: its repository, what the model answers, and the files that must come of it."""

import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.answers import FakeAnswer

MODEL = "anthropic:claude-sonnet-4-5"
BASE: Mapping[str, str] = {
    "greeting.py": '"""Greets people."""\n\n\ndef greet(name: str) -> str:\n    return "Hello " + name\n',
    "test_greeting.py": (
        "import unittest\n\nfrom greeting import greet\n\n\n"
        "class Greeting(unittest.TestCase):\n"
        "    def test_names_the_person(self) -> None:\n"
        '        self.assertIn("Ada", greet("Ada"))\n'
    ),
    "WORKFLOW.md": (
        "---\npawl:\n  checks:\n    - name: tests\n      run: python3 -m unittest -q\n---\n\nKeep functions small.\n"
    ),
}
_POLITE = (
    "import unittest\n\nfrom greeting import greet\n\n\n"
    "class Polite(unittest.TestCase):\n"
    "    def test_is_polite(self) -> None:\n"
    '        self.assertEqual(greet("Ada"), "Hello, Ada!")\n'
)
RESULT: Mapping[str, str] = {
    **BASE,
    "greeting.py": (
        '"""Greets people."""\n\n\ndef greet(name: str) -> str:\n    return f"Hello, {name or \'friend\'}!"\n'
    ),
    "test_polite.py": _POLITE,
    "BUILT.txt": "built\nfixed\n",
}
"""A command that ran twice on the same files would have left its line twice in BUILT.txt."""


def _work(ticket: str, word: str) -> FakeAnswer:
    """A command that takes a while and must not leave its trace twice. It names the ticket, to be found by."""
    waiting = f'python3 -c "import time; time.sleep(0.3)" {ticket}'
    return FakeAnswer.tool("bash", {"command": f"{waiting} && echo {word} >> BUILT.txt"})


def _calls(*calls: tuple[str, dict[str, Any]]) -> FakeAnswer:
    return FakeAnswer(content=[{"type": "tool_use", "name": name, "input": given} for name, given in calls])


def _edit(old: str, new: str, path: str = "greeting.py") -> tuple[str, dict[str, Any]]:
    return "edit", {"path": path, "old": old, "new": new}


_VIEW = FakeAnswer(
    content=[
        {"type": "text", "text": "I read the function that the ticket is about, with all the lines around it."},
        {"type": "tool_use", "name": "view", "input": {"path": "greeting.py"}},
    ]
)
_PLAN = FakeAnswer.tool(
    "submit",
    {
        "summary": "greet says hello with a comma and an exclamation mark.",
        "steps": ["Change greet in greeting.py", "Add test_polite.py"],
        "acceptance": ['greet("Ada") is "Hello, Ada!"'],
        "risk": "low",
    },
)
_BLOCKER = FakeAnswer.tool(
    "submit",
    {
        "summary": "One case is missed.",
        "findings": [
            {"severity": "blocker", "path": "greeting.py", "line": 5, "text": "An empty name is greeted as nobody."}
        ],
    },
)
_CLEAN = FakeAnswer.tool("submit", {"summary": "The change does what the ticket asks.", "findings": []})

TURNS: tuple[str, ...] = (
    *("planner 1", "planner 2"),
    *("builder 1", "builder 2", "builder 3", "builder 4", "builder 5", "builder 6"),
    *("reviewer 1", "reviewer 2"),
    *("fixer 1", "fixer 2"),
    "second reviewer 1",
)
"""Every model call of the ticket, in order."""


def turn_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Ticket and turn that a request belongs to, told by its conversation alone."""
    said = str(body)
    ticket = re.search(r'<ticket id="([^"]+)"', said)
    role = re.search(r"You are the (planner|builder|reviewer|fixer)\.", said)
    assert ticket is not None, said[:2_000]
    assert role is not None, said[:2_000]
    second = "second " if role[1] == "reviewer" and "friend" in said else ""
    number = 1 + sum(message["role"] == "assistant" for message in body["messages"])
    return ticket[1], f"{second}{role[1]} {number}"


def answer(ticket: str, turn: str) -> FakeAnswer:
    """What the model says. The first attempt misses the exclamation mark that its own test asks for."""
    return {
        "planner 1": _VIEW,
        "planner 2": _PLAN,
        "builder 1": _VIEW,
        "builder 2": _calls(_edit('"Hello " + name', 'f"Hello, {name}"'), _edit("", _POLITE, "test_polite.py")),
        "builder 3": _work(ticket, "built"),
        "builder 4": FakeAnswer.tool("submit", {"summary": "greet has a comma now."}),
        "builder 5": _calls(_edit('f"Hello, {name}"', 'f"Hello, {name}!"'), ("run_checks", {})),
        "builder 6": FakeAnswer.tool("submit", {"summary": "greet is polite now."}),
        "reviewer 1": _VIEW,
        "reviewer 2": _BLOCKER,
        "fixer 1": _calls(_edit("{name}", "{name or 'friend'}"), ("bash", _work(ticket, "fixed").content[0]["input"])),
        "fixer 2": FakeAnswer.tool("submit", {"summary": "An empty name is greeted as a friend."}),
        "second reviewer 1": _CLEAN,
    }[turn]
