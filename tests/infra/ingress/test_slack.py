"""What Slack's events and commands say, and that what is hostile changes nothing."""

import json
import time
from collections.abc import AsyncGenerator, Callable
from urllib.parse import urlencode

import pytest

from infra.ingress.door import Delivery, Unreadable
from tests.fakes import slack as fake
from tests.fakes.slack import BOT, CHANNEL, OPS, TEAM, FakeSlack
from tests.fakes.slack_person import Person, Signed, as_form, as_interaction, as_json, signed
from tests.fakes.slack_rules import Json
from tests.infra.ingress.slack_desk import ADHOC, door, gate, read, words
from workflows.domain.chat import APPROVE, Place, SlackChannel, TaskAsked
from workflows.domain.intake import AskWho, Leave, Start, TellWords, Terms, decide
from workflows.domain.people import Trust


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


@pytest.fixture
def ada(slack: FakeSlack) -> Person:
    return Person(slack)


def test_slack_learns_that_the_address_is_ours() -> None:
    delivery = read(as_json({"type": "url_verification", "challenge": "3eZ", "token": "old"}))
    assert json.loads(delivery.reply) == {"challenge": "3eZ"}
    assert not delivery.happenings


def test_a_mention_in_a_channel_is_a_task(ada: Person) -> None:
    event = ada.mention("Fix the login loop\nIt &lt;loops&gt;.")
    said = words(read(as_json(event)))
    ts = event["event"]["ts"]
    assert said.id == f"slack:{CHANNEL}:{ts}"
    assert said.ref.id == Place(TEAM, CHANNEL, ts).id
    assert said.card
    assert (said.card.title, said.card.body) == ("Fix the login loop", "Fix the login loop\nIt <loops>.")
    route = ADHOC.route("slack")
    assert route
    terms = Terms(routes=(route,), model="m:x")
    assert decide(said, terms) == (AskWho(said=said),)
    vouched = said.model_copy(update={"by": said.by.model_copy(update={"trust": Trust.MEMBER})})
    start, tell = decide(vouched, terms)
    assert isinstance(start, Start)
    assert isinstance(tell, TellWords)
    assert start.order.repository == "/src/shop"


def test_a_mention_heard_of_twice_and_as_a_message_is_one_happening(ada: Person) -> None:
    event = ada.mention("go on", thread=ada.slack.say(CHANNEL, BOT, "card")["ts"])
    as_message = event | {"event_id": "Ev2", "event": event["event"] | {"type": "message"}}
    said, *others = [words(read(as_json(one))) for one in (event, event, as_message)]
    assert others == [said, said]
    assert (said.text, said.addressed, said.card) == ("go on", True, None)


def test_a_reply_without_a_mention_is_not_said_to_pawl(ada: Person) -> None:
    said = words(read(as_json(ada.reply("I think so too", ada.slack.say(CHANNEL, BOT, "card")["ts"]))))
    assert isinstance(decide(said, Terms())[0], Leave)


def test_chatter_in_the_channel_is_nothing(ada: Person) -> None:
    event = ada.reply("hello", ada.slack.say(CHANNEL, BOT, "card")["ts"])
    del event["event"]["thread_ts"]
    assert not read(as_json(event)).happenings


@pytest.mark.parametrize(
    ("change", "trust"),
    [
        ({"team": "T0OTHER"}, Trust.STRANGER),
        ({"user_team": "T0OTHER"}, Trust.STRANGER),
        ({"bot_id": "B0OTHER"}, Trust.STRANGER),
        ({"user": BOT}, Trust.OURS),
        ({}, Trust.UNPROVEN),
    ],
)
def test_who_speaks_is_trusted_as_far_as_slack_vouches(ada: Person, change: Json, trust: Trust) -> None:
    event = ada.mention("approve everything")
    event["event"] |= change
    assert words(read(as_json(event))).by.trust is trust


def test_in_a_shared_channel_a_person_of_no_known_team_is_a_stranger(ada: Person) -> None:
    event: Json = ada.mention("approve everything") | {"is_ext_shared_channel": True}
    del event["event"]["team"]
    assert words(read(as_json(event))).by.trust is Trust.STRANGER


@pytest.mark.parametrize("subtype", ["message_changed", "message_deleted", "channel_join", "bot_message"])
def test_edits_and_joins_are_no_words(ada: Person, subtype: str) -> None:
    event = ada.mention("hello")
    event["event"] |= {"type": "message", "subtype": subtype}
    assert not read(as_json(event)).happenings


