"""What is answered after a press: without holding anything up, and only where Slack's answers belong."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from infra.slack.hands import Hands
from infra.slack.modals import modal
from infra.slack.readings import Opening, Whisper
from tests.fakes import slack as fake
from tests.fakes.service import Fault
from tests.fakes.slack import BOT_TOKEN, FakeSlack
from workflows.domain.chat import ANSWER, APPROVE, REQUEST_CHANGES, Bound
from workflows.domain.ticket import TicketRef

BOUND = Bound(ref=TicketRef(tracker="linear", id="9f3c"), identifier="ENG-12", subject="3f2a9c1055e1")


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


def opening(slack: FakeSlack, trigger: str = "t1", answers: str = "") -> Opening:
    slack.triggers[trigger] = time.time()
    view = modal(REQUEST_CHANGES, BOUND)
    assert view
    return Opening(trigger, view, answers or f"{slack.url}/actions/1", "Write it on the ticket.")


@pytest.mark.parametrize("action", [REQUEST_CHANGES, ANSWER])
async def test_slack_takes_our_modals(slack: FakeSlack, action: str) -> None:
    view = modal(action, BOUND.model_copy(update={"identifier": "<!channel>" * 10}))
    assert view
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    hands.soon(opening(slack)._replace(view=view))
    await hands.close()
    assert slack.views[0]["callback_id"] == action


def test_approval_opens_none() -> None:
    assert modal(APPROVE, BOUND) is None


async def test_nothing_waits_for_it(slack: FakeSlack) -> None:
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    hands.soon(opening(slack))
    assert not slack.faults.seen, "it is done in the background"
    await hands.close()
    assert len(slack.views) == 1


@pytest.mark.parametrize(
    "fault", [Fault(at="views.open"), Fault(at="views.open", status=500, body=b"<html>")], ids=["cut", "500"]
)
async def test_where_no_form_opens_people_are_told_what_to_write(slack: FakeSlack, fault: Fault) -> None:
    slack.faults.add(fault)
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    hands.soon(opening(slack))
    await hands.close()
    assert slack.whispers[0]["text"] == "Write it on the ticket."
    assert slack.whispers[0]["response_type"] == "ephemeral"
    assert slack.whispers[0]["replace_original"] is False


@pytest.mark.parametrize("trigger", ["used", "old"])
async def test_a_trigger_that_is_no_good_any_more_is_such_a_case(slack: FakeSlack, trigger: str) -> None:
    what = opening(slack)
    if trigger == "old":
        slack.triggers["t1"] -= 4
    else:
        slack.triggers.clear()
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    hands.soon(what)
    await hands.close()
    assert len(slack.whispers) == 1
    assert not slack.views


async def test_without_a_token_slack_is_not_asked_to_open_anything(slack: FakeSlack) -> None:
    hands = Hands(answers=slack.url)
    hands.soon(opening(slack))
    await hands.close()
    assert len(slack.whispers) == 1
    assert not any("views.open" in asked for asked in slack.faults.seen)


async def test_an_answer_goes_nowhere_but_to_slack(slack: FakeSlack) -> None:
    hands = Hands(BOT_TOKEN, slack.api)
    hands.soon(Whisper(f"{slack.url}/actions/1", "hello"))
    hands.soon(Whisper("https://hooks.slack.com.evil.example/x", "hello"))
    await hands.close()
    assert not slack.faults.seen


async def test_a_slack_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, slack: FakeSlack) -> None:
    monkeypatch.setattr("infra.slack.hands._SECONDS", 0.1)
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    hands = Hands(BOT_TOKEN, url, url)
    hands.soon(opening(slack, answers=f"{url}x"))
    begun = time.monotonic()
    await hands.close()
    assert time.monotonic() - begun < 3
    held.set()
    server.close()
    await server.wait_closed()


async def test_a_flood_leaves_the_newest_undone(slack: FakeSlack) -> None:
    hands = Hands("", slack.api, slack.url)
    for _ in range(300):
        hands.soon(Whisper(f"{slack.url}/actions/1", "hello"))
    await hands.close()
    assert len(slack.whispers) == 100
