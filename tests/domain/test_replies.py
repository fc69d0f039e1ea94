"""What people are told beside the ticket's way, and how decisions are shown: untrusted names stay names."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from workflows.domain.budget import Spend
from workflows.domain.decision import Action, DecisionRecord
from workflows.domain.gates import DAY, Due, GateRules
from workflows.domain.order import SessionLine, TicketOutcome, TicketStatus
from workflows.domain.people import Person
from workflows.domain.replies import addressed, footer, overdue, where_it_is
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


def test_a_remark_ends_with_what_it_took_so_far() -> None:
    assert footer(WAITS) == "_Session `e.1.planner1`; 3 turns, 1,234 tokens, $0.12 so far_"
    assert footer(WAITS.model_copy(update={"sessions": ()})) == ""


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
