"""The synthetic ticket: the repository it works on and the tape that answers it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from workflows.domain.change import Check

PROGRESS = "progress.txt"
"""The one file the agents change."""
CHECK = Check(name="tests", run=f"grep -q 'step 1: done' {PROGRESS}")
TURNS_PER_SESSION = 100
EDIT_EVERY = 10
"""The builder edits in every tenth turn and reads in the others: a session that never changes a file is stopped."""

_STEPS, _PARTS, _LINES = 20, 10, 24
_WORDS = "The hinge was looked at from both sides, and what was found is written down here. "
_MANIFEST = {
    "tape": 1,
    "title": "Synthetic ticket",
    "kind": "scripted",
    "by": "Pawl's benchmark",
    "date": "2026-01-01",
    "model": "anthropic:claude-sonnet-4-5",
    "repository": {"name": "synthetic"},
}
_WORKFLOW = f"""\
---
pawl:
  checks:
    - name: {CHECK.name}
      run: "{CHECK.run}"
  budget:
    turns_per_session: {TURNS_PER_SESSION}
---
"""


def files() -> dict[str, str]:
    """The repository: one view of a part is about 1.2 KB."""
    parts = {
        f"parts/part-{part}.txt": "".join(f"part {part}, line {line}: {_WORDS[:30]}\n" for line in range(_LINES))
        for part in range(_PARTS)
    }
    progress = "".join(f"step {step}: open\n" for step in range(1, _STEPS + 1))
    return {**parts, PROGRESS: progress, "WORKFLOW.md": _WORKFLOW}


def make_repository(folder: Path) -> Path:
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    identity = {f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **identity}
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Synthetic"]):
        subprocess.run(["git", *words], cwd=folder, env=environment, check=True)
    return folder


def answers(turns: int) -> dict[str, list[dict[str, Any]]]:
    """What the model says in each session: `turns` tool calls of the builder between plan, review, fix and review."""
    builder = [
        _edit(turn // EDIT_EVERY) if turn % EDIT_EVERY == 0 else _use("view", path=f"parts/part-{turn % _PARTS}.txt")
        for turn in range(1, turns + 1)
    ]
    plan = {"summary": _WORDS, "steps": [_WORDS, _WORDS], "acceptance": [_WORDS], "risk": "low"}
    finding = {"severity": "blocker", "path": PROGRESS, "line": _STEPS, "text": _WORDS}
    return {
        "planner1": [_use("submit", **plan)],
        "builder1": [*builder, _use("submit", summary=_WORDS)],
        "reviewer1": [_use("submit", summary=_WORDS, findings=[finding])],
        "fixer1": [_edit(_STEPS), _use("submit", summary=_WORDS)],
        "reviewer2": [_use("submit", summary=_WORDS, findings=[])],
    }


def tape(turns: int) -> bytes:
    lines = [
        {"role": session[:-1], "part": int(session[-1]), "content": [{"type": "text", "text": _WORDS * 5}, use]}
        for session, uses in answers(turns).items()
        for use in uses
    ]
    return "".join(f"{json.dumps(line)}\n" for line in (_MANIFEST, *lines)).encode()


def _edit(step: int) -> dict[str, Any]:
    return _use("edit", path=PROGRESS, old=f"step {step}: open\n", new=f"step {step}: done\n")


def _use(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": tool, "input": arguments}
