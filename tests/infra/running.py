"""A running `pawl up` for tests, and tickets for it."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import board
from tests.infra.command_line import Answer, pawl
from tests.repos import make_repository

KEY = "not-a-real-key"
POLICY = "---\npawl:\n  checks:\n    - name: tests\n      run: test -f hello.txt\n---\n"
TAPE: list[tuple[str, list[tuple[str, dict[str, Any]]]]] = [
    ("planner", [("submit", {"summary": "A greeting.", "steps": ["Write it."], "acceptance": ["It is there."]})]),
    ("builder", [("bash", {"command": "echo hello > hello.txt"})]),
    ("builder", [("submit", {"summary": "Written."})]),
    ("reviewer", [("submit", {"summary": "Good.", "findings": []})]),
]


@dataclass
class Up:
    """A running `pawl up`."""

    home: Path
    process: subprocess.Popen[str]
    heard: Path
    """What it prints, line by line."""
    tape: Path

    def pawl(self, *arguments: str) -> Answer:
        return pawl(self.home, *arguments)

    def pids(self) -> dict[str, int]:
        return json.loads((self.home / "stack.json").read_text())["pids"]

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.heard.read_text().splitlines()]

    def until(self, holds: Callable[[], object], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.heard.read_text()
            assert self.process.poll() is None, self.heard.read_text()
            time.sleep(0.1)

    def until_phase(self, ticket: str, phase: str, seconds: float = 120) -> dict[str, Any]:
        """What `pawl show` says then. Its card says it as well, and to look there takes no process."""
        deadline = time.monotonic() + seconds
        while True:
            on_card = board.read(self.home / "board", ticket).status == phase
            if on_card or time.monotonic() > deadline:
                seen = self.pawl("show", ticket).json
                if seen["ticket"]["phase"] == phase:
                    return seen
                assert time.monotonic() < deadline, seen
            time.sleep(0.1)


def make_tape(path: Path) -> Path:
    lines: list[dict[str, Any]] = [
        {
            **{"tape": 1, "title": "greeting", "kind": "scripted", "by": "the tests", "date": "2026-11-21"},
            **{"model": "anthropic:claude-sonnet-4-5", "repository": {"name": "greeting"}},
        }
    ]
    for role, calls in TAPE:
        content = [{"type": "tool_use", "name": name, "input": given} for name, given in calls]
        lines.append({"role": role, "part": 1, "content": content, "usage": {"input_tokens": 9, "output_tokens": 9}})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def start_ticket(up: Up, folder: Path, name: str, *options: str) -> Answer:
    card = folder / f"{name}.md"
    card.write_text("---\ntitle: Add a greeting\n---\nPlease write hello.txt.\n")
    repository = folder / f"{name}-repository"
    if not repository.exists():
        make_repository(repository, {"WORKFLOW.md": POLICY})
    return up.pawl("run", str(card), "--repo", str(repository), "--tape", str(up.tape), *options)
