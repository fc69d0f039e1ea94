"""However much a state file holds, what of it travels is taken by Temporal, and nothing in the file is lost by it."""

import re
from pathlib import Path

from activities.notebook.file import FileNotebook
from activities.notebook.merging import ordered
from activities.notebook.sheet import Sheet, read_sheet, render
from infra.payloads import DATA_CONVERTER
from tests.activities.notebook.conftest import NIGHT, OPEN, entry, keep
from workflows.domain.triage import Entry, Standing, TriageState, Tried, Verdict
from workflows.domain.triage_size import MOST_BYTES, in_parts

REFUSED = 2 * 1024 * 1024
"""Bytes of a value that Temporal does not take."""


def bytes_of(value: object) -> int:
    return len(DATA_CONVERTER.payload_converter.to_payload(value).data)


def full(subject: str, goes: int = 10, nights: int = 0, **changes: object) -> Entry:
    tried = tuple(
        Tried(at=NIGHT, base=f"{n:040}", runs=5, failed=5, verdict=Verdict.CONFIRMED, excerpt=f"{n} {'e' * 1_990}")
        for n in range(goes)
    )
    return entry(subject, nights, detail="e" * 4_000, command="e" * 1_000, tried=tried, **changes)


def in_file(path: Path) -> dict[str, Entry]:
    return {one.subject: one for one in read_sheet(path.read_bytes(), "/repos/shop", NIGHT).state.findings}


def written(path: Path, *entries: Entry) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(render(Sheet(TriageState(repository="/repos/shop", findings=ordered(entries)))))


async def test_eighty_open_findings_with_all_their_goes_travel(notebook: FileNotebook, path: Path) -> None:
    written(path, *(full(f"a{n}.py:E1") for n in range(80)))
    before = in_file(path)
    assert {(len(one.tried), len(one.detail), len(one.tried[0].excerpt)) for one in before.values()} == {
        (10, 4_000, 1_992)
    }
    opened = await notebook.open_notebook(OPEN)
    assert len(opened.state.findings) == 80
    assert not opened.doubt
    assert bytes_of(opened) < REFUSED
    seen = {one.id: one for one in opened.state.findings}
    again = [one.model_copy(update={"last_seen": NIGHT.replace(day=23)}) for one in seen.values()]
    for part in in_parts(again, seen):
        keeping = keep(*part, seen=tuple(seen[one.id] for one in part))
        assert bytes_of(keeping) < REFUSED
        assert bytes_of(await notebook.keep_notebook(keeping)) < REFUSED
    after = in_file(path)
    assert {one.last_seen.day for one in after.values()} == {23}
    assert [(one.tried, one.detail) for one in after.values()] == [(one.tried, one.detail) for one in before.values()]


async def test_a_go_is_put_behind_those_that_the_night_has_not_carried(notebook: FileNotebook, path: Path) -> None:
    written(path, full("a.py:E1", goes=3))
    (one,) = (await notebook.open_notebook(OPEN)).state.findings
    assert [go.excerpt[:1] for go in one.tried] == ["", "", "2"], "what it printed last"
    new = Tried(at=NIGHT.replace(day=23), base="new", runs=5, failed=5, verdict=Verdict.CONFIRMED, excerpt="3")
    keeping = keep(one.model_copy(update={"tried": (*one.tried, new)}), seen=(one,))
    for _ in range(2):
        (after,) = (await notebook.keep_notebook(keeping)).findings
        assert [go.excerpt[:1] for go in after.tried] == ["", "", "", "3"]
        assert [go.excerpt[:1] for go in in_file(path)["a.py:E1"].tried] == ["0", "1", "2", "3"]


async def test_ten_thousand_findings_travel_as_far_as_they_can(notebook: FileNotebook, path: Path) -> None:
    path.parent.mkdir()
    ignored = "".join(f"  - {{kind: lint, subject: 'a{n}.py:E501', standing: ignored}}\n" for n in range(10_000))
    path.write_text(f"findings:\n{ignored}")
    opened = await notebook.open_notebook(OPEN)
    assert bytes_of(opened) < REFUSED
    assert not opened.doubt, "what is ignored stays so"
    carried = {one.subject for one in opened.state.findings}
    known, unknown = "a9999.py:E501", next(name for n in range(10_000) if (name := f"a{n}.py:E501") not in carried)
    found = [entry(unknown, standing=Standing.WAITING), entry("new.py:E1", standing=Standing.WAITING)]
    state = await notebook.keep_notebook(keep(*found))
    assert bytes_of(state) < REFUSED
    standings = {one.subject: one.standing for one in state.findings}
    assert (standings[unknown], standings["new.py:E1"]) == (Standing.IGNORED, Standing.WAITING)
    after = in_file(path)
    assert (len(after), after[known].standing) == (10_001, Standing.IGNORED)


async def test_what_a_night_cannot_carry_is_said_and_stays(notebook: FileNotebook, path: Path) -> None:
    many = [entry(f"a{n}.py:E501", command="c" * 900) for n in range(1_500)]
    over = [entry(f"b{n}.py:E1", 1, standing=Standing.FIXED) for n in range(3)]
    written(path, *many, *over)
    opened = await notebook.open_notebook(OPEN)
    assert 500 < len(opened.state.findings) < 1_500
    assert MOST_BYTES // 2 < bytes_of(opened) < REFUSED
    left = len(many) + len(over) - len(opened.state.findings)
    assert opened.doubt.startswith(f"{left:,} findings of {path} cannot be carried by a night and stay as they stand.")
    text = path.read_text()
    await notebook.keep_notebook(keep(seen_until=NIGHT))
    assert re.sub(r"seen_until: .*\n", "", path.read_text()) == text
    new = entry("new.py:E1", -9)
    assert new in (await notebook.keep_notebook(keep(new))).findings, "what was kept comes first"


async def test_what_waits_is_carried_before_what_is_known(notebook: FileNotebook, path: Path) -> None:
    known = [full(f"a{n}.py:E1", 1) for n in range(100)]
    waits = [full(f"b{n}.py:E1", 1, nights=-n, standing=Standing.WAITING) for n in range(3)]
    written(path, *known, *waits)
    carried = (await notebook.open_notebook(OPEN)).state.findings
    assert len(carried) == 103
    assert all(one.detail and one.tried[-1].excerpt for one in carried if one.standing is Standing.WAITING)
    assert any(not one.detail for one in carried)


async def test_a_value_of_a_person_that_is_far_too_long_stays_in_the_file(notebook: FileNotebook, path: Path) -> None:
    path.parent.mkdir()
    finding = "  - {kind: lint, subject: 'a.py:E1', standing: reported, detail: '%s'}\n" % ("x" * 3_000_000)
    path.write_text(f"findings:\n{finding}")
    opened = await notebook.open_notebook(OPEN)
    (one,) = opened.state.findings
    assert (one.detail, opened.doubt) == ("", "")
    await notebook.keep_notebook(keep(one.model_copy(update={"times": 2}), seen=(one,)))
    after = in_file(path)["a.py:E1"]
    assert (len(after.detail), after.times) == (3_000_000, 2)


async def test_what_old_goes_printed_gives_way_before_a_night_fails(notebook: FileNotebook, path: Path) -> None:
    written(path, *(full(f"a{n}.py:E1", 9) for n in range(180)))
    await notebook.keep_notebook(keep(*(full(f"b{n}.py:E1") for n in range(20))))
    after = in_file(path)
    assert len(after) == 200
    assert {len(one.tried) for one in after.values()} == {9, 10}
    assert all(one.detail and one.tried[-1].excerpt and not one.tried[0].excerpt for one in after.values())
