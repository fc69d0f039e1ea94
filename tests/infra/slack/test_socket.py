"""Socket mode with the vendor's own client: acknowledged when delivered, and only then."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import pytest

from infra.slack.hands import Hands
from infra.slack.readings import Readings
from infra.slack.socket import Socket
from tests.fakes import slack as fake
from tests.fakes.service import Fault
from tests.fakes.slack import APP_TOKEN, CHANNEL, TEAM, FakeSlack
from tests.fakes.slack_person import Person
from workflows.domain.chat import SlackChannel, TaskAsked
from workflows.domain.intake import Happening, WordsSaid


class Temporal:
    """Where happenings end up."""

    def __init__(self) -> None:
        self.away = False
        self.got: list[Happening] = []
        self.tries = 0

    async def deliver(self, happenings: Sequence[Happening]) -> None:
        self.tries += 1
        if self.away:
            raise ConnectionError("no server")
        self.got += happenings


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


@pytest.fixture
def temporal() -> Temporal:
    return Temporal()


def socket(slack: FakeSlack, temporal: Temporal, token: str = APP_TOKEN) -> Socket:
    readings = Readings("slack", TEAM, (SlackChannel(channel=CHANNEL, repository="/src/shop"),))
    return Socket(token, readings, temporal.deliver, Hands(answers=slack.url), slack.api, ping_interval=0.2)


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110  # the double tells by its state only
            await asyncio.sleep(0.01)


async def test_what_is_delivered_is_acknowledged_with_its_reply(slack: FakeSlack, temporal: Temporal) -> None:
    ada = Person(slack)
    async with socket(slack, temporal):
        await until(lambda: slack.sockets)
        command = await slack.push("slash_commands", dict(ada.command("Fix it")))
        event = await slack.push("events_api", ada.mention("Fix that"))
        await until(lambda: len(slack.acked) == 2)
    assert {type(one) for one in temporal.got} == {TaskAsked, WordsSaid}
    assert "Taken" in slack.acked[command]["payload"]["text"]
    assert "payload" not in slack.acked[event]


async def test_what_could_not_be_delivered_is_sent_again(slack: FakeSlack, temporal: Temporal) -> None:
    temporal.away = True
    async with socket(slack, temporal):
        await until(lambda: slack.sockets)
        envelope = await slack.push("events_api", Person(slack).mention("Fix that"))
        await until(lambda: temporal.tries)
        temporal.away = False
        assert envelope in slack.unacked
        await slack.resend()
        await until(lambda: envelope in slack.acked)
    assert len(temporal.got) == 1


async def test_it_reconnects_when_asked_and_when_cut(slack: FakeSlack, temporal: Temporal) -> None:
    async with socket(slack, temporal):
        await until(lambda: slack.opened == 1)
        await slack.ask_to_reconnect()
        await until(lambda: slack.opened >= 2)
        await slack.sockets[-1].close()
        opened = slack.opened
        await until(lambda: slack.opened > opened and slack.sockets)
        envelope = await slack.push("events_api", Person(slack).mention("Fix that"))
        await until(lambda: envelope in slack.acked)
    assert len(temporal.got) == 1


async def test_it_keeps_trying_while_slack_is_away(slack: FakeSlack, temporal: Temporal) -> None:
    slack.faults.add(Fault(at="apps.connections.open", times=2))
    slack.faults.add(Fault(at="apps.connections.open", status=500, body=b"<html>"))
    async with socket(slack, temporal):
        await until(lambda: slack.opened)


async def test_it_says_so_and_ends_cleanly_without_ever_having_connected(
    slack: FakeSlack, temporal: Temporal, caplog: pytest.LogCaptureFixture
) -> None:
    before = asyncio.all_tasks()
    one = socket(slack, temporal, "xapp-wrong")
    one.patience = 0.3
    async with one:
        await until(lambda: len(slack.faults.seen) >= 2 and caplog.text)
    assert "Check the app token" in caplog.text
    assert "xapp-wrong" not in caplog.text + repr(one)
    assert not slack.opened
    assert not {task for task in asyncio.all_tasks() - before if "slack_sdk" in repr(task)}


async def test_no_task_of_it_is_left_behind(slack: FakeSlack, temporal: Temporal) -> None:
    before = asyncio.all_tasks()
    async with socket(slack, temporal):
        await until(lambda: slack.sockets)
        await slack.push("hello?", {})
    await until(lambda: not slack.sockets)
    assert not {task for task in asyncio.all_tasks() - before if "slack_sdk" in repr(task)}


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("events_api", {"event": 3}), ("interactive", {}), ("interactive", {"type": "x", "user": []}), ("news", {})],
)
async def test_what_is_in_no_form_is_acknowledged_and_left(
    slack: FakeSlack, temporal: Temporal, kind: str, payload: dict[str, object]
) -> None:
    async with socket(slack, temporal):
        await until(lambda: slack.sockets)
        envelope = await slack.push(kind, payload)
        await until(lambda: envelope in slack.acked)
    assert not temporal.got
