"""The demo's tape, played with plain hands on the real project: every edit fits, red is red and green is green."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.context.workflow_file import read_workflow_file
from infra import demo
from infra.demo.project import PACKAGES_INSIDE, Project, prepare
from infra.gateway.tape import read_tape
from workflows.domain.plan import Plan, PlanDraft
from workflows.domain.review import Review, Severity
from workflows.domain.session import WorkDone

Line = dict[str, Any]
TAPE = Path(demo.__file__).with_name("tape.jsonl")
_, *LINES = (json.loads(line) for line in TAPE.read_text().splitlines())
STAGES = list(dict.fromkeys((line["role"], line["part"]) for line in LINES))


class Checkout:
    """A clone of the project in which the tape's calls are done by hand, without Pawl's own tools."""

    def __init__(self, project: Project, folder: Path) -> None:
        subprocess.run(["git", "clone", "--quiet", project.repository, folder], check=True)
        self.folder = folder
        self.packages = project.packages
        (folder.parent / "bin").mkdir()
        python = folder.parent / "bin" / "python3"
        python.write_text(f'#!/bin/sh\nexec "{Path(sys.base_prefix) / "bin" / "python3"}" -S "$@"\n')
        python.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}

    def shell(self, command: str) -> tuple[int, str]:
        here = command.replace(PACKAGES_INSIDE, str(self.packages))
        ran = subprocess.run(
            ["bash", "-c", here], cwd=self.folder, capture_output=True, text=True, env=self.environment
        )
        return ran.returncode, ran.stdout + ran.stderr

    def checks(self) -> tuple[int, str]:
        found = re.search(r"run: (.*)", (self.folder / "WORKFLOW.md").read_text())
        assert found
        return self.shell(found[1])

    def play(self, call: Line) -> str:
        asked: Line = call["input"]
        match call["name"]:
            case "edit":
                path = self.folder / asked["path"]
                before = path.read_text()
                assert before.count(asked["old"]) == 1, f"{asked['path']} holds this not just once:\n{asked['old']}"
                path.write_text(before.replace(asked["old"], asked["new"]))
                return "edited"
            case "view":
                lines = (self.folder / asked["path"]).read_text().splitlines()
                assert 1 <= asked["start"] <= asked["end"] <= len(lines)
                return "\n".join(lines[asked["start"] - 1 : asked["end"]])
            case "search":
                found = subprocess.run(
                    ["git", "grep", "--line-number", "--extended-regexp", "-e", asked["pattern"], "--", asked["glob"]],
                    cwd=self.folder,
                    capture_output=True,
                    text=True,
                )
                assert found.stdout, f"nothing found for {asked}"
                return found.stdout
            case "bash":
                return self.shell(asked["command"])[1]
            case "run_checks":
                code, output = self.checks()
                return output if code else "tests: ok"
            case name:
                assert name == "submit"
                return ""


def turns(role: str, part: int) -> list[Line]:
    return [line for line in LINES if (line["role"], line["part"]) == (role, part)]


def calls(line: Line) -> list[Line]:
    return [block for block in line["content"] if block["type"] == "tool_use"]


def submission(role: str, part: int) -> Line:
    [call] = calls(turns(role, part)[-1])
    assert call["name"] == "submit"
    return call["input"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return prepare(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def checkout(project: Project, tmp_path: Path) -> Iterator[Checkout]:
    folder = tmp_path / "checkout"
    yield Checkout(project, folder)
    shutil.rmtree(folder)


def play(checkout: Checkout, role: str, part: int, told: str = "") -> None:
    """Play one session; what each answer says it expects must be in what it was told right before."""
    for line in turns(role, part):
        for text in line.get("expect", []):
            assert text in told, f"{role} {part} expects {text!r} and was told:\n{told}"
        told = "\n".join(checkout.play(call) for call in calls(line))


def edit(checkout: Checkout, role: str, part: int) -> None:
    """Only the session's edits."""
    for call in (call for line in turns(role, part) for call in calls(line) if call["name"] == "edit"):
        checkout.play(call)


def test_project_is_green_as_released(checkout: Checkout) -> None:
    code, output = checkout.checks()
    assert code == 0, output
    assert "123 passed" in output


