"""The audit log: a line for each decision, added once, for its owner only, whatever happened to the file."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from activities.audit.file import FileAudit
from workflows.domain.decision import Action
from workflows.domain.ticket import Phase
from workflows.domain.unattended import AuditEntry


def entry(key: str) -> AuditEntry:
    return AuditEntry(
        key=key,
        at=datetime(2026, 3, 2, 3, tzinfo=UTC),
        ticket="board:T-1",
        identifier="T-1",
        run="r",
        repository="/srv/shop",
        base="b" * 40,
        action=Action.APPROVE,
        phase=Phase.MERGE_GATE,
        subject="c" * 40,
        why="WORKFLOW.md at 12ab34: triage level 4, kind lint\nand {more}",
    )


def keys(file: Path) -> list[str]:
    return [json.loads(line)["key"] for line in file.read_text().splitlines()]


async def test_each_decision_is_a_line_once_also_of_several_workers(tmp_path: Path) -> None:
    file = tmp_path / "home" / "audit.log"
    logs = [FileAudit(file), FileAudit(file)]
    await asyncio.gather(*(logs[number % 2].append_audit(entry(f"k{number // 4}")) for number in range(40)))
    assert sorted(keys(file), key=lambda key: int(key[1:])) == [f"k{number}" for number in range(10)]
    assert file.stat().st_mode & 0o777 == 0o600
    told = json.loads(file.read_text().splitlines()[0])
    assert (told["action"], told["phase"], told["why"]) == ("approve", "Merge gate", entry("k").why)


async def test_what_is_there_is_never_changed(tmp_path: Path) -> None:
    """Half a line that a kill has left, a person's line, bytes that are no text, and a log that was moved away."""
    file = tmp_path / "audit.log"
    log = FileAudit(file)
    await log.append_audit(entry("a"))
    before = file.read_bytes() + b'a note\n\xff\xfe\n["k"]\n{"key": "b", "at'
    file.write_bytes(before)
    await log.append_audit(entry("a"))
    assert file.read_bytes() == before
    await log.append_audit(entry("b"))
    assert file.read_bytes().startswith(before + b"\n")
    assert json.loads(file.read_bytes().splitlines()[-1])["key"] == "b"
    file.rename(tmp_path / "audit.log.1")
    await log.append_audit(entry("c"))
    assert keys(file) == ["c"]
