"""`pawl events` where nothing runs: whose entries it prints, and what it says without any."""

from pathlib import Path

import pytest

from infra.exits import Exit
from infra.journal import JournalStore
from tests.infra.command_line import pawl
from workflows.ports.journal import Entry, EntryKind

CLOSED = "127.0.0.1:1"


def test_events_of_a_home_without_a_journal(tmp_path: Path) -> None:
    assert pawl(tmp_path, "events", "ENG-1").code == Exit.NOT_FOUND
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ENG-1", ["ENG-1.0a1b2c3d.planner1", "ENG-1.4e5f6a7b.builder1"]),
        ("ENG-1.2", ["ENG-1.2.8c9d0e1f.builder1"]),
        ("ENG-1.4e5f6a7b", ["ENG-1.4e5f6a7b.builder1"]),
        ("ENG-1.2.8c9d0e1f.builder1", ["ENG-1.2.8c9d0e1f.builder1"]),
        ("ENG-2", []),
    ],
)
def test_events_of_a_ticket_are_those_of_its_own_runs(tmp_path: Path, name: str, shown: list[str]) -> None:
    store = JournalStore(f"sqlite:///{tmp_path / 'journal.db'}", tmp_path / "objects")
    sessions = [
        "ENG-1.0a1b2c3d.planner1",
        "ENG-1.2.8c9d0e1f.builder1",
        "ENG-1.4e5f6a7b.builder1",
        "ENG-2.1.8c9d0e1f.fixer1",
    ]
    store.write([Entry(session=session, seq=1, kind=EntryKind.STEER, key="1", body="{}") for session in sessions])
    store.close()
    answer = pawl(tmp_path, "events", name, TEMPORAL_ADDRESS=CLOSED)
    if shown:
        assert [line["session"] for line in answer.lines] == shown
    else:
        assert answer.code == Exit.NOT_FOUND


def test_a_damaged_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"this is not a database, and it is long enough to be read as one")
    answer = pawl(tmp_path, "events", "ENG-1")
    assert answer.code == Exit.OUTSIDE
    assert "not a database" in answer.error["message"]
