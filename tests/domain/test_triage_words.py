"""What people read of a night."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from workflows.domain.budget import Spend
from workflows.domain.loop import LoopOutcome, is_news
from workflows.domain.triage import Entry, Kind, NightOutcome, Standing, Tried, Verdict
from workflows.domain.triage_words import MOST_CHARACTERS, bare, plain, proof, report, says, stopped, ticket_body

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)


def entry(subject: str = "a::b", **more: Any) -> Entry:
    given: dict[str, Any] = {"standing": Standing.REPORTED, "title": "It is red", "id": subject[:10], **more}
    return Entry(kind=Kind.FAILING_TEST, subject=subject, first_seen=NOW, last_seen=NOW, **given)


def tried(of: Verdict, runs: int, failed: int, excerpt: str = "") -> Tried:
    return Tried(at=NOW, base="0123456789abcdef", runs=runs, failed=failed, verdict=of, excerpt=excerpt)


@pytest.mark.parametrize(
    ("goes", "words"),
    [
        ((tried(Verdict.CONFIRMED, 5, 5),), "Fails every time: 5 of 5 runs failed at `0123456789ab`."),
        ((tried(Verdict.FLAKY, 5, 1),), "Flaky: fails now and then: 1 of 5 runs failed at `0123456789ab`."),
        ((tried(Verdict.FLAKY, 5, 1), tried(Verdict.UNPROVEN, 0, 0)), "Flaky: fails now and then: 1 of 5 runs"),
        ((tried(Verdict.FLAKY, 5, 1), tried(Verdict.REFUTED, 5, 0)), "Flaky: fails now and then: 1 of 5 runs"),
        ((tried(Verdict.UNPROVEN, 0, 0),), "Its command says nothing."),
        ((), "Its command says nothing."),
    ],
)
def test_what_shows_it_is_said_with_its_numbers(goes: tuple[Tried, ...], words: str) -> None:
    assert proof(entry(command="x", tried=goes)).startswith(words)
    assert proof(entry(tried=())) == "No command has shown it: it is told as it was read."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Fix the\nlogin  loop", "Fix the login loop"),
        ("@ada closes #12 a@b", "@ ada closes # 12 a@ b"),
        ("<!-- pawl:x -->", "< !-- pawl:x -->"),
        ("Fixes GH-12, gh-3 and acme/shop#12", "Fixes GH- 12, gh- 3 and acme/shop# 12"),
        ("closes https://github.com/acme/shop/issues/12", "closes https: //github.com/acme/shop/issues/12"),
        ("See WWW.evil.example or [here](mailto:x)", "See WWW. evil.example or [here] (mailto:x)"),
        ("GHC-9: high-12 is //-free", "GHC-9: high-12 is //-free"),
        ("x" * 30, "x" * 19 + "…"),
        ("\u202ex", r"\u202ex"),
    ],
)
def test_a_title_calls_nobody_and_passes_for_nothing(text: str, shown: str) -> None:
    assert plain(text, 20 if len(text) == 30 else 200) == shown


def test_the_same_findings_are_the_same_report_on_every_night() -> None:
    later = entry(times=1).model_copy(update={"last_seen": NOW + timedelta(days=9)})
    assert report([entry()], "hinge", "/t.yaml") == report([later], "hinge", "/t.yaml")


def test_a_report_says_what_is_open_and_what_is_fixed() -> None:
    fixed = entry("c::d", standing=Standing.FIXED)
    ignored = entry("e::f", standing=Standing.IGNORED)
    text = report([entry(), fixed, ignored], "hinge", "/t.yaml")
    assert text.startswith("1 finding in `hinge`.\n\n### Failing test: `a::b`\n\n    It is red\n\n")
    assert "### Fixed since\n\n- `c::d`\n\n" in text
    assert "e::f" not in text
    assert "`standing: ignored` in `/t.yaml`" in text
    assert report([fixed], "hinge", "/t.yaml").startswith("Nothing of this is open any more.")


def test_a_long_report_fits_where_reports_are_read() -> None:
    many = [entry(f"{number:03}::" + "s" * 290, title="t" * 200, detail="d" * 4_000) for number in range(500)]
    text = report(many, "hinge", "/t.yaml")
    assert len(text) < MOST_CHARACTERS + 50 * 310 + 2_000 < 65_536
    assert "500 findings" in text
    assert "### And\n\n- `0" in text
    assert " more\n" in text


def test_a_draft_holds_what_its_last_run_said() -> None:
    text = ticket_body(entry(command="make x", times=2, tried=(tried(Verdict.CONFIRMED, 5, 5, "E boom"),)), "hinge")
    assert "What it said last:\n\n    E boom" in text
    assert "To see it, at the root of the checkout:\n\n    make x" in text
    assert "this is time 2." in text


def test_no_mark_is_hidden_in_what_programs_wrote() -> None:
    said = "<!-- pawl:a --> <\x1b[0m!-- pawl:b -->"
    goes = (tried(Verdict.CONFIRMED, 5, 5, said),)
    text = ticket_body(entry(said, id="a", detail=said, command=said, tried=goes), "hinge")
    assert "<!--" not in text
    assert text.count("    < !-- pawl:a --> < !-- pawl:b -->") == 3


def test_a_ticket_nobody_watches_holds_nothing_a_model_chose() -> None:
    chosen = entry(command="echo do more; false", tried=(tried(Verdict.CONFIRMED, 5, 5, "do more"),))
    assert "do more" in ticket_body(chosen, "hinge")
    assert "do more" not in ticket_body(bare(chosen), "hinge")


@pytest.mark.parametrize(
    ("night", "words"),
    [
        ({"silent": True}, "Nothing new since 2026-03-02 03:00 UTC. Nobody was asked or told anything."),
        (
            {"silent": True, "asked": True, "refuted": 1, "spend": Spend(usd=Decimal("0.031"))},
            "0 new findings, 1 refuted. Nobody was told anything. The triager cost $0.03.",
        ),
        (
            {"asked": True, "found": 2, "known": 1, "fixed": 1, "waiting": 1, "tickets": ("F-1",), "started": ("F-1",)},
            "2 new findings, 1 known before, 1 fixed, 1 waiting for the next night. Written: F-1. Started: F-1. "
            "The triager cost $0.00.",
        ),
        (
            {"tickets": ("F-1",), "trouble": "No disk."},
            "Not finished: No disk. The next night looks at the same again. 0 new findings. Written: F-1. "
            "No model was asked.",
        ),
        (
            {"trouble": "No disk."},
            "Not finished: No disk. The next night looks at the same again. 0 new findings. No model was asked.",
        ),
        (
            {"trouble": "It is gone.", "gone": "It is gone."},  # its schedule pauses itself
            "Not finished: It is gone. 0 new findings. No model was asked.",
        ),
        (
            {"asked": True, "spend": None, "warning": "The bill could not be read."},
            "The bill could not be read. 0 new findings.",
        ),
        (
            {"silent": True, "asked": True, "spend": Spend(recorded_usd=Decimal("0.031"))},
            "0 new findings. Nobody was told anything. No live model answered: the triager cost $0.03 on the tape.",
        ),
    ],
)
def test_a_night_says_in_one_line_what_came_of_it(night: dict[str, Any], words: str) -> None:
    assert says(NightOutcome.model_validate({"says": "", "at": NOW, **night}), NOW) == words


def test_a_triager_that_submitted_nothing_says_how() -> None:
    assert stopped("asked", "", "Which\n@ada?") == "The triager submitted nothing (asked). Which @ ada?"


@pytest.mark.parametrize(
    ("last", "trouble", "news"),
    [
        (None, "", False),
        (None, "No.", True),
        (("No.", True), "No.", False),
        (("No.", False), "No.", True),
        (("No, after 3 s at 12:00:01.", True), "No, after 5 s at 13:00:09.", False),
        (("No.", True), "Other.", True),
        (("", False), "No.", True),
        (("No.", True), "", False),
    ],
)
def test_a_trouble_is_news_until_it_was_told(last: tuple[str, bool] | None, trouble: str, news: bool) -> None:
    before = LoopOutcome(at=NOW, says="", trouble=last[0], told=last[1]) if last else None
    assert is_news(trouble, before) is news
