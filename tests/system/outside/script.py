"""What the agents of the whole ticket answer, and what they work on."""

import hashlib
import json
from typing import Any

POLICY = """---
pawl:
  checks:
    - name: tests
      run: sh check.sh
---
"""
FILES = {"WORKFLOW.md": POLICY, "check.sh": "grep -qi hello hello.txt 2>/dev/null\n", "README.md": "A shop.\n"}
TITLE, BODY = "Add a greeting", "Please write hello.txt, so that visitors are greeted."
CI_LOG = "FAILED test_greeting: hello.txt lacks a full stop"
REMARK = "Please greet the world by name."
ANSWER = "It greets the world by name now."
_PLAN = {"summary": "A file that greets.", "steps": ["Write hello.txt."], "acceptance": ["hello.txt says hello."]}

Call = tuple[str, dict[str, Any]]
_CLEAN: Call = ("submit", {"summary": "Reads well, does what the plan says.", "findings": []})
_TURNS: list[tuple[str, int, list[str], Call]] = [
    ("planner", 1, [TITLE], ("submit", _PLAN)),
    ("builder", 1, [], ("bash", {"command": "echo Hello > hello.txt"})),
    ("builder", 1, [], ("submit", {"summary": "hello.txt says hello."})),
    ("reviewer", 1, [], _CLEAN),
    ("fixer", 1, [CI_LOG], ("bash", {"command": "echo Hello. > hello.txt"})),
    ("fixer", 1, [], ("submit", {"summary": "hello.txt ends with a full stop."})),
    ("reviewer", 2, [], _CLEAN),
    ("fixer", 2, [REMARK], ("bash", {"command": "echo Hello, world. > hello.txt"})),
    ("fixer", 2, [], ("submit", {"summary": ANSWER, "answers": [{"number": 1, "text": ANSWER, "fixed": True}]})),
    ("reviewer", 3, [], _CLEAN),
]
CALLS = len(_TURNS)
"""Model calls that a ticket buys when nothing is bought twice."""


def tape() -> bytes:
    manifest = {"tape": 1, "title": "a greeting", "kind": "scripted", "by": "the tests", "date": "2026-11-21"}
    lines: list[dict[str, Any]] = [{**manifest, "model": "anthropic:claude-sonnet-4-5", "repository": {"name": "shop"}}]
    for role, part, expect, (name, given) in _TURNS:
        content = [{"type": "tool_use", "name": name, "input": given}]
        usage = {"input_tokens": 900, "output_tokens": 90}
        lines.append({"role": role, "part": part, "content": content, "expect": expect, "usage": usage})
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def model() -> str:
    return f"tape:{hashlib.sha256(tape()).hexdigest()}"
