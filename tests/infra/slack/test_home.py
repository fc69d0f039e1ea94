"""A process asks Slack whose token it holds, and says what is wrong with it."""

from collections.abc import AsyncGenerator

import pytest

from infra.exits import NoAccess, OutOfReach
from infra.slack.home import home_of
from tests.fakes import slack as fake
from tests.fakes.service import Fault
from tests.fakes.slack import BOT, BOT_TOKEN, TEAM, FakeSlack


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


async def test_a_token_tells_its_workspace_and_user(slack: FakeSlack) -> None:
    assert await home_of(BOT_TOKEN, slack.api) == (TEAM, BOT)


async def test_a_wrong_one_is_said_and_not_shown(slack: FakeSlack) -> None:
    with pytest.raises(NoAccess, match="SLACK_BOT_TOKEN") as caught:
        await home_of("xoxb-wrong-one", slack.api)
    assert "xoxb-wrong-one" not in str(caught.value)


@pytest.mark.parametrize("status", [0, 429, 500, 503])
async def test_a_slack_that_is_away_is_said_to_be(slack: FakeSlack, status: int) -> None:
    slack.faults.add(Fault(at="auth.test", status=status, body=b'{"ok": false, "error": "fatal_error"}'))
    with pytest.raises(OutOfReach):
        await home_of(BOT_TOKEN, slack.api)