def test_ticket_tells_the_truth(checkout: Checkout, project: Project) -> None:
    ticket = TAPE.with_name("ticket.md").read_text()
    example, expected, got = re.findall(r"```(?:python)?\n(.*?)```", ticket, re.DOTALL)
    (checkout.folder / "example.py").write_text(example)
    run_it = f"PYTHONPATH={PACKAGES_INSIDE} python3 example.py"
    assert checkout.shell(run_it) == (0, got)
    for role, part in STAGES:
        edit(checkout, role, part)
    assert checkout.shell(run_it) == (0, expected)


def test_first_attempt_is_red_second_green_fix_green(checkout: Checkout) -> None:
    play(checkout, "planner", 1)

    play(checkout, "builder", 1)
    code, failure = checkout.checks()
    assert code == 1
    assert "::test_modern_separator_does_not_strip_word_content" in failure
    assert "1 failed" in failure

    play(checkout, "builder", 2, told=failure)
    code, output = checkout.checks()
    assert code == 0, output

    play(checkout, "reviewer", 1, told=checkout.shell("git diff")[1])
    blocker, note = Review.model_validate(submission("reviewer", 1)).findings
    assert (blocker.severity, note.severity) == (Severity.BLOCKER, Severity.NOTE)
    assert (checkout.folder / blocker.path).read_text().splitlines()[blocker.line - 1].strip() == "if parts:"
    assert (checkout.folder / note.path).is_file()

    play(checkout, "fixer", 1, told=json.dumps(submission("reviewer", 1)))
    code, output = checkout.checks()
    assert code == 0, output
    assert "127 passed" in output

    play(checkout, "reviewer", 2)
    assert Review.model_validate(submission("reviewer", 2)).blockers == ()


def test_reviewer_is_right_about_the_lost_run(checkout: Checkout) -> None:
    cut = (
        f"PYTHONPATH={PACKAGES_INSIDE} python3 -c \"from slugify import slugify; print(slugify('x', max_length=5, "
        "replacements=[('x', '-one-two-')], replacement_stage='post', algorithm='modern'))\""
    )
    assert checkout.shell(cut) == (0, "-one\n")
    edit(checkout, "builder", 1)
    edit(checkout, "builder", 2)
    assert checkout.shell(cut) == (0, "one-t\n")
    edit(checkout, "fixer", 1)
    assert checkout.shell(cut) == (0, "-one\n")


def test_only_what_the_ticket_asks_for_is_changed(checkout: Checkout) -> None:
    for role, part in STAGES:
        edit(checkout, role, part)
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=checkout.folder, capture_output=True, text=True, check=True
    ).stdout.split()[1::2]
    assert changed == ["CHANGELOG.md", "slugify/slugify.py", "tests/test_release.py"]


@pytest.mark.parametrize(("role", "part"), STAGES)
def test_every_session_ends_in_a_submission_its_role_may_make(role: str, part: int) -> None:
    forms = {"planner": PlanDraft, "builder": WorkDone, "fixer": WorkDone, "reviewer": Review}
    assert forms[role].model_validate(submission(role, part))
    used = {call["name"] for line in turns(role, part) for call in calls(line)}
    if role in ("planner", "reviewer"):
        assert used <= {"view", "search", "submit"}


def test_the_tape_has_a_plan_for_every_revision_the_budget_allows() -> None:
    policy = read_workflow_file(TAPE.with_name("WORKFLOW.md").read_bytes()).policy
    revisions = [part for role, part in STAGES if role == "planner"]
    assert revisions == list(range(1, policy.budget.plan_revisions + 1)) == [1, 2, 3]
    plans = [Plan(revision=part, draft=PlanDraft(**submission("planner", part))) for part in revisions]
    assert len({plan.markdown().partition("\n")[2] for plan in plans}) == len(plans), (
        "each revision can be told from the one before"
    )


def test_tape_says_what_it_is() -> None:
    tape = read_tape(TAPE.read_bytes())
    assert tape.manifest.kind == "scripted"
    assert len(tape.answers) == len(LINES)
    assert all(line["usage"]["output_tokens"] > 0 for line in LINES)
    for revision in (2, 3):
        assert "scripted" in submission("planner", revision)["summary"].lower()
