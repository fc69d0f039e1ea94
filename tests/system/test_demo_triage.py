"""`pawl demo --triage`: a week of nights with real schedule, server, gateway, worker, sandbox, git and test suite."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import board
from tests.repos import git
from tests.system.test_demo import COMMAND, PATIENCE, Terminal, environment, processes_of
from workflows.domain.ticket import Phase

PATIENCE_WEEK = 2 * PATIENCE
"""Seven nights take about a minute; on a machine on which many tests run at once, several."""
pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(PATIENCE_WEEK + 60)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("pawl")
    yield home
    assert processes_of(home) == []


def test_a_week_keeps_every_promise(home: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, "--triage", "--yes", "--json"],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE_WEEK,
    )
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 1
    receipt = json.loads(ran.stdout)
    assert 5 < receipt.pop("seconds") < PATIENCE_WEEK
    assert 0.05 < receipt.pop("recorded_usd") < 1
    assert receipt == {
        "nights": 7,
        "silent_nights": 5,
        "nights_without_a_model": 3,
        "calls_in_them": 0,
        "findings": {"fixed": 1, "refuted": 1, "ticketed": 1},
        "not_raised_again": 1,
        "flaky": 1,
        "tickets": 2,
        "started": 1,
        "notes": 3,
        "pull_requests": 1,
        "calls": 14,
        "calls_bought_twice": 0,
        "spent_usd": 0.0,
        "broken": [],
    }
    assert processes_of(home) == []
    _said_night_by_night(ran.stderr)
    _left_behind(home / "demo")


def _said_night_by_night(said: str) -> None:
    nights = re.findall(r"^ *[\d.]+ s  ((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d Nov 03:00): (.*)$", said, re.MULTILINE)
    assert [name[:3] for name, _ in nights] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    for day in (0, 5, 6):
        assert nights[day][1].startswith("Nothing new since"), nights[day]
    assert "fails in 8 of 8 runs: " in said
    assert "1 known before, 1 fixed. Nobody was told anything." in nights[2][1]
    assert re.search(r"fails in [1-7] of 8 runs, a flaky test: \S+ is a draft", said)
    assert "1 refuted. Nobody was told anything." in nights[4][1]
    assert "SCRIPTED" in said


def _left_behind(home: Path) -> None:
    tickets = {ticket.title: ticket for ticket in board.list_tickets(home / "board").tickets}
    phases = {title: ticket.status for title, ticket in tickets.items() if "triage" in ticket.labels}
    assert phases == {
        "Failing test: max_length=True is taken for 1 in modern mode": Phase.DONE,
        "Flaky test: slugify_tags gives its tags in another order now and then": Phase.TODO,
    }
    [state] = [path for path in (home / "triage").glob("*.yaml") if not path.name.startswith(".")]
    assert "standing: refuted" in state.read_text()
    [repository] = (home / "forge").glob("*.git")
    assert "isinstance(max_length, bool)" in git(repository, "show", "main:slugify/slugify.py")


def test_a_person_decides_and_the_week_ends_where_the_plan_is_rejected(home: Path) -> None:
    terminal = Terminal(home, "--triage")
    try:
        terminal.wait_for(r"Tue 10 Nov 03:00: 1 new finding", PATIENCE_WEEK)
        gate = terminal.wait_for(r"Plan, revision 1[\s\S]*Send a Signal")
        assert "max_length=True" in gate
        terminal.type("r")
        terminal.wait_for(r"The week ends here")
        code, rest = terminal.end()
    finally:
        terminal.close()
    assert code == 6, rest
    assert re.search(r"pull requests opened\s+0", rest)
    assert "broken promises" in rest
    assert processes_of(home) == []


def test_control_c_ends_the_week_and_leaves_nothing(home: Path) -> None:
    terminal = Terminal(home, "--triage")
    try:
        terminal.wait_for(r"The schedule is made")
        terminal.type("\x03")
        code, rest = terminal.end()
    finally:
        terminal.close()
    assert code == 130, rest
    assert str(home / "demo" / "logs") in rest.replace("\r\n", "")
    assert processes_of(home) == []
