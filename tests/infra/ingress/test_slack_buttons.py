"""Buttons and modals: a decision names what was seen, is made by who may, and counts once."""

import json
from collections.abc import AsyncGenerator

import pytest

from infra.slack.hands import Hands
from tests.fakes import slack as fake
from tests.fakes.slack import BOT_TOKEN, CHANNEL, FakeSlack
from tests.fakes.slack_person import Person, as_interaction
from tests.infra.ingress.slack_desk import HASH, REF, door, gate, read, words
from workflows.domain.chat import ANSWER, APPROVE, REQUEST_CHANGES
from workflows.domain.people import Trust
from workflows.domain.ticket import Phase


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


@pytest.fixture
def ada(slack: FakeSlack) -> Person:
    return Person(slack)


async def test_an_approval_names_ticket_and_hash_and_counts_once(slack: FakeSlack, ada: Person) -> None:
    head = await gate(slack)
    presses = [read(as_interaction(ada.press(head, APPROVE))) for _ in range(2)]
    first, second = (words(one) for one in presses)
    assert (first.ref, first.text) == (REF, f"approve {HASH}")
    assert first.id == second.id, "a double click"
    assert first.by.key == "slack:U0ADA"
    assert first.by.trust is Trust.UNPROVEN, "Slack is asked before it counts"
    assert first.heard_in == CHANNEL
    assert words(read(as_interaction(Person(slack, "U0BOB").press(head, APPROVE)))).id != first.id
    again = await gate(slack, key="acc/2")
    assert words(read(as_interaction(ada.press(again, APPROVE)))).id != first.id, "the same hash at a later gate"


async def test_a_stale_button_still_names_the_hash_it_was_shown_with(slack: FakeSlack, ada: Person) -> None:
    """The ticket then refuses it: what waits has another hash."""
    old = json.loads(json.dumps(await gate(slack)))
    assert words(read(as_interaction(ada.press(old, APPROVE)))).text == f"approve {HASH}"


async def test_a_stranger_decides_nothing(slack: FakeSlack) -> None:
    head = await gate(slack)
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    eve = Person(slack, "U0EVE", "eve", "T0OTHER")
    for action in (APPROVE, REQUEST_CHANGES):
        assert not read(as_interaction(eve.press(head, action)), door(hands=hands)).happenings
    await hands.close()
    assert not slack.views
    assert "Only members" in slack.whispers[0]["text"]


@pytest.mark.parametrize("mark", ["is_restricted", "is_ultra_restricted", "is_stranger"])
async def test_a_guest_decides_nothing(slack: FakeSlack, ada: Person, mark: str) -> None:
    press = ada.press(await gate(slack), APPROVE)
    press["user"][mark] = True
    assert not read(as_interaction(press)).happenings


@pytest.mark.parametrize(
    ("phase", "action", "said"),
    [
        (Phase.PLAN_GATE, REQUEST_CHANGES, f"request changes {HASH}: smaller, please"),
        (Phase.QUESTION, ANSWER, "answer: smaller, please"),
    ],
)
async def test_a_modal_asks_for_words(slack: FakeSlack, ada: Person, phase: Phase, action: str, said: str) -> None:
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    pressed = read(as_interaction(ada.press(await gate(slack, phase), action)), door(hands=hands))
    assert not pressed.happenings
    await hands.close()
    submitted = [read(as_interaction(ada.submit(slack.views[0], " smaller, please "))) for _ in range(2)]
    assert words(submitted[0]).text == said
    assert words(submitted[0]).ref == REF
    assert words(submitted[0]).id == words(submitted[1]).id
    assert not submitted[0].reply, "an empty answer closes the modal"


async def test_an_empty_modal_stays_open(slack: FakeSlack, ada: Person) -> None:
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    read(as_interaction(ada.press(await gate(slack), REQUEST_CHANGES)), door(hands=hands))
    await hands.close()
    delivery = read(as_interaction(ada.submit(slack.views[0], "  ")))
    assert json.loads(delivery.reply)["response_action"] == "errors"
    assert not delivery.happenings
