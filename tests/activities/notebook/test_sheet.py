"""Whatever findings hold, and whatever people write around them, a file that is written again is the same."""

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from activities.notebook.sheet import Sheet, read_sheet, render
from tests.activities.notebook.conftest import NIGHT, entry
from workflows.domain.ticket import TicketRef
from workflows.domain.triage import Entry, Kind, Standing, TriageState, Tried, Verdict

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "",
        "null",
        "~",
        "## x",
        "# x",
        "- a: b",
        "a\n# b\n",
        "  lead\nx",
        "tail  \nx\n\n",
        "\n",
        "\t",
        "1e5",
        "'",
        '"',
        "\r\n",
    ]
)
_times = st.datetimes(
    datetime(2020, 1, 1),
    datetime(2030, 1, 1),
    timezones=st.sampled_from([timezone(timedelta(hours=h)) for h in (0, 2)]),
)
_tried = st.builds(
    Tried, at=_times, base=_texts, runs=st.integers(0, 9), verdict=st.sampled_from(Verdict), excerpt=_texts
)
_entries = st.builds(
    Entry,
    id=st.text("0123456789abcdef", min_size=10, max_size=10),
    kind=st.sampled_from(Kind),
    subject=_texts.map(lambda text: f"s{text}"),
    title=_texts.map(lambda text: f"t{text}"),
    detail=_texts,
    command=_texts,
    standing=st.sampled_from(Standing),
    first_seen=_times,
    last_seen=_times,
    times=st.integers(1, 99),
    tried=st.lists(_tried, max_size=3).map(tuple),
    ticket=st.none() | st.builds(TicketRef, tracker=_texts.map(lambda text: f"k{text}"), id=st.just("007")),
    identifier=_texts,
    url=_texts,
    note=_texts,
)
_findings = st.lists(_entries, max_size=3, unique_by=lambda one: one.id).map(tuple)


@given(_findings, st.lists(_texts, max_size=2).map(tuple))
def test_what_was_written_is_read(findings: tuple[Entry, ...], saw: tuple[str, ...]) -> None:
    state = TriageState(repository="/shop", seen_until=NIGHT, findings=findings, saw=tuple(f"x{one}" for one in saw))
    data = render(Sheet(state))
    sheet = read_sheet(data, "/other", NIGHT)
    assert sheet.state == state
    assert render(sheet) == data


_COMMENTS = st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["# mine", "    # mine too", "#"])), max_size=8)


@given(_COMMENTS)
def test_comments_anywhere_stay_once_they_have_a_place(comments: list[tuple[int, str]]) -> None:
    plain = tuple(entry(f"e{number}") for number in range(3))
    lines = render(Sheet(TriageState(repository="/shop", findings=plain))).decode().splitlines()
    for at, comment in comments:
        place = len(lines) - 1 if at >= len(lines) else at
        before = lines[place - 1].strip() if place else ""
        if place > 10 and before and not before.endswith(("|-", "|")):
            lines.insert(place, comment)
    text = "\n".join(lines) + "\n"
    once = read_sheet(text.encode(), "/shop", NIGHT)
    written = render(once)
    again = read_sheet(written, "/shop", NIGHT)
    assert render(again) == written
    assert again.state == once.state


def test_a_comment_moves_with_its_finding() -> None:
    one, other = entry("a"), entry("b")
    lines = render(Sheet(TriageState(repository="/shop", findings=(one, other)))).decode().splitlines()
    lines.insert(next(n for n, line in enumerate(lines) if other.id in line), "  # about b")
    sheet = read_sheet("\n".join(lines).encode(), "/shop", NIGHT)
    sheet.state = sheet.state.model_copy(update={"findings": (other, one)})
    assert f"  # about b\n  - id: {other.id}" in render(sheet).decode()
