"""Tickets by command line, on real processes: from a file to a merge, watched, listed, mended."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from temporalio.client import Client

from infra.exits import Exit
from tests.infra.command_line import pawl_in_terminal
from tests.infra.running import POLICY, Up, start_ticket
from tests.repos import commit, make_repository

pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(300)]


def test_a_ticket_goes_from_a_file_to_a_merge_by_command_line(up: Up, tmp_path: Path) -> None:
    started = start_ticket(up, tmp_path, "GREET-1")
    assert started.code == 0
    assert started.json["fresh"]
    assert "/workflows/ticket%3Aboard%3AGREET-1/" in started.json["ui"]
    assert not start_ticket(up, tmp_path, "GREET-1").json["fresh"]

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
    assert start_ticket(up, tmp_path, "MEND-1").code == 0
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
        watching = beside.submit(start_ticket, up, tmp_path, "WATCH-1", "--watch")
        up.until(lambda: up.pawl("show", "WATCH-1").code == 0)
        up.until_phase("WATCH-1", "Plan gate")
        assert up.pawl("reject", "WATCH-1", "not today").code == 0
        told = watching.result(timeout=100).lines
    assert told[0]["fresh"]
    assert any("Planner 1" in line.get("story", "") for line in told)
    assert told[-1] == {"identifier": "WATCH-1", "phase": "Declined", "ended": True}


def test_watching_ends_with_a_ticket_that_was_terminated_in_temporal(up: Up, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as beside:
        watching = beside.submit(start_ticket, up, tmp_path, "WATCH-2", "--watch")
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
        assert start_ticket(up, tmp_path, name).code == 0
        up.until_phase(name, "Plan gate")
        assert up.pawl("reject", name).code == 0
        up.until_phase(name, "Declined")
    (up.home / "board" / "FRESH-1.md").write_text("---\ntitle: Never started\nstatus: Todo\n---\n")
    listed = up.pawl("list", "--limit", "1").json
    cards = {card["identifier"] for card in listed["cards"]}
    assert len(listed["tickets"]) == 1
    assert "FRESH-1" in cards
    assert not cards & {"OLD-1", "OLD-2"}
