"""Closing the terminal in which Pawl runs is an order to drain, not a death."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.command_line import ROOT, environment

pytestmark = pytest.mark.server


def test_a_closed_terminal_drains_what_runs(tmp_path: Path) -> None:
    """Shell and kernel may both say so; the second time is no order to hurry."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "starter.py"), "server"],
        stdout=subprocess.PIPE,
        env=environment(tmp_path / "home"),
        text=True,
    ) as supervisor:
        try:
            assert supervisor.stdout is not None
            assert any('{"up"' in line for line in supervisor.stdout)
            supervisor.send_signal(signal.SIGHUP)
            assert json.loads(supervisor.stdout.readline())["what"] == "stopping"
            supervisor.send_signal(signal.SIGHUP)
            stopped = json.loads(supervisor.stdout.readline())
            assert (stopped["what"], stopped["how"]) == ("stopped", "exit code 0")
            assert supervisor.wait(timeout=30) == 0
        finally:
            supervisor.kill()  # what it started ends with it
