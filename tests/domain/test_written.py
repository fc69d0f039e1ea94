"""What Pawl writes into a ticket of its own, and how much of one is passed on."""

import pytest

from workflows.domain.ticket import Phase, Ticket, TicketRef
from workflows.domain.written import (
    CUT,
    MOST_LISTED,
    NOTES,
    carries,
    closed,
    cut,
    is_open,
    listed,
    rewritten,
    text_digest,
)

HIS = f"{NOTES}\n\nLeave it to Ada."


@pytest.mark.parametrize(
    ("old", "new", "then"),
    [
        ("Old.", "New.", "New."),
        ("Old.", f"New.\n\n{NOTES}", f"New.\n\n{NOTES}"),
        (f"Old.\n\n{NOTES}\n", f"New.\n\n{NOTES}\n", f"New.\n\n{NOTES}\n"),
        (f"Old.\n\n{HIS}", f"New.\n\n{NOTES}\n", f"New.\n\n{HIS}"),
        (f"Old.\r\n\r\n{HIS}".replace("\n", "\r\n"), "New.", f"New.\n\n{HIS}"),
        (f"Old.\n\n{HIS}", "", f"\n\n{HIS}"),
    ],
)
def test_what_people_noted_stays(old: str, new: str, then: str) -> None:
    assert rewritten(old, new, 1_000) == then
    assert rewritten(then, new, 1_000) == then


def test_notes_and_news_fit_together() -> None:
    then = rewritten(f"Old.\n\n{NOTES}\n{'n' * 900}", "w" * 900, 1_000)
    assert len(then) <= 1_000
    assert then.count(CUT.strip()) == 2
    assert rewritten(then, "w" * 900, 1_000) == then


@pytest.mark.parametrize("text", ["short", "x" * 99, "~~~~\n" + "x" * 200, "```py\nx\n```\n" + "y" * 200, "`" * 200])
def test_a_cut_text_fits_and_says_so(text: str) -> None:
    shown = cut(text, 100)
    assert len(shown) <= 100
    assert (shown == text) is (len(text) <= 100)
    assert shown == text or shown.endswith(CUT) or "`" in shown


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("no block", "no block"),
        ("```\nx\n```", "```\nx\n```"),
        ("```\nx", "```\nx\n```"),
        ("~~~~\nx\n~~~\n```", "~~~~\nx\n~~~\n```\n~~~~"),
        ("``` inline ```", "``` inline ```"),
        ("    ```", "    ```"),
    ],
)
def test_no_code_block_is_left_open(text: str, then: str) -> None:
    assert closed(text) == then


@pytest.mark.parametrize(
    ("status", "ended", "expected"),
    [
        (Phase.TODO, False, True),
        ("Someday", False, True),
        (Phase.PLAN_GATE, False, True),
        (Phase.GAVE_UP, False, False),
        ("canceled", False, False),
        ("Someday", True, False),
    ],
)
def test_what_is_open(status: str, ended: bool, expected: bool) -> None:
    ticket = Ticket(ref=TicketRef(tracker="t", id="1"), identifier="1", title="One", status=status, closed=ended)
    assert is_open(ticket) is expected


def test_labels_are_the_same_in_all_letters() -> None:
    ticket = Ticket(
        ref=TicketRef(tracker="t", id="1"), identifier="1", title="One", status="Todo", labels=("Bug", "web")
    )
    assert carries(ticket, ())
    assert carries(ticket, ("bug", "WEB"))
    assert not carries(ticket, ("bug", "ops"))


@pytest.mark.parametrize(
    ("title", "body", "same"),
    [
        ("Lint: a.py", "> From a tape.\n\n* one\n  - two_x", True),
        (" Lint: a.py ", "> From a tape\\.\r\n\r\n+ one\n\n- two\\_x\n", True),
        ("Lint: a.py", "> From a tape.\n\n* one\n* two_x\n* three", False),
        ("Lint: b.py", "> From a tape.\n\n* one\n* two_x", False),
        ("Lint: a.py > From a tape.", "* one\n* two_x", False),
    ],
)
def test_a_text_is_the_same_however_a_tracker_keeps_it(title: str, body: str, same: bool) -> None:
    kept = text_digest("Lint: a.py", "> From a tape.\n\n- one\n- two_x")
    assert (text_digest(title, body) == kept) is same


def many(count: int, body: str, title: str = "Mend it") -> list[Ticket]:
    refs = [TicketRef(tracker="github", id=f"{number}") for number in range(count)]
    return [Ticket(ref=ref, identifier=f"#{ref.id}", title=title, body=body, status="Todo") for ref in refs]


@pytest.mark.parametrize(("count", "most"), [(100, 4_000), (200, 2_000), (500, 1_000)])
def test_the_more_tickets_are_told_of_the_shorter_they_are(count: int, most: int) -> None:
    told = listed(many(count, "x" * 9_000))
    assert all(most - 20 < len(ticket.body) <= most for ticket in told)
    assert all(ticket.body.endswith(CUT) for ticket in told)
    assert [ticket.identifier for ticket in told] == [f"#{number}" for number in range(count)]


def test_what_is_too_much_even_without_texts_is_left_out_from_the_end() -> None:
    told = listed(many(500, "x" * 9_000, "t" * 3_000))
    assert 150 < len(told) < 200
    assert [ticket.identifier for ticket in told] == [f"#{number}" for number in range(len(told))]
    assert not any(ticket.body for ticket in told)


def test_a_list_without_texts() -> None:
    assert [len(ticket.body) for ticket in listed(many(2, "x"), 0)] == [0, 0]
    assert len(listed(many(500, "x" * MOST_LISTED), 0)) == 500
    assert listed([]) == ()
