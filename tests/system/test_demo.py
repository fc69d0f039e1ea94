"""`pawl demo` as a person and as a script run it: real server, gateway, worker, sandbox, git and test suite."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra import board
from infra.pages import Page
from tests.repos import git
from workflows.domain.ticket import Phase

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(ROOT / "starter.py"), "demo"]
PATIENCE = 240
BUSY = 4
"""How much slower than promised a machine may be on which many tests run at once."""
pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(PATIENCE + 60)]


def environment(home: Path, **more: str) -> dict[str, str]:
    named = {name: value for name, value in os.environ.items() if not name.startswith(("PAWL_", "TEMPORAL_"))}
    return {**named, "PAWL_HOME": str(home), "TERM": "xterm", "COLUMNS": "120", **more}


def processes_of(home: Path) -> list[str]:
    """Command lines of all processes that name this home."""
    lines: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            argv, variables = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in argv or f"PAWL_HOME={home}".encode() in variables:
            lines.append(argv.replace(b"\0", b" ").decode(errors="replace"))
    return lines


class Terminal:
    """A person at a terminal in which the demo runs."""

    def __init__(self, home: Path, *words: str, env: Mapping[str, str] | None = None) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(home, **(env or {})),
            cwd=home.parent,
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(theirs)
        self.said = ""

    def wait_for(self, pattern: str, seconds: float = PATIENCE) -> str:
        """Read until the pattern was said since the last call; what was said up to it."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < end, f"{pattern!r} was not said in {seconds} s:\n{self.said}"
            assert self._read(1.0), f"The demo ended without saying {pattern!r}:\n{self.said}"
        heard, self.said = self.said[: found.end()], self.said[found.end() :]
        return heard

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def end(self) -> tuple[int, str]:
        """Exit code and the rest of what is said."""
        while self._read(1.0):
            pass
        return self.process.wait(PATIENCE), self.said

    def _read(self, seconds: float) -> bool:
        """False at the end."""
        if not select.select([self.ours], [], [], seconds)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self.ours, 65_536)
        except OSError:  # the other side is closed
            return False
        self.said += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        return bool(data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        os.close(self.ours)


def _own_terminal() -> None:
    """Make the terminal the process's own, so that Ctrl-C typed there reaches it."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all demos: the later ones are `the second start`."""
    home = tmp_path_factory.mktemp("pawl")
    yield home
    assert processes_of(home) == []


def test_script_gets_the_receipt_of_a_kept_promise(home: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, "--yes", "--json"],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"your own repository            {Path(sys.executable).with_name('pawl')} up, and in" in ran.stderr
    receipt = json.loads(ran.stdout.splitlines()[-1])
    seconds = receipt.pop("seconds")
    recorded = receipt.pop("recorded_usd")
    assert receipt == {
        "ticket": "ENG-1",
        "phase": "Done",
        "turns": 21,
        "calls_bought_twice": 0,
        "pull_requests": 1,
        "kills": 1,
        "spent_usd": 0.0,
    }
    assert 0.1 < recorded < 1
    assert 5 < seconds < PATIENCE
    assert processes_of(home) == []

    said = ran.stderr
    for sentence in ("SCRIPTED", "kills its own worker", "worker died (SIGKILL)", "Strike 1 of 3", "The checks pass"):
        assert sentence in said, said

    card = board.read(home / "demo" / "board", "ENG-1")
    assert card.status == Phase.DONE
    assert "SCRIPTED" in Path(card.url).read_text()

    [pull] = (home / "demo" / "forge").glob("*.pulls/*/pull.md")
    page = Page.parse(pull.read_bytes())
    assert page.head.get("state") == "merged"
    text = pull.read_text()
    assert "SCRIPTED" in text
    assert text.count("**blocker**") == 1
    [repository] = (home / "demo" / "forge").glob("*.git")
    changed = git(repository, "diff", "--name-only", "main~1", "main")
    assert changed.split() == ["CHANGELOG.md", "slugify/slugify.py", "tests/test_release.py"]


def test_the_same_ticket_is_done_in_sandboxes_at_modal(home: Path) -> None:
    """Modal's real client, with a double of Modal on this machine."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fakes.modal", "--", *COMMAND, "--yes", "--json"],
        env=environment(home, PYTHONPATH=str(ROOT)),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Modal" in ran.stderr
    receipt = json.loads(ran.stdout.splitlines()[-1])
    told = {name: receipt[name] for name in ("phase", "turns", "calls_bought_twice", "pull_requests", "kills")}
    assert told == {"phase": "Done", "turns": 21, "calls_bought_twice": 0, "pull_requests": 1, "kills": 1}
    assert processes_of(home) == []


def test_person_changes_the_plan_then_stops_in_the_build(home: Path) -> None:
    terminal = Terminal(home)
    try:
        begun = time.monotonic()
        terminal.wait_for(r"Plan, revision 1")
        assert time.monotonic() - begun < BUSY * 15, "from the second start on the plan is there in under 15 s"
        gate = terminal.wait_for(r"Send a Signal")
        assert "/namespaces/default/workflows/ticket%3Aboard%3AENG-1/" in gate
        assert "approve ENG-1" in gate
        terminal.type("c")
        terminal.wait_for(r"What should be different\?")
        terminal.type("Name the changelog\n")
        assert "cannot read your feedback" in terminal.wait_for(r"Plan, revision 2[\s\S]*Send a Signal")
        terminal.type("c")
        terminal.wait_for(r"What should be different\?")
        terminal.type("And once more\n")
        terminal.wait_for(r"Plan, revision 3[\s\S]*Send a Signal")
        terminal.type("a")
        terminal.wait_for(r"kills its own worker")
        terminal.type("\x03")
        code, rest = terminal.end()
        assert code == 130, rest
        assert str(home / "demo" / "logs") in rest.replace("\r\n", "")
    finally:
        terminal.close()
    assert processes_of(home) == []


def test_decision_from_another_terminal_counts(home: Path) -> None:
    terminal = Terminal(home)
    try:
        terminal.wait_for(r"Plan, revision 1[\s\S]*Send a Signal")
        rejected = subprocess.run(
            [sys.executable, str(ROOT / "starter.py"), "reject", "ENG-1"],
            env=environment(home / "demo"),
            cwd=home,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert rejected.returncode == 0, rejected.stdout + rejected.stderr
        code, rest = terminal.end()
    finally:
        terminal.close()
    assert code == 6, rest
    assert "Declined" in rest
    assert re.search(r"pull requests opened\s+0", rest)


def test_live_run_asks_before_it_spends(home: Path) -> None:
    key = {"PAWL_MODEL": "anthropic:claude-sonnet-4-5", "ANTHROPIC_API_KEY": "not-a-key"}
    terminal = Terminal(home, env=key)
    try:
        assert "$1" in terminal.wait_for(r"Go on\? \[y/N\]")
        terminal.type("n\n")
        code, rest = terminal.end()
    finally:
        terminal.close()
    assert code == 6, rest
    assert "nothing was spent" in rest.replace("\r\n", " ")


def test_second_demo_beside_a_running_one_is_refused(home: Path) -> None:
    terminal = Terminal(home)
    try:
        terminal.wait_for(r"server is ready")
        second = subprocess.run(
            [*COMMAND, "--yes"], env=environment(home), cwd=home, capture_output=True, text=True, timeout=60
        )
        assert second.returncode == 6
        assert "up already" in second.stdout + second.stderr
        terminal.type("\x03")
        assert terminal.end()[0] == 130
    finally:
        terminal.close()
