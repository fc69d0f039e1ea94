"""The moment for the kill: a builder's command runs, its answer is bought, its turn has no end."""

from pathlib import Path

import pytest

from infra.demo.watch import command_under_way
from infra.journal import JournalStore
from workflows.ports.journal import Entry, EntryKind

BASH = '[{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"bash","args":"{}"}]}]'
EDIT = '[{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"edit","args":"{}"}]}]'


def entry(session: str, seq: int, kind: EntryKind, body: str) -> Entry:
    return Entry(session=f"ENG-1.12345678.{session}", seq=seq, kind=kind, key=f"{kind}-{seq}", body=body)


@pytest.mark.parametrize(
    ("entries", "turn"),
    [
        ([], None),
        ([entry("builder1", 1, EntryKind.ANSWER, EDIT)], None),
        ([entry("builder1", 3, EntryKind.ANSWER, BASH)], 3),
        ([entry("builder1", 3, EntryKind.ANSWER, BASH), entry("builder1", 3, EntryKind.TURN, "{}")], None),
        ([entry("builder1", 3, EntryKind.ANSWER, BASH), entry("builder2", 3, EntryKind.TURN, "{}")], 3),
        ([entry("fixer1", 3, EntryKind.ANSWER, BASH)], None),
    ],
)
def test_moment(tmp_path: Path, entries: list[Entry], turn: int | None) -> None:
    journal = JournalStore(f"sqlite:///{tmp_path / 'journal.db'}", tmp_path / "objects")
    journal.write(entries)
    found = command_under_way(journal)
    assert (found.seq if found else None) == turn
    journal.close()
