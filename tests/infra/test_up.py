"""`pawl up` and the commands beside it, on real processes: a ticket by command line, and every part killed once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra import parts
from infra.exits import Exit
from infra.settings import Settings
from tests.infra.command_line import ROOT, environment
from tests.infra.running import KEY, Up, start_ticket

pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(300)]


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_doctor_finds_everything_well(up: Up) -> None:
    answer = up.pawl("doctor")
    assert answer.code == 0
    health = {finding["check"]: finding["health"] for finding in answer.json["findings"]}
    running = ("sandbox", "temporal server", "search attributes", "worker", "gateway")
    assert {check: health[check] for check in running} == dict.fromkeys(running, "ok")


def test_what_pawl_makes_in_a_home_that_is_open_is_closed(up: Up, tmp_path: Path) -> None:
    assert start_ticket(up, tmp_path, "SECRET-1").code == 0
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
    assert [part for part, told in sees.items() if told] == ["gateway"]
    logs = "".join(log.read_text() for log in (up.home / "logs").glob("*.log"))
    assert KEY not in logs


def test_only_the_gateway_is_told_where_the_receipts_are(tmp_path: Path) -> None:
    """Also where the address, which may hold a password, is a setting that was set."""
    settings = Settings(home=tmp_path, gateway_db_url="postgresql://pawl:secret@db/receipts")
    sees = {part: "PAWL_GATEWAY_DB_URL" in parts.environment(settings, part, {}) for part in parts.Part}
    assert [part for part, told in sees.items() if told] == ["gateway"]


@pytest.mark.parametrize("part", ["gateway", "server", "worker"])
def test_a_killed_part_comes_back_and_the_ticket_is_still_there(up: Up, tmp_path: Path, part: str) -> None:
    ticket = f"KILL-{part}"
    start_ticket(up, tmp_path, ticket)
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


def test_a_connection_without_its_key_is_said_and_the_rest_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "connections.toml").write_text('[connections.slack]\nbot_token_env = "ACME_SLACK_BOT"\n')
    argv = [sys.executable, str(ROOT / "starter.py"), "up"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment(home), text=True) as running:
        assert running.stdout is not None
        try:
            said = next(json.loads(line)["out_of_use"] for line in running.stdout if '{"out_of_use"' in line)
            assert any('{"up"' in line for line in running.stdout)
        finally:
            running.terminate()
    assert (said["connection"], said["why"]) == ("slack", "The connection slack has no key.")
    assert said["next"] == "Set ACME_SLACK_BOT, then start Pawl again."
    assert "The connection slack is out of use" in (home / "logs" / "worker.log").read_text()
