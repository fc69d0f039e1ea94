"""The folder board: what people may write, how it survives, and how their moves are noticed."""

import asyncio
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from infra import board, cards
from infra.board import BadCard, BoardChange, CardMissing, HeldByAnother
from workflows.domain.ticket import Phase

CARD = """---
# what this is about
title: "Fix the login: loop"   # keep short
estimate: 3
status: todo
labels:
  - bug    # really
---
It loops.

```
## Comments
not here
```

## Comments

Ada: I saw it, too.
"""


def put(folder: Path, text: str, name: str = "T-1.md") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def test_what_people_wrote_survives_what_pawl_writes(tmp_path: Path) -> None:
    file = put(tmp_path, CARD)
    board.claim(tmp_path, "T-1", "acc.1", None)
    board.move(tmp_path, "T-1", Phase.PLAN_GATE)
    board.comment(tmp_path, "T-1", "plan1", "The plan.")
    assert (
        file.read_text()
        == CARD.replace("status: todo", "status: Plan gate")
        .replace("  - bug    # really\n", "  - bug    # really\nclaimed_by: acc.1\nversion: 4\n")
        .rstrip()
        + "\n\n<!-- pawl:plan1 -->\nThe plan.\n"
    )
    ticket = board.read(tmp_path, "T-1")
    assert ticket.body == "It loops.\n\n```\n## Comments\nnot here\n```"
    assert (ticket.title, ticket.labels, ticket.version) == ("Fix the login: loop", ("bug",), 4)


