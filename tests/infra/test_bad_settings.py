"""Settings that make no sense are named, with what to do, by whichever command reads them first."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra import board
from infra.exits import Exit
from tests.infra.command_line import ROOT, environment, pawl


def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    answer = pawl(tmp_path, "list", PAWL_ACTIVITY_SLOTS="many")
    assert answer.code == Exit.USAGE
    assert "PAWL_ACTIVITY_SLOTS" in answer.error["message"]


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("list", "TEMPORAL_PROFILE", "nope"),
        ("up", "TEMPORAL_PROFILE", "nope"),
        ("list", "TEMPORAL_CONFIG_FILE", str(ROOT / "README.md")),
        ("list", "TEMPORAL_ADDRESS", "not an address"),
        ("up", "TEMPORAL_ADDRESS", "::::"),
        ("up", "PAWL_PRICES", "foo"),
        ("gateway", "PAWL_PRICES", "foo"),
        ("up", "PAWL_ANTHROPIC_BASE_URL", "foo"),
    ],
)
def test_a_setting_of_a_service_that_makes_no_sense_is_named_too(
    tmp_path: Path, command: str, name: str, value: str
) -> None:
    answer = pawl(tmp_path, command, cwd=None, **{name: value})
    assert (answer.code, answer.err) == (Exit.USAGE, "")
    assert re.search(rf"(?<!PAWL_){name}", " ".join(str(part) for part in answer.error.values()))
    assert answer.error["next"]


@pytest.mark.server
@pytest.mark.parametrize("arguments", [["list"], ["show", "ENG-1"]])
def test_a_namespace_that_is_not_there_is_no_missing_ticket(
    tmp_path: Path, temporal_address: str, arguments: list[str]
) -> None:
    board.create_ticket(tmp_path / "board", "ENG-1", "A ticket", "Please.")
    answer = pawl(tmp_path, *arguments, TEMPORAL_ADDRESS=temporal_address, TEMPORAL_NAMESPACE="nope")
    assert answer.code == Exit.USAGE
    assert "nope" in answer.error["message"]
    assert "TEMPORAL_NAMESPACE" in answer.error["next"]


@pytest.mark.server
@pytest.mark.parametrize("given", [{"PAWL_SANDBOX_IMAGE": "x", "PATH": "/nowhere"}, {}])
def test_a_worker_whose_sandbox_cannot_be_used_names_the_setting(
    tmp_path: Path, temporal_address: str, given: dict[str, str]
) -> None:
    """With all its settings the provider may still not work on this machine."""
    seen = environment(tmp_path, TEMPORAL_ADDRESS=temporal_address, PAWL_SANDBOX="podman", **given)
    argv = [sys.executable, str(ROOT / "worker.py")]
    ran = subprocess.run(argv, env=seen, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, "Traceback" in ran.stderr) == (Exit.USAGE, False), ran.stderr
    assert "podman" in ran.stderr


def test_an_empty_setting_is_none(tmp_path: Path) -> None:
    answer = pawl(tmp_path, "events", "ENG-1", PAWL_HOME="", PAWL_ACTIVITY_SLOTS="", HOME=str(tmp_path), cwd=tmp_path)
    assert f"no journal in {tmp_path / '.pawl'}" in answer.error["message"]
