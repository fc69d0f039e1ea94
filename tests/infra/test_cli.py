"""`pawl` where nothing runs: it says what is wrong and what to do, in words or in JSON, and never hangs."""

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra import board
from infra.console import safe
from infra.exits import Exit
from tests.infra.command_line import ROOT, environment, pawl, pawl_in_terminal
from tests.repos import make_repository

COMMANDS = [
    *("demo", "init", "up", "run", "list", "show", "events"),
    *("approve", "request-changes", "reject", "answer", "steer", "pause", "resume", "top-up", "take-over", "abort"),
    *("doctor", "server", "gateway", "worker", "serve", "sync"),
]
LOOPS = ["triage", "sweep", "list", "pause", "resume", "trigger", "backfill", "delete"]
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]")
CLOSED = "127.0.0.1:1"


@contextmanager
def silent_server() -> Generator[str]:
    """An address where connections are taken and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []
        threading.Thread(target=lambda: _take_all(listener, taken), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()


def _take_all(listener: socket.socket, taken: list[socket.socket]) -> None:
    while True:
        try:
            taken.append(listener.accept()[0])
        except OSError:
            return


def test_help_lists_every_command_in_the_order_people_meet_them(tmp_path: Path) -> None:
    said = pawl(tmp_path, "--help")
    assert said.code == 0
    listed = re.findall(r"^  ([a-z-]+)  ", said.out.partition("Commands:")[2], re.MULTILINE)
    assert listed == [*COMMANDS, "schedule"]


@pytest.mark.parametrize("command", [*COMMANDS, *(f"schedule {verb}" for verb in LOOPS)])
def test_every_command_explains_itself_and_speaks_json(tmp_path: Path, command: str) -> None:
    said = pawl(tmp_path, *command.split(), "--help")
    assert said.code == 0
    assert "--json" in said.out
    assert "Usage: pawl" in said.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lst"], "No such command"),
        (["run", "ENG-1"], "--repo"),
        (["approve"], "TICKET"),
        (["answer", "ENG-1"], "NOTE"),
        (["top-up", "ENG-1", "--usd", "x"], "dollars above 0"),
        (["top-up", "ENG-1", "--usd", "-1"], "dollars above 0"),
        (["top-up", "ENG-1", "--usd", "1e400"], "more than 1,000,000 dollars"),
        (["top-up", "ENG-1"], "--usd, --tokens or both"),
        (["top-up", "ENG-1", "--tokens", "0"], "--tokens"),
        (["events", "x", "--from", "-1"], "--from"),
        (["events", ""], "empty"),
        (["show", " "], "empty"),
        (["steer", "", "Hurry."], "empty"),
        (["show", "caf\udce9"], "Argument 2 is not UTF-8"),
        (["steer", "ENG-1", "caf\udce9"], "Argument 3 is not UTF-8"),
        (["steer", "ENG-1", "x" * 10_001], "note cannot be used"),
        (["approve", "ENG-1", "--of", "a"], "at least the first 7 digits"),
    ],
)
def test_a_mistyped_command_is_answered_with_usage(tmp_path: Path, arguments: list[str], said: str) -> None:
    answer = pawl(tmp_path, *arguments)
    assert answer.code == Exit.USAGE
    assert said in answer.error["message"]
    assert answer.error["code"] == Exit.USAGE


@pytest.mark.server
@pytest.mark.parametrize("name", ["a\\", "it's", "a\\' OR PawlTicket != '"])
def test_a_name_is_only_a_name(tmp_path: Path, temporal_address: str, name: str) -> None:
    answer = pawl(tmp_path, "show", name, TEMPORAL_ADDRESS=temporal_address)
    assert answer.code == Exit.NOT_FOUND, answer.out


@pytest.mark.parametrize(
    "arguments", [["list"], ["show", "ENG-1"], ["approve", "ENG-1"], ["top-up", "ENG-1", "--usd", "5"]]
)
def test_without_a_server_the_next_step_is_said(tmp_path: Path, arguments: list[str]) -> None:
    answer = pawl(tmp_path, *arguments, TEMPORAL_ADDRESS=CLOSED)
    assert answer.code == Exit.OUTSIDE
    assert CLOSED in answer.error["message"]
    assert "pawl up" in answer.error["next"]


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with silent_server() as address:
        answer = pawl(tmp_path, "list", TEMPORAL_ADDRESS=address)
    assert answer.code == Exit.OUTSIDE
    assert "no answer" in answer.error["message"]


def test_people_get_words_and_colours_and_no_traceback(tmp_path: Path) -> None:
    seen = pawl_in_terminal(tmp_path, "list", TEMPORAL_ADDRESS=CLOSED, TERM="xterm")
    assert seen.code == Exit.OUTSIDE
    assert "cannot be reached" in seen.out
    assert COLOUR.search(seen.out)
    assert "Traceback" not in seen.out


def test_no_color_is_respected_and_debug_shows_where(tmp_path: Path) -> None:
    seen = pawl_in_terminal(tmp_path, "list", "--debug", TEMPORAL_ADDRESS=CLOSED, TERM="xterm", NO_COLOR="1")
    assert not COLOUR.search(seen.out)
    assert "Traceback" in seen.out


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "shop", {"shop.py": ""})


def test_a_ticket_that_is_nowhere_is_not_found(tmp_path: Path, shop: Path) -> None:
    answer = pawl(tmp_path, "run", "ENG-9", "--repo", str(shop), "--model", "anthropic:x", "--dry-run")
    assert answer.code == Exit.NOT_FOUND
    assert "ENG-9" in answer.error["message"]


def test_a_run_needs_a_model_and_a_readable_tape(tmp_path: Path, shop: Path) -> None:
    card = shop / "greet.md"
    card.write_text("# Add a greeting\n\nPlease.\n")
    run = ("run", str(card), "--repo", str(shop), "--dry-run")
    assert "No model is named" in pawl(tmp_path, *run).error["message"]
    tape = tmp_path / "tape.jsonl"
    tape.write_text('{"tape": 1}\n')
    broken = pawl(tmp_path, *run, "--tape", str(tape))
    assert broken.code == Exit.USAGE
    assert "line 1" in broken.error["message"]


def test_a_dry_run_says_what_it_would_start_and_leaves_no_trace(tmp_path: Path, shop: Path) -> None:
    home, card = tmp_path / "home", shop / "greet.md"
    card.write_text("# Add a greeting\n\nPlease.\n")
    answer = pawl(
        home, "run", "greet.md", "--repo", ".", "--model", "openai:gpt-5", "--budget", "2", "--dry-run", cwd=shop
    )
    assert answer.code == 0
    order = answer.json["order"]
    assert (order["identifier"], order["title"], order["usd"]) == ("greet", "Add a greeting", "2")
    assert order["repository"] == str(shop)
    assert not home.exists()


def test_a_dry_run_refuses_what_a_run_would_refuse(tmp_path: Path, shop: Path) -> None:
    home, card = tmp_path / "home", shop / "greet.md"
    run = ("run", "--repo", ".", "--model", "openai:gpt-5", "--dry-run")
    card.write_text("# Add a greeting\n\nPlease.\n")
    (shop / "no such id.md").write_text("# Add a greeting\n")
    assert pawl(home, *run, "no such id.md", cwd=shop).code == Exit.USAGE
    board.create_ticket(home / "board", "greet", "Something else", "Quite another ticket.")
    taken = pawl(home, *run, "greet.md", cwd=shop)
    assert (taken.code, "another ticket greet already" in taken.error["message"]) == (Exit.REFUSED, True)


def test_what_a_file_says_in_its_front_matter_reaches_the_board(tmp_path: Path, shop: Path) -> None:
    home, card = tmp_path / "home", shop / "greet.md"
    card.write_text("---\ntitle: 404\nlabels: [bug, urgent]\n---\nPlease.\n\n## Comments\n\nAda: soon.\n")
    run = ("run", "greet.md", "--repo", ".", "--model", "openai:gpt-5")
    assert pawl(home, *run, cwd=shop, TEMPORAL_ADDRESS="127.0.0.1:1").code == Exit.OUTSIDE
    there = board.read(home / "board", "greet")
    assert (there.title, there.labels) == ("404", ("bug", "urgent"))
    assert pawl(home, *run, cwd=shop, TEMPORAL_ADDRESS="127.0.0.1:1").code == Exit.OUTSIDE, "the same file again"
    card.write_text("---\ntitle: 404\nlabels: {a: 1}\n---\nPlease.\n")
    refused = pawl(home, *run, "--dry-run", cwd=shop)
    assert (refused.code, "line 3: The labels cannot be read" in refused.error["message"]) == (Exit.USAGE, True)


def test_a_file_that_cannot_become_a_card_is_refused_before_anything_is_written(tmp_path: Path, shop: Path) -> None:
    home, run = tmp_path / "home", ("run", "--repo", ".", "--model", "openai:gpt-5")
    (shop / "README.md").write_text("# Add a greeting\n\nPlease.\n")
    (shop / "long.md").write_text("# Add a greeting\n\n" + "Please. " * 80_000)
    for name, said in (("README.md", "leaves a README to people"), ("long.md", "500,000 may be used")):
        for more in ((), ("--dry-run",)):
            refused = pawl(home, *run, name, *more, cwd=shop)
            assert (refused.code, said in refused.error["message"]) == (Exit.USAGE, True)
    assert not list((home / "board").glob("*.md"))


@pytest.mark.parametrize("status", ["Done", "Someday", "merge gate"])
def test_a_file_that_says_it_is_elsewhere_than_in_todo_starts_nothing(tmp_path: Path, shop: Path, status: str) -> None:
    home, card = tmp_path / "home", shop / "greet.md"
    card.write_text(f"---\ntitle: A greeting\nstatus: {status}\n---\nPlease.\n")
    run = ("run", str(card), "--repo", str(shop), "--model", "openai:gpt-5")
    for refused in (pawl(home, *run), pawl(home, *run, "--dry-run")):
        assert refused.code == Exit.REFUSED
        assert f"says status: {status}" in refused.error["message"]
        assert "write status: Todo" in refused.error["next"]
    assert not (home / "board").exists()
    card.write_text("---\ntitle: A greeting\nstatus: to do\n---\nPlease.\n")
    assert pawl(home, *run, "--dry-run").code == 0


@pytest.mark.parametrize(
    ("repository", "code", "said"),
    [
        ("nowhere", Exit.NOT_FOUND, "There is no repository 'nowhere'."),
        ("", Exit.NOT_FOUND, "There is no repository ''."),
        ("https://ada:sesame@example.org/shop.git", Exit.USAGE, "holds a password"),
    ],
)
def test_a_repository_that_cannot_be_one_starts_nothing(tmp_path: Path, repository: str, code: Exit, said: str) -> None:
    home, card = tmp_path / "home", tmp_path / "greet.md"
    card.write_text("# Add a greeting\n\nPlease.\n")
    answer = pawl(home, "run", str(card), "--repo", repository, "--model", "openai:gpt-5")
    assert (answer.code, said in answer.error["message"]) == (code, True)
    assert "sesame" not in str(answer.error)
    assert not (home / "board").exists()


def test_ctrl_c_ends_a_command_quietly(tmp_path: Path) -> None:
    with silent_server() as address:
        running = subprocess.Popen(
            [sys.executable, str(ROOT / "starter.py"), "list"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path, TEMPORAL_ADDRESS=address),
        )
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(timeout=4)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == Exit.INTERRUPTED
    assert (out, "Traceback" in err) == ("", False)


def test_text_of_unknown_origin_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in safe("a\x1b[2Jb\x9b31mc\u202ed\re")
    assert safe("[bold]x[/]\n\tÄ é 漢") == "\\[bold]x\\[/]\n\tÄ é 漢"


def test_the_manual_lists_every_command_and_every_exit_code() -> None:
    manual = (ROOT / "docs" / "operate" / "cli.md").read_text()
    codes = re.findall(r"^\| (\d+) \| `(\w+)` \|", manual, re.MULTILINE)
    assert codes == [(str(int(code)), code.name.lower()) for code in Exit]
    assert not [command for command in COMMANDS if f"`pawl {command}" not in manual and f"`{command}`" not in manual]
