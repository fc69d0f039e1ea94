"""Slack's rules: what a channel is for, what a button is bound to, and what the digest says."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from workflows.domain.chat import Bound, Place, SlackChannel, Waiting, digest, place_of, title_of
from workflows.domain.ticket import Phase, TicketRef

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LINEAR = SlackChannel(channel="C0SHOP", tracker="linear", team="ENG")
ADHOC = SlackChannel(channel="C0SHOP", repository="/src/shop")


@pytest.mark.parametrize(
    ("channel", "files"),
    [
        (LINEAR, ("linear", "ENG")),
        (ADHOC, ("slack", "C0SHOP")),
        (SlackChannel(channel="C0SHOP", tracker="linear", repository="/src/shop"), ("linear", "")),
        (SlackChannel(channel="C0SHOP"), None),
    ],
)
def test_where_a_task_is_filed(channel: SlackChannel, files: tuple[str, str] | None) -> None:
    assert channel.files_in("slack") == files
    assert (channel.route("slack") is not None) == (files == ("slack", "C0SHOP"))


@pytest.mark.parametrize(
    ("channel", "tracker", "identifier", "hears"),
    [
        (LINEAR, "linear", "ENG-12", True),
        (LINEAR, "linear", "eng-12", True),
        (LINEAR, "linear", "OPS-12", False),
        (LINEAR, "github", "ENG-12", False),
        (SlackChannel(channel="C1", tracker="github", team="acme/shop"), "github", "acme/shop#7", True),
        (SlackChannel(channel="C1", tracker="github"), "github", "other/shop#7", True),
        (ADHOC, "", "ENG-12", False),
    ],
)
def test_which_tickets_a_channel_hears_of(channel: SlackChannel, tracker: str, identifier: str, hears: bool) -> None:
    assert channel.hears_of(TicketRef(tracker=tracker, id="1"), identifier) is hears


@pytest.mark.parametrize("name", ["#shop", "shop", "", "C1 C2", "<!channel>"])
def test_a_channel_is_named_by_its_id(name: str) -> None:
    with pytest.raises(ValidationError):
        SlackChannel(channel=name)


def test_the_id_of_a_ticket_in_slack_is_its_place() -> None:
    place = Place("T0PAWL", "C0SHOP", "1700000000.000100")
    assert place_of(place.id) == place


@pytest.mark.parametrize("id_", ["", "T-C-1", "T0-C0-1.1-x", "../x", "T0PAWL-C0SHOP-1700000000.000100\n", "ENG-12"])
def test_other_ids_name_no_place(id_: str) -> None:
    assert place_of(id_) is None


@pytest.mark.parametrize("value", ["", "[]", "{}", '{"ref": {"tracker": "a", "id": "b"}, "subject": ""}'])
def test_a_button_without_ticket_or_hash_is_bound_to_nothing(value: str) -> None:
    assert Bound.read(value) is None


def test_a_title_is_the_first_line() -> None:
    assert title_of("\n Fix   the login \nIt loops.") == "Fix the login"
    assert len(title_of("x" * 500)) == 120
    assert title_of(" \n") == "Task"


def waiting(name: str, hours: float, phase: Phase = Phase.PLAN_GATE, **more: str) -> Waiting:
    return Waiting.model_validate({"identifier": name, "phase": phase, "since": NOW - timedelta(hours=hours), **more})


def test_the_digest_names_the_longest_wait_first() -> None:
    lines = [
        waiting("ENG-1", 0.5),
        waiting("ENG-2", 49, Phase.QUESTION, title="<!channel> *loop*", url="https://linear.app/ENG-2"),
        waiting("ENG-3", 3, Phase.BUILDING),
        waiting("ENG-4", 1, url="javascript:x"),
    ]
    assert digest(lines, NOW) == (
        "*3 tickets wait for people*\n"
        "• *ENG-2* &lt;!channel&gt; *loop* <https://linear.app/ENG-2>: Question, for 2 days\n"
        "• *ENG-4*: Plan gate, for 1 hour\n"
        "• *ENG-1*: Plan gate, for less than an hour"
    )


def test_a_long_digest_is_cut_with_a_notice() -> None:
    text = digest([waiting(f"ENG-{n}", n) for n in range(30)], NOW)
    assert text.endswith("… and 10 more")
    assert len(text) < 3_000


def test_nothing_waits_nothing_is_said() -> None:
    assert digest([waiting("ENG-1", 1, Phase.BUILDING)], NOW) == ""
