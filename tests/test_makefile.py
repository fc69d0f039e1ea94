"""What the targets of the Makefile would run, as `make --dry-run` says it."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/operate/sandbox-conformance.md"


@pytest.mark.parametrize(("arguments", "is_published"), [("", True), ("-k 'disk or network'", False)])
def test_only_the_whole_conformance_run_replaces_the_page(arguments: str, is_published: bool) -> None:
    argv = ["make", "--dry-run", "--no-print-directory", "conformance", f"ARGS={arguments}"]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    assert "> docs/" not in ran, "a run that dies would leave an empty page"
    assert (f"mv build/sandbox-conformance.md {PAGE}" in ran) is is_published


def test_the_week_of_triage_is_a_demo() -> None:
    argv = ["make", "--dry-run", "--no-print-directory", "demo-triage", "ARGS=--yes"]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    assert ran.splitlines()[-1].endswith("starter.py demo --triage --yes")


def test_what_is_compiled_is_kept_whatever_the_environment_says() -> None:
    argv = ["make", "--no-print-directory", "--eval", "shown: ; @env", "shown"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=30).stdout
    assert "PYTHONDONTWRITEBYTECODE" not in ran
