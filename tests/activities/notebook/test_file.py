"""The state file between nights: what Pawl writes, what people write, and who wins."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.notebook.file import FileNotebook, file_name
from activities.notebook.sheet import read_sheet
from tests.activities.notebook.conftest import NIGHT, OPEN, entry, keep
from workflows.domain.ticket import TicketRef
from workflows.domain.triage import Standing, TriageState, Tried, Verdict
from workflows.ports.notebook import OpenNotebook

A, B = entry("a.py:E1"), entry("b.py:E2", 1)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, text
    path.write_text(text.replace(old, new))


def cut(path: Path, subject: str) -> None:
    """Delete a finding."""
    whole = [part for part in re.split(r"\n(?=\n)", path.read_text()) if f"subject: {subject}\n" not in f"{part}\n"]
    path.write_text("\n".join(whole))


async def test_a_new_one_is_empty_and_leaves_no_file(notebook: FileNotebook, path: Path) -> None:
    opened = await notebook.open_notebook(OPEN)
    assert (opened.state, opened.path, opened.set_aside) == (TriageState(repository="/repos/shop"), str(path), "")
    assert not path.exists()


async def test_all_that_is_kept_is_there_the_next_night(notebook: FileNotebook, path: Path) -> None:
    tries = tuple(
        Tried(at=NIGHT, base=f"{n:040}", runs=5, failed=n, verdict=Verdict.FLAKY, excerpt="E  1\n\n  two\n")
        for n in range(12)
    )
    full = A.model_copy(
        update={
            "detail": "It fails:\n    x = '# no comment'\nSince yesterday.",
            "command": "python -c 'x: 1' # now",
            "ticket": TicketRef(tracker="board", id="T-1"),
            "identifier": "T-1",
            "url": "https://tracker.example/T-1",
            "tried": tries,
            "last_seen": NIGHT + timedelta(microseconds=1),
        }
    )
    inbox = TicketRef(tracker="board", id="T-9")
    kept = await notebook.keep_notebook(keep(full, B, seen_until=NIGHT, base="c" * 40, inbox=inbox, inboxes=1))
    opened = (await FileNotebook(notebook.folder).open_notebook(OPEN)).state
    written = read_sheet(path.read_bytes(), "/repos/shop", NIGHT).state
    assert written.findings == (B, full.model_copy(update={"tried": (tries[0], *tries[-9:])}))
    assert [[go.model_dump(exclude={"excerpt"}) for go in one.tried] for one in opened.findings] == [
        [go.model_dump(exclude={"excerpt"}) for go in one.tried] for one in written.findings
    ]
    assert (opened.seen_until, opened.base, opened.inbox, opened.inboxes) == (NIGHT, "c" * 40, inbox, 1)
    assert opened.model_copy(update={"findings": ()}) == kept.model_copy(update={"findings": ()})
    assert path.stat().st_mode & 0o777 == 0o600
    assert "seen_until: 2026-11-22T03:00:00Z\n" in path.read_text()


async def test_keeping_the_same_again_changes_nothing(notebook: FileNotebook, path: Path) -> None:
    first = await notebook.keep_notebook(keep(A, B, seen_until=NIGHT))
    text = path.read_bytes()
    assert await notebook.keep_notebook(keep(A, B, seen_until=NIGHT)) == first
    assert await notebook.keep_notebook(keep()) == first
    assert path.read_bytes() == text


async def test_open_ones_come_first_and_the_newest_first(notebook: FileNotebook) -> None:
    old, over, muted = entry("c"), entry("d", 3, standing=Standing.FIXED), entry("e", 4, standing=Standing.IGNORED)
    state = await notebook.keep_notebook(keep(over, old, muted, B))
    assert [one.subject for one in state.findings] == ["b.py:E2", "c", "e", "d"]


async def test_what_people_write_stays(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A, B))
    edit(path, f"  - id: {A.id}", f"  # of the old parser\n  - id: {A.id}  # Ada looks")
    text = path.read_text()
    own = "\n    # we decided this\n    standing: ignored  # for now\n    note: |\n      Not now.\n      # Later.\n"
    text = re.sub(
        rf"({A.id}.*?)\n    standing: reported\n    note:\n", rf"\1{own}    points: [3, 'x']\n", text, flags=re.S
    )
    path.write_text(text.replace("inboxes: 0", "owner: ada\n# all of them:\ninboxes: 0") + "# the very end\n")
    night = (await notebook.open_notebook(OPEN)).state
    assert {one.subject: one.standing for one in night.findings} == {"b.py:E2": "reported", "a.py:E1": "ignored"}
    new = entry("c.py:E3", 2)
    await notebook.keep_notebook(keep(new, *night.findings, seen=night.findings, seen_until=NIGHT))
    text = path.read_text()
    for kept in (
        "\n  # of the old parser\n",
        "\n    # we decided this\n    standing: ignored  # for now\n    note: |\n      Not now.\n      # Later.\n",
        "\n    points:\n      - 3\n      - x\n",
        "\nowner: ada\n",
        "\n# all of them:\ninboxes: 0\n",
        "\n# the very end\n",
        "  # Ada looks\n",
    ):
        assert text.count(kept) == 1, (kept, text)
    again = await notebook.keep_notebook(keep())
    assert path.read_text() == text
    assert [one.note for one in again.findings] == ["", "", "Not now.\n# Later.\n"]


async def test_a_person_wins_for_what_was_written_while_the_night_ran(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A, B))
    night = (await notebook.open_notebook(OPEN)).state.findings
    edit(path, f"{A.title}\n    standing: reported\n    note:", f"{A.title}\n    standing: ignored\n    note: Leave it")
    later = NIGHT + timedelta(days=1)
    changed = tuple(one.model_copy(update={"standing": Standing.TICKETED, "last_seen": later}) for one in night)
    state = await notebook.keep_notebook(keep(*changed, seen=night))
    known = {one.subject: (one.standing, one.note, one.last_seen) for one in state.findings}
    assert known == {"a.py:E1": ("ignored", "Leave it", later), "b.py:E2": ("ticketed", "", later)}


async def test_what_a_person_writes_in_a_night_holds_until_its_end(notebook: FileNotebook, path: Path) -> None:
    """Also where the night goes on from what it got back, and has its own mind."""
    await notebook.keep_notebook(keep(A, B))
    night = (await notebook.open_notebook(OPEN)).state.findings
    edit(path, f"{A.title}\n    standing: reported", f"{A.title}\n    standing: ignored")
    cut(path, "b.py:E2")
    for standing in (Standing.WAITING, Standing.TICKETED, Standing.STARTED):
        changed = tuple(one.model_copy(update={"standing": standing}) for one in (A, B))
        state = await notebook.keep_notebook(keep(*changed, seen=night))
        assert [(one.subject, one.standing) for one in state.findings] == [("a.py:E1", Standing.IGNORED)]
        night = state.findings
    await notebook.open_notebook(OPEN)
    state = await notebook.keep_notebook(keep(*changed, seen=night))
    assert [one.standing for one in state.findings] == [Standing.STARTED] * 2


async def test_a_repeated_request_is_no_person(notebook: FileNotebook) -> None:
    await notebook.keep_notebook(keep(A))
    night = (await notebook.open_notebook(OPEN)).state.findings
    request = keep(A.model_copy(update={"standing": Standing.TICKETED}), seen=night)
    await notebook.keep_notebook(request)
    ticketed = (await notebook.keep_notebook(request)).findings
    request = keep(A.model_copy(update={"standing": Standing.STARTED}), seen=ticketed)
    assert (await notebook.keep_notebook(request)).findings[0].standing is Standing.STARTED


async def test_what_a_night_has_not_changed_is_as_the_file_has_it(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A))
    night = (await notebook.open_notebook(OPEN)).state.findings
    edit(path, f"title: {A.title}", "title: Better words")
    told = (night[0].model_copy(update={"times": 2}),)
    state = await notebook.keep_notebook(keep(*told, seen=night))
    assert (state.findings[0].title, state.findings[0].times) == ("Better words", 2)


async def test_what_a_person_deletes_comes_back_only_when_it_is_found_anew(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A, B))
    night = (await notebook.open_notebook(OPEN)).state.findings
    cut(path, "a.py:E1")
    state = await notebook.keep_notebook(keep(*night, seen=night))
    assert [one.subject for one in state.findings] == ["b.py:E2"]
    anew = A.model_copy(update={"times": 2})
    state = await notebook.keep_notebook(keep(anew, seen=night))
    assert anew in state.findings
    cut(path, "a.py:E1")
    await notebook.open_notebook(OPEN)
    assert A in (await notebook.keep_notebook(keep(A))).findings


async def test_a_finding_may_be_written_by_hand(notebook: FileNotebook, path: Path) -> None:
    path.parent.mkdir()
    path.write_text("findings:\n  - {kind: lint, subject: 'a.py:E1', standing: ignored}\n")
    (one,) = (await notebook.open_notebook(OPEN)).state.findings
    assert (one.id, one.title, one.standing) == (A.id, "a.py:E1", Standing.IGNORED)
    assert one.first_seen == one.last_seen


async def test_what_is_long_over_goes_to_the_archive_once(notebook: FileNotebook, folder: Path) -> None:
    over = [entry(f"x{n}", n % 30, standing=Standing.FIXED) for n in range(510)]
    waiting = entry("old", -100, standing=Standing.IGNORED)
    state = await notebook.keep_notebook(keep(*over, waiting))
    archive = folder / "shop-3f2a.archive.yaml"
    assert (len(state.findings), archive.read_text().count("- id:")) == (501, 10)
    assert set(re.findall(r"subject: x(\d+)", archive.read_text())) < {str(n) for n in range(0, 510, 30)}
    written = archive.read_bytes()
    await notebook.keep_notebook(keep(*over, waiting))  # as after a death right behind the archive
    assert archive.read_bytes() == written
    assert waiting in state.findings


async def test_what_would_be_too_large_is_refused_and_nothing_is_lost(notebook: FileNotebook, path: Path) -> None:
    await notebook.keep_notebook(keep(A))
    text = path.read_bytes()
    with pytest.raises(ApplicationError, match=r"larger than 4,000,000 bytes. Delete findings") as caught:
        await notebook.keep_notebook(keep(*(entry(f"y{n}", detail="é" * 4_000) for n in range(600))))
    assert caught.value.non_retryable
    assert path.read_bytes() == text


async def test_a_folder_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "triage").write_text("a file")
    with pytest.raises(ApplicationError, match=r"state file .*shop-3f2a.yaml cannot be used now") as caught:
        await FileNotebook(tmp_path / "triage").open_notebook(OPEN)
    assert not caught.value.non_retryable


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("triage:shop-3f2a", "shop-3f2a"),
        ("triage:next.js-3f2a", "next.js-3f2a"),
        ("triage:../../etc/passwd", r"etc-passwd-[0-9a-f]{8}"),
        ("triage:shop.archive", r"shop-archive-[0-9a-f]{8}"),
        ("triage:.shop", r"shop-[0-9a-f]{8}"),
        ("triage:", r"triage-[0-9a-f]{8}"),
        ("triage:" + "x" * 200, r"x{60}-[0-9a-f]{8}"),
    ],
)
def test_every_loop_has_a_file_of_its_own(name: str, file: str) -> None:
    assert re.fullmatch(file, file_name(name))
    assert file_name(name) != file_name(f"{name} ")


async def test_two_repositories_do_not_meet(notebook: FileNotebook) -> None:
    await notebook.keep_notebook(keep(A))
    other = OpenNotebook(name="triage:depot-1", repository="/repos/depot")
    assert not (await notebook.open_notebook(other)).state.findings
