"""What of a night's findings is new."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows.domain.ticket import Ticket, TicketRef
from workflows.domain.triage import Entry, Kind, Standing, TriageFinding, TriageState, Tried, Verdict, finding_id
from workflows.domain.triage_dedupe import sort_out

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
BEFORE = NOW - timedelta(days=3)
NAME = "tests/test_hinge.py::test_squeak"


def finding(subject: str = NAME, kind: Kind = Kind.FAILING_TEST, duplicate_of: str = "") -> TriageFinding:
    return TriageFinding(kind=kind, subject=subject, title="New words", detail="d", duplicate_of=duplicate_of)


def entry(standing: Standing, subject: str = NAME, base: str = "old", **more: Any) -> Entry:
    tried = Tried(at=BEFORE, base=base, runs=1, verdict=Verdict.REFUTED)
    given: dict[str, Any] = {"title": "Old words", "first_seen": BEFORE, "last_seen": BEFORE, "tried": (tried,), **more}
    name = finding_id(Kind.FAILING_TEST, subject)
    return Entry(id=name, kind=Kind.FAILING_TEST, subject=subject, standing=standing, **given)


def card(identifier: str, title: str, body: str = "", **more: Any) -> Ticket:
    ref = TicketRef(tracker="board", id=f"id-{identifier}")
    return Ticket(ref=ref, identifier=identifier, title=title, body=body, status="Todo", **more)


def sorted_out(*findings: TriageFinding, known: tuple[Entry, ...] = (), tickets: tuple[Ticket, ...] = ()):
    state = TriageState(repository="/srv/hinge", findings=known)
    return sort_out(findings, state, tickets, "base", NOW)


@pytest.mark.parametrize(
    ("standing", "base", "is_raised"),
    [
        (Standing.WAITING, "old", False),
        (Standing.REPORTED, "old", False),
        (Standing.TICKETED, "old", False),
        (Standing.STARTED, "old", False),
        (Standing.IGNORED, "old", False),
        (Standing.REFUTED, "base", False),
        (Standing.REFUTED, "old", True),
        (Standing.FIXED, "old", True),
    ],
)
def test_what_people_know_of_is_not_raised_again(standing: Standing, base: str, is_raised: bool) -> None:
    out = sorted_out(finding(), known=(entry(standing, base=base),))
    assert (len(out.fresh), len(out.again)) == (int(is_raised), int(not is_raised))
    if is_raised:
        (raised,) = out.fresh
        assert (raised.first_seen, raised.last_seen, raised.title) == (BEFORE, NOW, "New words")
        assert raised.times == (2 if standing is Standing.FIXED else 1)
    else:
        (again,) = out.again
        assert (again.last_seen, again.title, again.standing) == (NOW, "Old words", standing)


def test_a_flaky_test_is_the_same_finding_as_a_failing_one() -> None:
    out = sorted_out(finding(f" `{NAME.upper()}` ", Kind.FLAKY_TEST), known=(entry(Standing.REPORTED),))
    assert out.known == 1


@pytest.mark.parametrize(
    "spelled",
    [
        f"`{NAME}`",
        f"./{NAME}",
        f' "././{NAME}()" ',
        NAME.replace("::", " ::\n"),
        NAME.replace("/", "\\"),
    ],
)
@pytest.mark.parametrize("kind", [Kind.FAILING_TEST, Kind.LINT, Kind.OTHER, Kind.BROKEN_BUILD])
def test_one_report_raises_a_thing_once_however_it_is_spelled(spelled: str, kind: Kind) -> None:
    assert len(sorted_out(finding(), finding(spelled, kind)).fresh) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (finding("src/a.py:E501", Kind.LINT), finding("src/a.py:E502", Kind.LINT)),
        (finding("leftpad", Kind.DEPENDENCY), finding("leftpad", Kind.LINT)),
        (finding(NAME), finding(f"other/{NAME}")),
        (finding(f"{NAME}[1]"), finding(f"{NAME}[2]")),
    ],
)
def test_what_differs_is_raised_by_itself(one: TriageFinding, other: TriageFinding) -> None:
    assert len(sorted_out(one, other).fresh) == 2


def test_the_ids_that_state_files_hold_stay() -> None:
    assert finding_id(Kind.FAILING_TEST, NAME) == "a3b55a1e65"
    assert finding_id(Kind.LINT, "src/a.py:E501") == "d9ed67d203"


@pytest.mark.parametrize(
    ("title", "body", "subject", "holds"),
    [
        (f"{NAME} fails", "", NAME, True),
        (f"{NAME} fails", "", f"./{NAME}()", True),
        ("Red", f"See\n`{NAME.upper()}`.", NAME, True),
        ("Red", f"See {NAME}_more", NAME, False),
        ("Red", f"See other/{NAME}", NAME, False),
        ("Bump leftpad", "", "leftpad", True),
        ("Bump leftpads", "", "leftpad", False),
        ("We use curl here", "", "curl", False),  # too short to mean it
        ("Call 12345678", "", "12345678", False),  # a number is in many texts
    ],
)
def test_somebodys_open_ticket_that_holds_the_name_is_where_it_was_told(
    title: str, body: str, subject: str, holds: bool
) -> None:
    out = sorted_out(finding(subject), tickets=(card("ENG-7", title, body),))
    assert len(out.elsewhere) == int(holds)
    assert len(out.fresh) == int(not holds)
    if holds:
        assert (out.elsewhere[0].standing, out.elsewhere[0].identifier) == (Standing.REPORTED, "ENG-7")


def test_our_own_tickets_hide_nothing() -> None:
    ours = card("F-1", NAME, labels=("triage",), ours=True)
    assert sorted_out(finding(), tickets=(ours,)).fresh
    assert sorted_out(finding(duplicate_of="F-1"), tickets=(ours,)).fresh


def test_a_strangers_ticket_is_no_less_one_for_our_label() -> None:
    theirs = card("ENG-7", NAME, labels=("triage",))
    assert sorted_out(finding(), tickets=(theirs,)).elsewhere


@pytest.mark.parametrize(
    ("word", "is_known"),
    [("ENG-7", True), ("#eng-7", True), ("id-ENG-7", True), ("ENG-77", False), ("#", False), ("", False)],
)
def test_the_models_word_counts_where_the_ticket_exists(word: str, is_known: bool) -> None:
    out = sorted_out(finding(duplicate_of=word), tickets=(card("ENG-7", "Noise"),))
    assert len(out.elsewhere) == int(is_known)


@pytest.mark.parametrize(
    ("standing", "is_known"),
    [
        (Standing.REPORTED, True),
        (Standing.IGNORED, True),
        (Standing.REFUTED, False),
        (Standing.FIXED, False),
    ],
)
def test_the_models_word_counts_for_a_finding_that_people_know_of(standing: Standing, is_known: bool) -> None:
    other = entry(standing, "other::name", base="base")
    out = sorted_out(finding(duplicate_of=other.id), known=(other,))
    assert [one.id for one in out.again] == ([other.id] if is_known else [])
    assert len(out.fresh) == int(not is_known)


def test_a_draft_is_named_by_its_ticket_and_a_report_names_no_finding() -> None:
    drafted = entry(Standing.TICKETED, "other::name", identifier="F-1")
    assert sorted_out(finding(duplicate_of="f-1"), known=(drafted,)).known == 1
    reported = entry(Standing.REPORTED, "other::name", identifier="F-1")
    assert sorted_out(finding(duplicate_of="f-1"), known=(reported,)).known == 0


def test_a_note_of_a_person_stays_with_what_comes_back() -> None:
    (raised,) = sorted_out(finding(), known=(entry(Standing.FIXED, note="Ask Ada."),)).fresh
    assert (raised.note, raised.ticket) == ("Ask Ada.", None)


def test_what_somebody_elses_ticket_held_is_raised_when_that_is_closed() -> None:
    theirs = card("ENG-7", f"All that is wrong: {NAME}")
    (held,) = sorted_out(finding(), tickets=(theirs,)).elsewhere
    assert (held.standing, held.elsewhere) == (Standing.REPORTED, True)
    again = sorted_out(finding(), known=(held,), tickets=(theirs,))
    assert (len(again.fresh), len(again.again)) == (0, 1)
    (raised,) = sorted_out(finding(), known=(held,)).fresh
    assert (raised.standing, raised.elsewhere, raised.ticket) == (Standing.WAITING, False, None)
    state = TriageState(repository="/srv/hinge", findings=(held,))
    assert not sort_out((finding(),), state, (), "base", NOW, complete=False).fresh, "it may be open, unseen"