def test_a_command_is_a_task_for_the_channels_repository(ada: Person) -> None:
    delivery = read(as_form(ada.command("Fix the <login> loop")))
    (task,) = delivery.happenings
    assert isinstance(task, TaskAsked)
    assert (task.tracker, task.team, task.title) == ("slack", CHANNEL, "Fix the <login> loop")
    reply = json.loads(delivery.reply)
    assert reply["response_type"] == "ephemeral"
    assert "Taken" in reply["text"]


def test_a_command_is_a_task_for_the_tracker_that_the_channel_names(ada: Person) -> None:
    at = door(SlackChannel(channel=CHANNEL, tracker="linear", team="ENG"))
    (task,) = read(as_form(ada.command("Fix it")), at).happenings
    assert isinstance(task, TaskAsked)
    assert (task.tracker, task.team) == ("linear", "ENG")
    assert task.by.key == "slack:U0ADA"


@pytest.mark.parametrize(
    ("text", "channel", "team", "said"),
    [
        ("", CHANNEL, TEAM, "/pawl help"),
        (" HELP ", CHANNEL, TEAM, "/pawl help"),
        ("Fix it", OPS, TEAM, f"channel `{OPS}`"),
        ("Fix it", "<!channel>", TEAM, "channel `&lt;!channel&gt;`"),
        ("Fix it", CHANNEL, "T0OTHER", "Only members"),
    ],
)
def test_a_command_that_gives_no_task_is_answered(ada: Person, text: str, channel: str, team: str, said: str) -> None:
    ada.team = team
    delivery = read(as_form(ada.command(text, channel)))
    assert not delivery.happenings
    assert said in json.loads(delivery.reply)["text"]


def test_a_task_is_no_word_on_a_ticket(ada: Person) -> None:
    """Whoever does not know of tasks does nothing with one."""
    (task,) = read(as_form(ada.command("Fix it"))).happenings
    assert isinstance(task, TaskAsked)
    assert task.card is None


@pytest.mark.parametrize(
    "made",
    [
        lambda: signed(b"[" * 100_000),
        lambda: signed(b'{"type": "event_callback", "event": {"type": "message", "ts": "soon"}}'),
        lambda: signed(b"\xff\xfe"),
        lambda: signed(b"payload=%7B", "application/x-www-form-urlencoded"),
        lambda: signed(b"payload=%FF&\xff", "application/x-www-form-urlencoded"),
        lambda: signed(urlencode({str(n): "1" for n in range(500)}).encode(), "application/x-www-form-urlencoded"),
        lambda: signed(b"<xml/>", "application/xml"),
        lambda: as_interaction({"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_ts": "1e999"}]}),
        lambda: as_form({"command": "/pawl", "text": "x", "trigger_id": "t" * 5_000}),
    ],
    ids=range(9),
)
def test_what_is_not_in_slacks_form_is_said_to_be_unreadable(made: Callable[[], Signed]) -> None:
    request_ = made()  # signed now: a test may come long after it was collected
    if request_.body.isascii():
        door().check(request_.headers, request_.body, time.time())
    with pytest.raises(Unreadable):
        door().read(request_.headers, request_.body)


@pytest.mark.parametrize("value", ["", "{}", "null", '{"ref": 1}', "[" * 5_000, '{"ref":{"tracker":"a","id":"b"}}'])
async def test_a_button_that_is_not_ours_means_nothing(slack: FakeSlack, ada: Person, value: str) -> None:
    press = ada.press(await gate(slack), APPROVE)
    press["actions"][0]["value"] = value
    assert not read(as_interaction(press)).happenings


@pytest.mark.parametrize("kind", ["block_actions", "view_submission", "view_closed", "shortcut", "unknown"])
def test_interactions_of_other_kinds_are_taken_and_left(kind: str) -> None:
    assert not read(as_interaction({"type": kind, "user": {"id": "U1", "team_id": TEAM}})).happenings


@pytest.mark.parametrize("kind", ["app_uninstalled", "reaction_added", "tokens_revoked"])
def test_unknown_events_are_taken_and_left(kind: str) -> None:
    event = {"type": "event_callback", "event_id": "Ev1", "team_id": TEAM, "event": {"type": kind}}
    assert read(as_json(event)) == Delivery("Ev1", kind, ())
