"""`pawl events` where nothing runs: whose entries it prints, and what it says without any."""

import json
from pathlib import Path

import pytest

from infra.exits import Exit
from infra.journal import JournalStore
from tests.infra.command_line import pawl, pawl_in_terminal
from workflows.ports.journal import Entry, EntryKind, egress_entry

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
        ("ENG-3", ["ENG-3.8c9d0e1f.work.prepare", "ENG-3.8c9d0e1f.work", "ENG-3.8c9d0e1f.checks.builder1.checks"]),
        ("ENG-3.4", ["ENG-3.4.8c9d0e1f.work"]),
    ],
)
def test_events_of_a_ticket_are_those_of_its_own_runs(tmp_path: Path, name: str, shown: list[str]) -> None:
    store = JournalStore(f"sqlite:///{tmp_path / 'journal.db'}", tmp_path / "objects")
    sessions = [
        "ENG-1.0a1b2c3d.planner1",
        "ENG-1.2.8c9d0e1f.builder1",
        "ENG-1.4e5f6a7b.builder1",
        "ENG-2.1.8c9d0e1f.fixer1",
        "ENG-3.8c9d0e1f.work.prepare",
        "ENG-3.8c9d0e1f.work",
        "ENG-3.4.8c9d0e1f.work",
        "ENG-3.8c9d0e1f.checks.builder1.checks",
    ]
    store.write([Entry(session=session, seq=1, kind=EntryKind.STEER, key="1", body="{}") for session in sessions])
    store.close()
    answer = pawl(tmp_path, "events", name, TEMPORAL_ADDRESS=CLOSED)
    if shown:
        assert [line["session"] for line in answer.lines] == shown
    else:
        assert answer.code == Exit.NOT_FOUND


REACHED = [
    {
        "n": 1,
        "verb": "CONNECT",
        "host": "pypi.org",
        "port": 443,
        "allowed": True,
        "rule": "pypi.org",
        "address": "1.1.1.1",
    },
    {"n": 2, "verb": "GET", "host": "evil.net", "port": 80, "why": "not named", "allowed": False},
    {"n": 3, "why": "This is no request of HTTP/1.1.", "allowed": False},
    {"n": 1, "sent": 1000, "received": 50_000, "seconds": 1.0, "open": True},
    {
        "n": 4,
        "verb": "CONNECT",
        "host": "pypi.org",
        "port": 443,
        "allowed": True,
        "rule": "pypi.org",
        "address": "1.1.1.1",
    },
    {"n": 2, "times": 10},
    {"n": 1, "sent": 1234, "received": 56_789, "seconds": 2.0},
    {"n": 4, "sent": 0, "received": 2_000_000, "seconds": 2.0, "open": True},
]


def test_what_a_ticket_was_let_reach_is_told(tmp_path: Path) -> None:
    """Also where the proxy died in the middle of a line."""
    store = JournalStore(f"sqlite:///{tmp_path / 'journal.db'}", tmp_path / "objects")
    body = store.keep("\n".join([*map(json.dumps, REACHED), '{"n": 5, "ver']).encode())
    store.write([egress_entry("ENG-1.0a1b2c3d.work", "run:j", "i", body)])
    store.close()
    [line] = pawl(tmp_path, "events", "ENG-1", "--kind", "egress", TEMPORAL_ADDRESS=CLOSED).lines
    assert line["body"] == REACHED
    shown = pawl_in_terminal(tmp_path, "events", "ENG-1", TEMPORAL_ADDRESS=CLOSED).out.splitlines()
    assert [line.strip() for line in shown[1:]] == [
        "allowed CONNECT pypi.org:443 at 1.1.1.1 by pypi.org: sent 1,234 bytes, received 56,789",
        "refused GET evil.net:80 (10 times): not named",
        "refused what cannot be read: This is no request of HTTP/1.1.",
        "allowed CONNECT pypi.org:443 at 1.1.1.1 by pypi.org: sent at least 0 bytes, received at least 2,000,000",
    ]


def test_the_help_names_every_kind_that_tickets_have(tmp_path: Path) -> None:
    named = pawl(tmp_path, "events", "--help").out
    assert all(kind in named for kind in EntryKind if not kind.startswith("image"))


def test_a_damaged_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"this is not a database, and it is long enough to be read as one")
    answer = pawl(tmp_path, "events", "ENG-1")
    assert answer.code == Exit.OUTSIDE
    assert "not a database" in answer.error["message"]