def test_windows_line_ends_survive(tmp_path: Path) -> None:
    file = put(tmp_path, CARD.replace("\n", "\r\n"))
    board.comment(tmp_path, "T-1", "k", "one\ntwo")
    assert file.read_bytes().endswith(b"<!-- pawl:k -->\r\none\r\ntwo\r\n")
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")
    assert board.read(tmp_path, "T-1").body.startswith("It loops.\n")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("# Just notes\n", 1, "title: ..., status: Todo"),
        ("---\ntitle: x\nstatus: Todo\n", 1, "Write --- on a line of its own"),
        ("---\ntitle: x\nlabels: [a\nstatus: Todo\n---\n", 4, "not YAML"),
        ("---\ntitle: x\ntitle: y\n---\n", 3, "duplicate key"),
        ("---\ntitle: x\n---\n", 1, "status: Todo"),
        ("---\nstatus: Todo\n---\n", 1, "title: What is wanted"),
        ("---\nstatus: Todo\ntitle:\n  a: b\n---\n", 3, "title: What is wanted"),
        ("---\ntitle: x\nstatus: Todo\nlabels: {a: b}\n---\n", 4, "labels: [one, two]"),
        ("---\n- title\n---\n", 2, "key: value"),
        ("---\ntitle: \x00\n---\n", 2, "not YAML"),
        ("---\n" + "[" * 5_000 + "\n---\n", 2, "not YAML"),
    ],
)
def test_a_card_that_cannot_be_read_says_where_and_what_to_write(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    file = put(tmp_path, text)
    with pytest.raises(BadCard) as caught:
        board.read(tmp_path, "T-1")
    assert str(caught.value).startswith(f"{file}, line {line}: ")
    assert says in str(caught.value)
    assert file.read_text() == text


def test_a_card_that_is_not_utf8_says_so(tmp_path: Path) -> None:
    (tmp_path / "T-1.md").write_bytes("---\ntitle: x\nstatus: Todo\n---\ncafé".encode("latin-1"))
    with pytest.raises(BadCard, match="line 5: The file is not UTF-8"):
        board.read(tmp_path, "T-1")


def test_values_people_write_without_quotes_are_text(tmp_path: Path) -> None:
    put(tmp_path, "---\ntitle: 404\nstatus: DONE\nlabels: one, two\n---\n")
    ticket = board.read(tmp_path, "T-1")
    assert (ticket.title, ticket.status, ticket.labels) == ("404", Phase.DONE, ("one", "two"))


def test_the_list_names_what_it_cannot_read(tmp_path: Path) -> None:
    board.create_ticket(tmp_path, "T-2", "Second", "text")
    put(tmp_path, CARD)
    put(tmp_path, "broken", "T-3.md")
    put(tmp_path, "# How to use this board\n", "README.md")
    put(tmp_path, "draft", ".T-4.md.swp")
    listing = board.list_tickets(tmp_path)
    assert [ticket.identifier for ticket in listing.tickets] == ["T-1", "T-2"]
    assert [bad.ticket_id for bad in listing.unreadable] == ["T-3"]
    assert board.list_tickets(tmp_path / "absent") == ([], [])


def test_a_new_card_never_replaces_another(tmp_path: Path) -> None:
    board.create_ticket(tmp_path, "T-1", "First")
    with pytest.raises(FileExistsError, match="T-1 already"):
        board.create_ticket(tmp_path, "T-1", "Second")
    with pytest.raises(ValueError, match="cannot be a ticket id"):
        board.create_ticket(tmp_path, "../T-1", "Third")
    assert board.read(tmp_path, "T-1").title == "First"


def test_the_card_alone_carries_claim_and_version_to_another_machine(tmp_path: Path) -> None:
    board.create_ticket(tmp_path / "here", "T-1", "First")
    claimed = board.claim(tmp_path / "here", "T-1", "a", None)
    put(tmp_path, (tmp_path / "here" / "T-1.md").read_text())
    assert board.read(tmp_path, "T-1").version == claimed.version
    with pytest.raises(HeldByAnother):
        board.claim(tmp_path, "T-1", "b", None)


def test_a_crash_between_noting_and_writing_leaves_the_card_as_it_was(tmp_path: Path) -> None:
    """Made by hand: the note that a write is coming exists, the write does not."""
    board.create_ticket(tmp_path, "T-1", "First")
    before = board.read(tmp_path, "T-1")
    note = tmp_path / ".pawl" / "T-1.json"
    note.write_text(note.read_text().replace('"next_digest":""', '"next_digest":"abc"'))
    assert board.read(tmp_path, "T-1") == before
    put(tmp_path, (tmp_path / "T-1.md").read_text().replace("Todo", "Cancelled"))
    assert board.read(tmp_path, "T-1").version == before.version + 1


_RACE = """
import sys
from pathlib import Path
from infra import board, cards
folder, me = Path(sys.argv[1]), sys.argv[2]
while not (folder / "go").exists():
    pass
for n in range(10):
    try:
        board.claim(folder, f"T-{n}", me, 1)
        print(f"T-{n}")
    except board.HeldByAnother:
        pass
    board.comment(folder, f"T-{n}", "same key", "said once")
"""


def test_two_processes_claim_each_card_once_and_say_each_thing_once(tmp_path: Path) -> None:
    for n in range(10):
        board.create_ticket(tmp_path, f"T-{n}", "First")
    racers = [
        subprocess.Popen([sys.executable, "-c", _RACE, str(tmp_path), me], stdout=subprocess.PIPE, text=True)
        for me in ("a", "b")
    ]
    (tmp_path / "go").touch()
    won = [racer.communicate(timeout=60)[0].split() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sorted(won[0] + won[1]) == [f"T-{n}" for n in range(10)]
    assert [(tmp_path / f"T-{n}.md").read_text().count("said once") for n in range(10)] == [1] * 10
    assert {board.read(tmp_path, f"T-{n}").version for n in range(10)} == {3}


async def changes(folder: Path, count: int) -> list[BoardChange]:
    seen: list[BoardChange] = []
    async with aclosing(board.watch(folder, 0.01)) as watcher, asyncio.timeout(20):
        async for change in watcher:
            seen.append(change)
            if len(seen) == count:
                return seen
    raise AssertionError("the watcher ended")


async def test_a_watcher_hears_of_every_move_in_order_and_who_made_it(tmp_path: Path) -> None:
    file = put(tmp_path, CARD)
    board.read(tmp_path, "T-1")
    board.move(tmp_path, "T-1", Phase.BUILDING)
    file.write_text(file.read_text().replace("status: Building", "status: cancelled"))
    board.comment(tmp_path, "T-1", "k", "Pawl writes before the watcher looks.")
    board.move(tmp_path, "T-1", Phase.REVIEWING)
    assert await changes(tmp_path, 4) == [
        BoardChange(id="T-1", before="", status="Todo", by_pawl=False),
        BoardChange(id="T-1", before="Todo", status="Building", by_pawl=True),
        BoardChange(id="T-1", before="Building", status="Cancelled", by_pawl=False),
        BoardChange(id="T-1", before="Cancelled", status="Reviewing", by_pawl=True),
    ]


async def test_a_watcher_that_died_repeats_only_what_it_had_in_hand(tmp_path: Path) -> None:
    board.create_ticket(tmp_path, "T-1", "First")
    board.create_ticket(tmp_path, "T-2", "Second")
    assert [change.id for change in await changes(tmp_path, 2)] == ["T-1", "T-2"]
    board.move(tmp_path, "T-1", Phase.PLANNING)
    assert [(change.id, change.status) for change in await changes(tmp_path, 2)] == [
        ("T-1", "Planning"),
        ("T-2", "Todo"),
    ]


async def test_a_new_watcher_reads_nothing_of_a_card_at_rest(tmp_path: Path) -> None:
    for number in (1, 2):
        board.create_ticket(tmp_path, f"T-{number}", "At rest")
    assert [change.id for change in await changes(tmp_path, 2)] == ["T-1", "T-2"]
    remembered = tmp_path / ".pawl" / "T-1.json"
    remembered.unlink()
    assert [change.id for change in await changes(tmp_path, 1)] == ["T-2"], "what the last one had in hand"
    assert not remembered.exists(), "the card at rest was not looked at"
    put(tmp_path, CARD, "T-1.md")
    assert [change.id for change in await changes(tmp_path, 2)] == ["T-1", "T-2"]


async def test_what_a_watcher_keeps_may_be_lost_or_damaged(tmp_path: Path) -> None:
    board.create_ticket(tmp_path, "T-1", "First")
    board.create_ticket(tmp_path, "T-2", "Second")
    await changes(tmp_path, 2)
    (tmp_path / ".pawl" / ".watched").write_text('{"T-1.md": 7')
    board.move(tmp_path, "T-1", Phase.PLANNING)
    assert [change.id for change in await changes(tmp_path, 2)] == ["T-1", "T-2"]


async def test_a_watcher_sees_a_new_card_and_a_mended_one(tmp_path: Path) -> None:
    put(tmp_path, "---\ntitle: x\n")
    watching = asyncio.create_task(changes(tmp_path, 2))
    await asyncio.sleep(0.05)
    put(tmp_path, CARD, "T-0.md")
    put(tmp_path, "---\ntitle: x\nstatus: Todo\n---\n")
    assert {change.id for change in await watching} == {"T-0", "T-1"}


def test_a_removed_card_is_missing(tmp_path: Path) -> None:
    put(tmp_path, CARD).unlink()
    with pytest.raises(CardMissing, match="T-1"):
        board.read(tmp_path, "T-1")


def test_what_an_editor_saves_in_the_middle_is_not_lost(tmp_path: Path) -> None:
    file = put(tmp_path, CARD)
    saves = iter([CARD.replace("loops", "loops often")])

    def edit(card: cards.Card) -> None:
        if text := next(saves, ""):
            file.write_text(text)
        card.page.head.set("status", "Building")

    assert cards.change(tmp_path, "T-1", edit).status == "Building"
    assert "It loops often." in file.read_text()
    assert board.read(tmp_path, "T-1").version == 3
