"""What people write into the file by hand: findings while a night runs, and where the next one begins to look."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from activities.notebook.file import FileNotebook
from tests.activities.notebook.conftest import NIGHT, OPEN, entry, keep
from workflows.domain.ticket import TicketRef
from workflows.domain.triage import Entry, Standing, TriageState

A = entry("a.py:E1", standing=Standing.WAITING)
THE_END = "## The end. Without this line a file was cut short, and is not used.\n"


async def written_in_the_night(notebook: FileNotebook, path: Path, finding: str, found: Entry) -> Entry:
    """The finding as it is after a night that found the same, and then gave it a ticket."""
    await notebook.keep_notebook(keep(entry("other.py:E1")))
    await notebook.open_notebook(OPEN)
    text = path.read_text()
    path.write_text(text.replace(THE_END, f"  - {finding}\n{THE_END}"))
    now = by_id(await notebook.keep_notebook(keep(found)))
    ticketed = now.model_copy(update={"standing": Standing.TICKETED, "last_seen": NIGHT + timedelta(hours=1)})
    await notebook.keep_notebook(keep(ticketed, seen=(now,)))
    return by_id((await notebook.open_notebook(OPEN)).state)


def by_id(state: TriageState) -> Entry:
    return next(one for one in state.findings if one.id == A.id)


async def test_a_finding_that_a_person_writes_in_the_night_holds(notebook: FileNotebook, path: Path) -> None:
    mine = "{kind: lint, subject: 'a.py:E1', standing: ignored, note: Not ours., times: 3}"
    after = await written_in_the_night(notebook, path, mine, A)
    assert (after.standing, after.note, after.times) == (Standing.IGNORED, "Not ours.", 3)
    assert after.title == A.title, "what the person has left open is the night's"


async def test_the_ticket_that_a_person_names_holds(notebook: FileNotebook, path: Path) -> None:
    mine = (
        "{kind: lint, subject: 'a.py:E1', standing: ticketed, title: Mine, identifier: ENG-7, "
        "ticket: {tracker: linear, id: '7'}}"
    )
    after = await written_in_the_night(notebook, path, mine, A.model_copy(update={"times": 2, "url": "https://x"}))
    assert (after.standing, after.identifier, after.ticket) == (
        "ticketed",
        "ENG-7",
        TicketRef(tracker="linear", id="7"),
    )
    assert (after.title, after.times) == ("Mine", 2)


async def test_a_person_who_wrote_the_same_standing_keeps_the_rest(notebook: FileNotebook, path: Path) -> None:
    mine = "{kind: lint, subject: 'a.py:E1', standing: waiting, note: Soon., identifier: ENG-7}"
    after = await written_in_the_night(notebook, path, mine, A)
    assert (after.standing, after.note, after.identifier) == (Standing.TICKETED, "Soon.", "ENG-7")


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2026-11-29T03:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("0001-01-01", None),
        ("2026-11-22T03:05:00Z", NIGHT + timedelta(minutes=5)),
        ("2026-11-22T03:59:00Z", NIGHT + timedelta(minutes=59)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=NIGHT.tzinfo)),
    ],
)
async def test_a_look_that_was_not_yet_is_not_believed(
    folder: Path, path: Path, text: str, until: datetime | None
) -> None:
    notebook = FileNotebook(folder, now=lambda: NIGHT)
    await notebook.keep_notebook(keep(entry("a.py:E1"), seen_until=NIGHT))
    path.write_text(path.read_text().replace("seen_until: 2026-11-22T03:00:00Z", f"seen_until: {text}"))
    opened = await notebook.open_notebook(OPEN)
    assert opened.state.seen_until == until
    assert len(opened.state.findings) == 1
    said = f"{path} says seen_until: {text[:10]}, which cannot be: the night looked a week back instead."
    assert opened.doubt == ("" if until else said)
    await notebook.keep_notebook(keep(seen_until=NIGHT + timedelta(days=1)))
    mended = await FileNotebook(folder, now=lambda: NIGHT + timedelta(days=1)).open_notebook(OPEN)
    assert (mended.state.seen_until, mended.doubt) == (NIGHT + timedelta(days=1), "")


async def test_a_night_of_the_past_may_come_after_the_last_look(folder: Path) -> None:
    notebook = FileNotebook(folder, now=lambda: NIGHT)
    await notebook.keep_notebook(keep(seen_until=NIGHT))
    opened = await notebook.open_notebook(OPEN.model_copy(update={"at": NIGHT - timedelta(days=9)}))
    assert (opened.state.seen_until, opened.doubt) == (NIGHT, "")


async def test_a_night_of_a_simulated_time_is_believed(folder: Path) -> None:
    notebook = FileNotebook(folder, now=lambda: NIGHT - timedelta(days=99))
    await notebook.keep_notebook(keep(seen_until=NIGHT))
    opened = await notebook.open_notebook(OPEN.model_copy(update={"at": NIGHT + timedelta(days=1)}))
    assert (opened.state.seen_until, opened.doubt) == (NIGHT, "")
