"""A state file that cannot be used is put aside as it is, said so, and the last good one goes on."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.notebook.file import FileNotebook
from tests.activities.notebook.conftest import OPEN, entry, keep
from workflows.domain.triage import TriageState

A, B = entry("a.py:E1"), entry("b.py:E2", 1)
CAME_TO: dict[str, Any] = {"seen_until": datetime(2026, 3, 2, 3, tzinfo=UTC), "base": "b" * 40, "saw": ("12ab34cd",)}
GOOD = "repository: /repos/shop\nfindings:\n  - {kind: lint, subject: a, standing: open}\n"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.notebook.shelf._SECOND_LOOK_SECONDS", 0.0)


def asides(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.broken-*"))


async def subjects(notebook: FileNotebook) -> list[str]:
    return [one.subject for one in (await notebook.open_notebook(OPEN)).state.findings]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"findings: [\n", "line 2: this is not YAML"),
        (b"", "line 1: it is empty"),
        (b" \n\n", "line 1: it is empty"),
        (b"\x00\xff\xfe" * 100, "line 1: it is not UTF-8"),
        (b"a: \x00", "line 1: it holds a character that no YAML may hold"),
        (b"findings: 5\n", "line 1: findings: Input should be a valid tuple, not '5'"),
        (GOOD.encode(), "line 3: findings.0.standing: 'open' is none of waiting, reported, ticketed, started,"),
        (GOOD.replace("lint", "bug").encode(), "line 3: findings.0.kind: Input should be 'failing test'"),
        (GOOD.replace("subject: a, ", "").encode(), "line 3: findings.0.id: it is missing"),
        (b"- 1\n", "line 1: write `key: value` lines"),
        (b"just words\n", "line 1: write `key: value` lines"),
        (b"seen_until: tomorrow\n", "line 1: seen_until: Input should be a valid datetime"),
        (b"seen_until: 9999-12-31T23:59:59-14:00\n", "line 1: a time in it is none that a calendar has"),
        (b"a: 1\n" * 2, "line 2: 'a' is written twice"),
        (b"x" * 5_000_001, "line 1: it is larger than 5 MB"),
        (
            b"findings:\n- {kind: lint, subject: a, standing: fixed}\n- {kind: lint, subject: A, standing: fixed}\n",
            "line 3: another finding has the id",
        ),
    ],
)
async def test_what_cannot_be_used_is_put_aside(notebook: FileNotebook, path: Path, data: bytes, why: str) -> None:
    await notebook.keep_notebook(keep(A))
    good = path.read_bytes()
    path.write_bytes(data)
    opened = await notebook.open_notebook(OPEN)
    (aside,) = asides(path.parent)
    assert aside.read_bytes() == data
    assert opened.state.findings == (A,)
    assert opened.set_aside.startswith(f"{path} could not be read ({why}")
    assert f"It was set aside as it is: {aside}." in opened.set_aside
    assert path.read_bytes() == good


async def test_a_file_that_was_cut_short_is_not_taken_for_deletions(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A, B))
    lines = path.read_text().splitlines(keepends=True)
    for length in (len(lines) - 1, len(lines) // 2, 12):
        path.write_text("".join(lines[:length]))
        opened = await notebook.open_notebook(OPEN)
        assert "it ends in the middle: its last line is missing" in opened.set_aside
        assert opened.state.findings == (B, A)
    assert len(asides(path.parent)) == 3


async def test_no_second_broken_one_takes_the_place_of_the_first(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A))
    for number in range(3):
        path.write_text(f"broken: [{number}")
        assert await subjects(notebook) == ["a.py:E1"]
    assert sorted(aside.read_text() for aside in asides(path.parent)) == ["broken: [0", "broken: [1", "broken: [2"]


@pytest.mark.parametrize("what", ["folder", "link", "pipe"])
async def test_what_is_no_file_is_put_aside(notebook: FileNotebook, path: Path, tmp_path: Path, what: str) -> None:
    await notebook.keep_notebook(keep(A))
    path.unlink()
    secret = tmp_path / "elsewhere.yaml"
    secret.write_text("findings: []\n")
    if what == "folder":
        path.mkdir()
        (path / "inside").write_text("x")
    elif what == "link":
        path.symlink_to(secret)
    else:
        os.mkfifo(path)
    opened = await notebook.open_notebook(OPEN)
    assert opened.state.findings == (A,)
    assert {"folder": "it is a folder", "link": "it is a symbolic link", "pipe": "it is no file"}[
        what
    ] in opened.set_aside
    assert secret.read_text() == "findings: []\n"
    await notebook.keep_notebook(keep(B))
    assert path.is_file()
    assert not path.is_symlink()
    (aside,) = asides(path.parent)
    assert what != "folder" or (aside / "inside").read_text() == "x"


async def test_it_is_said_until_the_notebook_was_kept(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A))
    path.write_text("broken: [")
    await notebook.keep_notebook(keep(B))  # nobody has heard of it yet
    first = await notebook.open_notebook(OPEN)
    assert first.set_aside
    assert first.state.findings == (B, A)
    assert (await notebook.open_notebook(OPEN)).set_aside == first.set_aside
    await notebook.keep_notebook(keep())
    assert not (await notebook.open_notebook(OPEN)).set_aside
    assert len(asides(path.parent)) == 1


async def test_with_nothing_good_it_begins_anew_and_names_what_was_there(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A))
    good = path.with_name(".shop-3f2a.good.yaml")
    good.write_text("broken: [too")
    path.write_text("broken: [")
    opened = await notebook.open_notebook(OPEN)
    assert opened.state == TriageState(repository="/repos/shop")
    assert len(asides(path.parent)) == 2
    assert all(aside.name in opened.set_aside for aside in asides(path.parent))
    state = await notebook.keep_notebook(keep(B, seen=(B,)))
    assert state.findings == (B,), "it was not a person who deleted it"


async def test_a_broken_file_of_the_first_night_is_put_aside_too(notebook: FileNotebook, path: Path) -> None:
    path.parent.mkdir()
    path.write_text("broken: [")
    opened = await notebook.open_notebook(OPEN)
    assert opened.set_aside
    assert not opened.state.findings
    assert asides(path.parent)[0].read_text() == "broken: ["


async def test_an_editor_that_saves_in_the_middle_is_waited_for(
    notebook: FileNotebook, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.notebook.shelf._SECOND_LOOK_SECONDS", 1.0)
    await notebook.keep_notebook(keep(A))
    data = path.read_bytes()
    path.write_bytes(b"")
    opening = asyncio.create_task(notebook.open_notebook(OPEN))
    await asyncio.sleep(0.2)
    path.write_bytes(data)
    assert not (await opening).set_aside
    assert not asides(path.parent)


async def test_who_deletes_the_file_begins_anew(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A))
    path.unlink()
    opened = await notebook.open_notebook(OPEN)
    assert (opened.state.findings, opened.set_aside) == ((), "")


async def test_who_deletes_it_while_a_night_runs_begins_anew_too(notebook: FileNotebook, path: Path) -> None:
    """What that night finds is kept; where it came to is not, or the next one would look at nothing before."""
    await notebook.keep_notebook(keep(A, **CAME_TO))
    await notebook.open_notebook(OPEN)
    path.unlink()
    await notebook.keep_notebook(keep(B))
    state = await notebook.keep_notebook(keep(A, seen=(A,), **CAME_TO))
    assert (state.findings, state.seen_until, state.base, state.saw) == ((B,), None, "", ())
    await notebook.open_notebook(OPEN)
    assert (await notebook.keep_notebook(keep(**CAME_TO))).base == CAME_TO["base"]


async def test_many_at_once_lose_nothing(folder: Path) -> None:
    many = [entry(f"n{number}") for number in range(20)]
    await asyncio.gather(*(FileNotebook(folder).keep_notebook(keep(one)) for one in many))
    assert set(await subjects(FileNotebook(folder))) == {one.subject for one in many}
