"""A worker that is killed in the middle of a turn: the next one does what is missing and nothing twice."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.activities.agent.bench import Bench, bench, in_order, says, use
from tests.activities.agent.turn_taker import Start
from workflows.domain.session import TakeTurn, TurnReport
from workflows.ports.journal import EntryKind

ANSWER = says(
    use("bash", command="echo ran >> log.txt; sleep 0.05; wc -l < log.txt"),
    use("edit", path="a.py", old="two", new="two and a half"),
    use("edit", path="b.py", old="", new="new\n"),
    use("view", path="a.py"),
)
BOUNDARIES = [
    "before answer 1",
    "after answer 1",
    "during run 1",
    "before tool 1",
    "after tool 1",
    "after intent 1",
    "after write 1",
    "after tool 2",
    "after write 2",
    "after tool 4",
    "after keep 1",
    "before turn 1",
    "after turn 1",
]


@pytest.fixture(scope="module")
def workers() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.activities.agent.turn_taker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
async def b(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path, in_order(ANSWER)) as made:
        yield made


class Workers:
    """Lives of workers, in processes of their own."""

    def __init__(self, process: subprocess.Popen[str], b: Bench) -> None:
        self._process, self._b = process, b

    async def take(self, turn: TakeTurn, *boundaries: str) -> list[int]:
        """One worker per boundary, all at once: how each ended."""
        b = self._b
        starts = [
            Start(
                folder=b.folder,
                gateway_url=b.gateway.url,
                gateway_secret=b.gateway.secret,
                turn=turn,
                boundary=boundary,
                report=b.folder / f"report-{number}",
            ).model_dump(mode="json")
            for number, boundary in enumerate(boundaries)
        ]
        return await asyncio.to_thread(self._live, json.dumps(starts))

    def _live(self, line: str) -> list[int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def report(self, number: int = 0) -> TurnReport:
        return TurnReport.model_validate_json((self._b.folder / f"report-{number}").read_text())


@pytest.fixture
def lives(workers: subprocess.Popen[str], b: Bench) -> Workers:
    return Workers(workers, b)


async def check(b: Bench, report: TurnReport) -> None:
    """Everything is there once: the paid answer, each effect on the files, each entry of the living sandbox."""
    assert b.provider.total == 1
    assert (b.files / "log.txt").read_text() == "ran\n"
    assert (b.files / "a.py").read_text() == "one\ntwo and a half\n"
    assert (b.files / "b.py").read_text() == "new\n"
    assert report.summary == (
        "bash echo ran >> log.txt; sleep 0.05; wc -l < log.txt: exited 0; edit a.py; edit b.py; view a.py"
    )
    assert report.state is not None
    entries = await b.journal.entries("t.builder1", first=1)
    instance = (b.checkouts.folder("t.work") / "instance").read_text()
    tools = [entry.key for entry in entries if entry.kind is EntryKind.TOOL and entry.key.endswith(instance)]
    assert len(tools) == 4
    assert [entry.kind for entry in entries].count(EntryKind.TURN) == 1
    assert [entry.kind for entry in entries].count(EntryKind.ANSWER) == 1


@pytest.mark.crash
@pytest.mark.parametrize("boundary", BOUNDARIES)
async def test_a_killed_turn_is_finished_by_the_next_worker(b: Bench, lives: Workers, boundary: str) -> None:
    turn = await b.opened()
    assert await lives.take(turn, boundary) == [-signal.SIGKILL]
    assert await lives.take(turn, "") == [0]
    await check(b, lives.report())


@pytest.mark.crash
@pytest.mark.parametrize("boundary", ["after write 1", "after keep 1"])
async def test_a_turn_whose_sandbox_died_with_the_worker_is_run_again_in_a_new_one(
    b: Bench, lives: Workers, boundary: str
) -> None:
    turn = await b.opened()
    assert await lives.take(turn, boundary) == [-signal.SIGKILL]
    shutil.rmtree(b.checkouts.folder("t.work"))
    assert await lives.take(turn, "") == [0]
    await check(b, lives.report())


@pytest.mark.crash
async def test_two_workers_that_take_the_same_turn_at_once_agree(b: Bench, lives: Workers) -> None:
    """One of them was only thought dead."""
    turn = await b.opened()
    assert await lives.take(turn, "", "") == [0, 0]
    assert lives.report(0) == lives.report(1)
    await check(b, lives.report())
