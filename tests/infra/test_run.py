"""`pawl run` beside a server without a worker: what it says of a ticket that is or is not under way."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.infra.command_line import Answer, pawl, pawl_in_terminal
from tests.repos import make_repository

MODEL = ("--model", "openai:gpt-5")


@pytest.fixture
def ticket(tmp_path: Path) -> Path:
    """A file with a title that a terminal could take for its own markup."""
    file = make_repository(tmp_path / "shop", {"shop.py": ""}) / f"T-{uuid4().hex[:12]}.md"
    file.write_text("# Fix [/red] and list[int]\n\nPlease.\n")
    return file


def in_terminal(ticket: Path, *options: str, server: str = "127.0.0.1:1") -> Answer:
    run = ("run", str(ticket), "--repo", str(ticket.parent), *options)
    return pawl_in_terminal(ticket.parent / "home", *run, TEMPORAL_ADDRESS=server, TERM="dumb")


def test_a_dry_run_needs_no_server_and_shows_a_title_as_it_is(ticket: Path) -> None:
    seen = in_terminal(ticket, *MODEL, "--dry-run")
    assert seen.code == 0
    assert f"Would start {ticket.stem} Fix [/red] and list[int] on {ticket.parent}." in seen.out


@pytest.mark.server
def test_a_ticket_that_is_under_way_is_said_so_without_a_model_of_this_run(ticket: Path, temporal_address: str) -> None:
    dry_run = ("run", str(ticket), "--repo", str(ticket.parent), *MODEL, "--dry-run")
    for under_way in (False, True):
        answer = pawl(ticket.parent / "home", *dry_run, TEMPORAL_ADDRESS=temporal_address)
        assert answer.json["under_way"] is under_way
        seen = in_terminal(ticket, *MODEL, "--detach", server=temporal_address)
        assert (seen.code, "openai:gpt-5" in seen.out) == (0, not under_way)
    assert f"Already under way: {ticket.stem} Fix [/red] and list[int]" in seen.out
    seen = in_terminal(ticket, *MODEL, "--dry-run", server=temporal_address)
    assert "is under way already: nothing would be started." in seen.out
