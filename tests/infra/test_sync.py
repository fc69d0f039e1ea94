"""`pawl sync` and `pawl serve` as typed: what is missing is said, and nobody waits without knowing what for."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.errors import again
from activities.intake import TemporalIntake
from activities.tracker.board import BoardTracker
from infra.exits import Exit
from tests.infra.command_line import pawl, pawl_in_terminal
from workflows import names
from workflows.domain.intake import Terms
from workflows.domain.routes import Route
from workflows.ports.tracker import FindNews, News
from workflows.sync import Sync

CLOSED = "127.0.0.1:1"
ROUTE = "[[routes]]\ntracker = 'board'\nrepository = '/srv/shop'\n"


def test_without_a_tracker_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    said = pawl(tmp_path, "sync")
    assert (said.code, "no tracker to look at" in said.json["error"]["message"]) == (Exit.USAGE, True)


def test_a_tracker_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "connections.toml").write_text(ROUTE)
    said = pawl(tmp_path, "sync", "linear")
    assert said.code == Exit.USAGE
    assert said.json["error"]["next"] == "There is: board."


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "connections.toml").write_text(ROUTE)
    assert pawl(tmp_path, "sync", TEMPORAL_ADDRESS=CLOSED).code == Exit.OUTSIDE


@pytest.mark.parametrize("command", ["serve", "up"])
def test_a_table_that_cannot_be_read_is_told_before_anything_starts(tmp_path: Path, command: str) -> None:
    (tmp_path / "connections.toml").write_text("[connections.linear]\nkey = 'not a variable'\n")
    said = pawl(tmp_path, command)
    assert said.code == Exit.USAGE
    assert "key connections.linear.key" in said.json["error"]["message"]
    assert "not a variable" not in said.out


def test_nobody_is_believed_without_a_secret(tmp_path: Path) -> None:
    said = pawl(tmp_path, "serve")
    assert (said.code, "LINEAR_WEBHOOK_SECRET" in said.json["error"]["next"]) == (Exit.USAGE, True)


class _Away(BoardTracker):
    """Refuses five times; then the board answers."""

    tries = 0

    async def find_news(self, search: FindNews) -> News:
        self.tries += 1
        if self.tries <= 5:
            raise again("The tracker cannot be reached.")
        return await super().find_news(search)


@pytest.mark.server
async def test_a_look_tells_what_stands_in_its_way_and_what_it_found(
    client: Client, tmp_path: Path, temporal_address: str
) -> None:
    (tmp_path / "connections.toml").write_text(ROUTE)
    terms = Terms(routes=(Route(tracker="board", repository="/srv/shop"),), model="a:m")
    intake = TemporalIntake(client, _Away(tmp_path / "board"), terms)
    async with Worker(client, task_queue=names.WORK, workflows=[Sync], activities=intake.activities()):
        said = await asyncio.to_thread(
            pawl_in_terminal, tmp_path, "sync", TEMPORAL_ADDRESS=temporal_address, TERM="dumb"
        )
    assert said.code == 0
    assert "reconcile is being tried again" in said.out
    assert "The tracker cannot be reached." in said.out
    assert "board: nothing to start; passed on 0 changes." in said.out
