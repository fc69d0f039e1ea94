"""`pawl up` and the commands beside it, on real processes: a ticket by command line, and every part killed once."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from infra import stack
from infra.exits import Exit
from infra.settings import Settings
from tests.infra.command_line import ROOT, Answer, environment, pawl, pawl_in_terminal
from tests.repos import commit, make_repository

pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(300)]

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
        deadline = time.monotonic() + seconds
        while True:
            seen = self.pawl("show", ticket).json
            if seen["ticket"]["phase"] == phase:
                return seen
            assert time.monotonic() < deadline, seen


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    home, heard = folder / "home", folder / "up.jsonl"
    home.mkdir()
    home.chmod(0o755)  # somebody made it before Pawl, as folders are made
    with heard.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "starter.py"), "up"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(home, ANTHROPIC_API_KEY=KEY),
            text=True,
        )
    running = Up(home, process, heard, _tape(folder / "tape.jsonl"))
    try:
        running.until(lambda: '{"up"' in heard.read_text(), seconds=200)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=60)


def _tape(path: Path) -> Path:
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


def _start(up: Up, folder: Path, name: str, *options: str) -> Answer:
    card = folder / f"{name}.md"
    card.write_text("---\ntitle: Add a greeting\n---\nPlease write hello.txt.\n")
    repository = folder / f"{name}-repository"
    if not repository.exists():
        make_repository(repository, {"WORKFLOW.md": POLICY})
    return up.pawl("run", str(card), "--repo", str(repository), "--tape", str(up.tape), *options)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_ticket_goes_from_a_file_to_a_merge_by_command_line(up: Up, tmp_path: Path) -> None:
    started = _start(up, tmp_path, "GREET-1")
    assert started.code == 0
    assert started.json["fresh"]
    assert "/workflows/ticket%3Aboard%3AGREET-1/" in started.json["ui"]
    assert not _start(up, tmp_path, "GREET-1").json["fresh"]

    gate = up.until_phase("GREET-1", "Plan gate")
    subject = gate["status"]["subject"]
    assert [line["identifier"] for line in up.pawl("list", "--waiting").json["tickets"]] == ["GREET-1"]
    seen = pawl_in_terminal(up.home, "show", "GREET-1", TERM="dumb")
    assert f"pawl approve GREET-1 --of {subject}" in seen.out

    stale = up.pawl("approve", "GREET-1", "--of", "0000000")
    assert (stale.code, "Stale" in stale.error["message"]) == (Exit.REFUSED, True)
    assert up.pawl("answer", "GREET-1", "yes", "--dry-run").code == Exit.REFUSED
    assert "Would be accepted" in up.pawl("approve", "GREET-1", "--dry-run").json["answer"]
    tokens = up.pawl("top-up", "GREET-1", "--tokens", "5", "--dry-run")
    assert (tokens.code, "Tokens would change nothing" in tokens.error["message"]) == (Exit.REFUSED, True)
    assert up.pawl("approve", "GREET-1", "--of", subject, "--by", "Ada").code == 0

    up.until_phase("GREET-1", "Merge gate")
    assert up.pawl("approve", "GREET-1").code == 0
    done = up.until_phase("GREET-1", "Done")
    assert done["outcome"]["approved_by"] == "Ada"
    assert done["outcome"]["pull_request"]["merged_sha"]
    assert done["bill"]["calls_bought_twice"] == 0
    assert done["bill"]["spend"]["turns"] == 4
    assert sorted(spend["turns"] for spend in done["sessions"].values()) == [1, 1, 2]
    seen = pawl_in_terminal(up.home, "show", "GREET-1", TERM="dumb")
    assert re.search(r"Session +Turns +Tokens +Spent +On the tape +Ended", seen.out)
    assert re.search(r"reviewer1 +1 +18 +\$0\.00 +\$0\.0002 +submitted", seen.out)
    over = up.pawl("abort", "GREET-1")
    assert (over.code, "has ended" in over.error["message"]) == (Exit.REFUSED, True)

    turns = up.pawl("events", "GREET-1", "--kind", "turn").lines
    assert len(turns) == 4
    builder = turns[1]["session"]
    second = up.pawl("events", builder, "--from", "2", "--to", "2").lines
    assert {entry["seq"] for entry in second} == {2}
    assert "answer" in {entry["kind"] for entry in second}


def test_a_policy_mended_on_the_base_branch_is_seen_after_a_resume(up: Up, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "MEND-1-repository", {"WORKFLOW.md": "---\npawl: {chekcs: [a]}\n---\n"})
    assert _start(up, tmp_path, "MEND-1").code == 0
    blocked = up.until_phase("MEND-1", "Blocked")
    assert "chekcs" in blocked["status"]["waiting_for"]
    commit(repository, {"WORKFLOW.md": POLICY}, "Mend the policy")
    assert up.pawl("resume", "MEND-1").code == 0
    up.until_phase("MEND-1", "Plan gate")
    assert up.pawl("reject", "MEND-1").code == 0
    up.until_phase("MEND-1", "Declined")


def test_a_card_that_was_not_started_and_a_ticket_that_is_nowhere(up: Up) -> None:
    board = up.home / "board"
    board.mkdir(exist_ok=True)
    (board / "LATER-1.md").write_text("---\ntitle: Another day\nstatus: Todo\n---\n")
    assert up.pawl("show", "LATER-1").json["card"]["title"] == "Another day"
    assert "LATER-1" in [card["identifier"] for card in up.pawl("list").json["cards"]]
    nowhere = up.pawl("show", "NOWHERE-1")
    assert (nowhere.code, nowhere.error["kind"]) == (Exit.NOT_FOUND, "not_found")
    assert up.pawl("pause", "NOWHERE-1").code == Exit.NOT_FOUND


def test_watching_a_run_tells_its_story_to_the_end(up: Up, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as beside:
        watching = beside.submit(_start, up, tmp_path, "WATCH-1", "--watch")
        up.until(lambda: up.pawl("show", "WATCH-1").code == 0)
        up.until_phase("WATCH-1", "Plan gate")
        assert up.pawl("reject", "WATCH-1", "not today").code == 0
        told = watching.result(timeout=100).lines
    assert told[0]["fresh"]
    assert any("Planner 1" in line.get("story", "") for line in told)
    assert told[-1] == {"identifier": "WATCH-1", "phase": "Declined", "ended": True}


def test_watching_ends_with_a_ticket_that_was_terminated_in_temporal(up: Up, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as beside:
        watching = beside.submit(_start, up, tmp_path, "WATCH-2", "--watch")
        up.until(lambda: up.pawl("show", "WATCH-2").code == 0)
        up.until_phase("WATCH-2", "Plan gate")
        asyncio.run(_terminate(up, "ticket:board:WATCH-2"))
        told = watching.result(timeout=100).lines
    assert told[-1] == {"identifier": "WATCH-2", "phase": "Terminated", "ended": True}


async def _terminate(up: Up, workflow_id: str) -> None:
    client = await Client.connect(json.loads((up.home / "stack.json").read_text())["temporal"])
    await client.get_workflow_handle(workflow_id).terminate()


def test_a_list_cut_short_does_not_call_older_tickets_never_started(up: Up, tmp_path: Path) -> None:
    for name in ("OLD-1", "OLD-2"):
        assert _start(up, tmp_path, name).code == 0
        up.until_phase(name, "Plan gate")
        assert up.pawl("reject", name).code == 0
        up.until_phase(name, "Declined")
    (up.home / "board" / "FRESH-1.md").write_text("---\ntitle: Never started\nstatus: Todo\n---\n")
    listed = up.pawl("list", "--limit", "1").json
    cards = {card["identifier"] for card in listed["cards"]}
    assert len(listed["tickets"]) == 1
    assert "FRESH-1" in cards
    assert not cards & {"OLD-1", "OLD-2"}


def test_doctor_finds_everything_well(up: Up) -> None:
    answer = up.pawl("doctor")
    assert answer.code == 0
    health = {finding["check"]: finding["health"] for finding in answer.json["findings"]}
    running = ("sandbox", "temporal server", "search attributes", "worker", "gateway")
    assert {check: health[check] for check in running} == dict.fromkeys(running, "ok")


def test_what_pawl_makes_in_a_home_that_is_open_is_closed(up: Up, tmp_path: Path) -> None:
    assert _start(up, tmp_path, "SECRET-1").code == 0
    up.until_phase("SECRET-1", "Plan gate")
    assert up.pawl("reject", "SECRET-1").code == 0
    up.until_phase("SECRET-1", "Declined")
    open_to_others = {path.name for path in up.home.iterdir() if path.stat().st_mode & 0o077}
    made = {path.name for path in up.home.iterdir()}
    assert {"board", "forge", "clones", "objects", "sandboxes", "logs", "journal.db", "gateway.db"} <= made
    assert {"temporal.db", "gateway.secret", "notes.log"} <= made
    assert open_to_others == set()
    inside = [up.home / "board" / "SECRET-1.md", *(up.home / "forge").rglob("*"), *(up.home / "objects").rglob("*")]
    assert [path for path in inside if path.is_file() and path.stat().st_mode & 0o077] == []
    assert up.home.stat().st_mode & 0o777 == 0o755, "a folder that was there stays as it was"
    [found] = [one for one in up.pawl("doctor").json["findings"] if one["check"] == "home"]
    assert (found["health"], found["fix"]) == ("note", f"chmod 700 {up.home}")


def test_a_second_up_in_the_same_home_says_so_and_stops(up: Up) -> None:
    second = up.pawl("up")
    assert second.code == Exit.REFUSED
    assert str(up.process.pid) in second.error["message"]
    assert up.pids()


def test_only_the_gateway_sees_keys(up: Up) -> None:
    sees = {part: KEY.encode() in Path(f"/proc/{pid}/environ").read_bytes() for part, pid in up.pids().items()}
    assert sees == {"server": False, "gateway": True, "worker": False}
    logs = "".join(log.read_text() for log in (up.home / "logs").glob("*.log"))
    assert KEY not in logs


def test_only_the_gateway_is_told_where_the_receipts_are(tmp_path: Path) -> None:
    """Also where the address, which may hold a password, is a setting that was set."""
    settings = Settings(home=tmp_path, gateway_db_url="postgresql://pawl:secret@db/receipts")
    sees = {part: "PAWL_GATEWAY_DB_URL" in stack.environment(settings, part, {}) for part in stack.Part}
    assert sees == {"server": False, "gateway": True, "worker": False}


@pytest.mark.parametrize("part", ["gateway", "server", "worker"])
def test_a_killed_part_comes_back_and_the_ticket_is_still_there(up: Up, tmp_path: Path, part: str) -> None:
    ticket = f"KILL-{part}"
    _start(up, tmp_path, ticket)
    up.until_phase(ticket, "Plan gate")
    before, heard = up.pids()[part], len(up.events())
    os.kill(before, signal.SIGKILL)
    up.until(lambda: any(event.get("what") == "ready" for event in up.events()[heard:]))
    after = up.events()[heard:]
    assert [event["what"] for event in after] == ["died", "started", "ready"]
    assert (after[0]["pid"], after[0]["how"], after[0]["part"]) == (before, "SIGKILL", part)
    assert up.pids()[part] == after[1]["pid"] != before
    assert up.pawl("approve", ticket).code == 0
    up.until_phase(ticket, "Merge gate")
    assert up.pawl("reject", ticket, "only a test").code == 0
    up.until_phase(ticket, "Declined")


def test_told_to_stop_it_drains_worker_gateway_server_and_leaves_nothing(up: Up) -> None:
    pids = up.pids()
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(timeout=60) == 0
    stopped = [event["part"] for event in up.events() if event.get("what") == "stopped"]
    assert stopped == ["worker", "gateway", "server"]
    assert all(_is_gone(pid) for pid in pids.values())
    assert not (up.home / "stack.json").exists()


def test_a_killed_supervisor_takes_the_server_along_and_frees_the_home(tmp_path: Path) -> None:
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, str(ROOT / "starter.py"), "server"],
            stdout=subprocess.PIPE,
            env=environment(tmp_path / "home"),
            text=True,
        ) as supervisor:
            assert supervisor.stdout is not None
            line = next(line for line in supervisor.stdout if '{"up"' in line)
            pid = json.loads(line)["up"]["pids"]["server"]
            assert not _is_gone(pid)
            supervisor.kill()
            supervisor.wait()
        deadline = time.monotonic() + 20
        while not _is_gone(pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)
