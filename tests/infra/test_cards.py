"""Cards that are not what they should be: each is named, and none stands in the way of the others."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from infra import board
from infra.board import BadCard, CardMissing, CardTooLarge
from infra.pages import MOST_BYTES
from workflows.domain.ticket import Phase

NOT_OPENING = Path("/proc/self/mem")
"""A regular file that nobody can read from its beginning, root neither."""


def put_what_cannot_be_read(folder: Path) -> set[str]:
    (folder / "FOLDER.md").mkdir()
    (folder / "LINK.md").symlink_to(folder / "absent")
    (folder / "LOOP.md").symlink_to(folder / "LOOP.md")
    (folder / "CLOSED.md").symlink_to(NOT_OPENING)
    return {"FOLDER", "LINK", "LOOP", "CLOSED"}


def test_the_list_names_what_does_not_open_and_shows_the_others(tmp_path: Path) -> None:
    bad = put_what_cannot_be_read(tmp_path)
    board.create_ticket(tmp_path, "T-1", "A title")
    listing = board.list_tickets(tmp_path)
    assert [ticket.identifier for ticket in listing.tickets] == ["T-1"]
    assert {card.ticket_id for card in listing.unreadable} == bad
    assert any(f"{tmp_path / 'CLOSED.md'}: The card cannot be read" in str(card) for card in listing.unreadable)
    with pytest.raises(BadCard, match=r"FOLDER\.md: This is no file"):
        board.move(tmp_path, "FOLDER", Phase.DONE)


async def test_what_does_not_open_stops_no_move_of_another_card(tmp_path: Path) -> None:
    put_what_cannot_be_read(tmp_path)
    board.create_ticket(tmp_path, "T-1", "A title")
    async with aclosing(board.watch(tmp_path, 0.01)) as changes, asyncio.timeout(10):
        assert (await anext(changes)).id == "T-1"


async def test_a_card_put_back_by_pawl_was_not_moved_by_a_person(tmp_path: Path) -> None:
    board.create_ticket(tmp_path, "T-1", "A title", "Text.")
    running = board.move(tmp_path, "T-1", Phase.PLAN_GATE)
    async with aclosing(board.watch(tmp_path, 0.01)) as changes, asyncio.timeout(10):
        assert [(await anext(changes)).status for _ in range(2)] == ["Todo", "Plan gate"]
        (tmp_path / "T-1.md").unlink()
        back = board.create_ticket(tmp_path, "T-1", "A title", "Text.")
        change = await anext(changes)
    assert (change.before, change.status, change.by_pawl) == ("Plan gate", "Todo", True)
    assert back.version > running.version


def test_a_new_card_leaves_room_for_what_is_written_on_it(tmp_path: Path) -> None:
    with pytest.raises(CardTooLarge, match="500,000 may be used"):
        board.create_ticket(tmp_path, "T-1", "A title", "x" * (MOST_BYTES // 2))
    assert not (tmp_path / "T-1.md").exists()
    board.create_ticket(tmp_path, "T-2", "A title", "x" * (MOST_BYTES // 2 - 100))
    board.comment(tmp_path, "T-2", "plan1", "y" * 400_000)
    assert board.read(tmp_path, "T-2").title == "A title"


@pytest.mark.parametrize("name", ["README", "readme"])
def test_a_readme_is_no_card_under_any_command(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leaves a README to people"):
        board.create_ticket(tmp_path, name, "How to use this board")
    (tmp_path / f"{name}.md").write_text("---\ntitle: x\nstatus: Todo\n---\n")
    with pytest.raises(CardMissing, match="a README is not a card"):
        board.read(tmp_path, name)
