"""What people are told beside the ticket's way, and how decisions are shown: untrusted names stay names."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from workflows.domain.aftercare import Care
from workflows.domain.budget import Bill, Spend
from workflows.domain.decision import Action, DecisionRecord
from workflows.domain.gates import DAY, Due, GateRules
from workflows.domain.order import SessionLine, TicketOutcome, TicketStatus
from workflows.domain.people import Person
from workflows.domain.replies import addressed, footer, overdue, repeats, where_it_is
from workflows.domain.session import Role
from workflows.domain.ticket import Phase
from workflows.domain.words import decided, named, summary

AT = datetime(2026, 11, 21, 21, 4, 59, tzinfo=UTC)
HEAD = "0123456789abcdef" * 2 + "01234567"
WAITS = TicketStatus(
    identifier="ENG-1",
    title="Mend it",
    account="a",
    phase=Phase.MERGE_GATE,
    waiting_for="Waiting for your approval of the pull request",
    subject=HEAD,
    spend=Spend(turns=3, input_tokens=1_200, output_tokens=34, usd=Decimal("0.125")),
    sessions=(SessionLine(session="e.1.planner1", role=Role.PLANNER, part=1),),
)


def test_a_decision_is_shown_with_who_where_when_and_on_which_hash() -> None:
    approval = DecisionRecord(
        action=Action.APPROVE, phase=Phase.PLAN_GATE, subject=HEAD, who="linear:u1", name="Ada", via="linear", at=AT
    )
    nameless = DecisionRecord(action=Action.TOP_UP, phase=Phase.BUILDING, at=AT)
    assert decided((approval, nameless)).splitlines() == [
        "- Plan gate: approve on `0123456789ab` by Ada (`linear:u1`) from linear, 2026-11-21 21:04 UTC",
        "- Building: top-up by somebody who gave no name from Temporal, 2026-11-21 21:04 UTC",
    ]
    outcome = TicketOutcome(identifier="ENG-1", phase=Phase.DONE, summary="Merged.", decisions=(approval,))
    assert decided((approval,)) in summary(outcome)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Zoë O'Hara", "Zoë O'Hara"),
        ("<!channel> @everyone [x](http://x) `a`", "channel everyone xhttp://x a"),
        ("Ada\n\n- Merge gate: approve", "Ada - Merge gate: approve"),
        ("a\u202eb", "a\\u202eb"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_name_marks_up_nothing_and_calls_nobody(name: str, shown: str) -> None:
    assert named(name) == shown


@pytest.mark.parametrize(
    ("person", "said"),
    [
        (Person(place="github", id="1", name="Ada L.", handle="ada"), "@ada"),
        (Person(place="slack", id="U1", name="Ada", handle="ada"), "Ada"),  # @ada may be somebody else here
        (Person(place="github", id="1", name="Ada", handle="ada@acme.com"), "Ada"),
        (Person(place="github", id="1"), "github:1"),
        (Person(place="slack", id="U1", name="***"), "slack:U1"),
    ],
)
def test_people_are_called_by_a_login_only_where_it_is_theirs(person: Person, said: str) -> None:
    assert addressed(person, "github") == said


def session(role: Role, part: int, **spend: object) -> SessionLine:
    key = f"de291677-220a-4fe8-9b87-58898dd7ad2f.a8ac25ed.{role}{part}"
    return SessionLine(session=key, role=role, part=part, spend=Spend.model_validate(spend))


PLANNED = session(Role.PLANNER, 1, turns=1, input_tokens=900, output_tokens=34, usd=Decimal("0.02"))
BUILT = session(Role.BUILDER, 1, turns=2, input_tokens=300, usd=Decimal("0.105"))
BEGUN = session(Role.REVIEWER, 1)


def test_a_remark_ends_with_who_worked_and_what_it_took() -> None:
    planned = WAITS.model_copy(update={"sessions": (PLANNED,), "spend": PLANNED.spend})
    assert footer(planned) == "_planner 1 · 1 turn · 934 tokens · $0.02 · `ENG-1.a8ac25ed.planner1`_"
    built = WAITS.model_copy(update={"sessions": (PLANNED, BUILT, BEGUN)})
    assert footer(built, (PLANNED,)).split("  \n") == [
        "_builder 1 · 2 turns · 300 tokens · $0.10 · `ENG-1.a8ac25ed.builder1`_",
        "_so far 3 turns · 1,234 tokens · $0.12_",
    ]
    assert footer(built).count("`ENG-1.") == 2, "whoever was not named yet is"
    assert footer(built, built.sessions) == "", "nothing is said twice"
    assert "so far" not in footer(built.model_copy(update={"phase": Phase.DONE})), "the last word has the bill itself"
    assert footer(WAITS.model_copy(update={"sessions": (BEGUN,)})) == ""


def test_a_session_that_goes_on_is_named_again_with_all_it_took() -> None:
    more = BUILT.model_copy(update={"spend": BUILT.spend.plus(BUILT.spend)})
    assert "builder 1 · 4 turns" in footer(WAITS.model_copy(update={"sessions": (PLANNED, more)}), (PLANNED, BUILT))


@pytest.mark.parametrize(
    ("line", "remark", "is_said"),
    [
        ("CI is red: `CI / tests`. Attempt 1 of 3", "CI is red: `CI / tests`. Attempt 1 of 3.", True),
        ("Blocked: no.", "**Blocked.** no.\n\nMend it, then `pawl resume ENG-1`.", True),
        ("Strike 1 of 3: tests: a", "Strike 1 of 3: tests: a\n\n    the log", True),
        ("Strike 1 of 3: tests: a", "Strike 1 of 3: tests: abc", False),
        ("Attempt 1", "Attempt 10", False),
        ("The checks pass", "Pull request 1: u", False),
        ("", "Pull request 1: u", False),
        ("...", "Pull request 1: u", False),
    ],
)
def test_a_line_is_said_by_the_remark_that_begins_with_it(line: str, remark: str, is_said: bool) -> None:
    assert repeats(line, remark) is is_said


def test_the_last_word_names_each_kind_of_strike_that_happened() -> None:
    outcome = TicketOutcome(identifier="ENG-1", phase=Phase.DONE, summary="Merged.")
    assert "Strikes: none." in summary(outcome)
    after = Care(ci_strikes=1, review_strikes=2).strikes
    struck = outcome.model_copy(update={"strikes": 3, "strikes_after": after})
    assert "Strikes: 3 by the checks, 1 by CI, 2 by comments." in summary(struck)
    assert set(Care(conflict_strikes=1, base_strikes=1).strikes) == {"CI", "comments", "conflicts", "the base"}


def test_the_last_word_says_of_the_bill_what_there_is_to_say() -> None:
    spend = Spend(turns=1, input_tokens=10, usd=Decimal("0.5"))
    outcome = TicketOutcome(identifier="ENG-1", phase=Phase.DONE, summary="Merged.", bill=Bill(spend=spend))
    assert "1 turn, 10 tokens, $0.50 spent. Strikes" in summary(outcome)
    twice = outcome.bill.model_copy(update={"calls_bought_twice": 2})
    assert "$0.50 spent, 2 model calls bought twice." in summary(outcome.model_copy(update={"bill": twice}))


def test_status_is_answered_with_where_it_is() -> None:
    said = where_it_is(WAITS.model_copy(update={"paused": True}))
    assert said == (
        "ENG-1 is in **Merge gate**, paused (`resume` goes on). Waiting for your approval of the pull request. What "
        "waits has the hash `0123456789ab`. 3 turns, 1,234 tokens, $0.12 spent."
    )


@pytest.mark.parametrize(
    ("due", "begins"),
    [
        (Due.REMIND, "**Reminder.** ENG-1 has waited for 1 day. Waiting for your approval"),
        (Due.SECOND, "**Asked as well: github:bob, slack:U1.** ENG-1 has waited"),
        (Due.ESCALATE, "**Escalated.** ENG-1"),
    ],
)
def test_who_is_reminded_learns_of_what(due: Due, begins: str) -> None:
    said = overdue(due, DAY, WAITS, GateRules(second=("github:bob", "slack:U1")))
    assert said.startswith(begins)
    assert "`0123456789ab`" in said
