"""Who may decide in Slack: what Slack says of people when it is asked, and how long that is believed."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.slack.calls import SlackCalls
from activities.slack.people import SlackPeople
from tests.fakes import slack as fake
from tests.fakes.service import Fault
from tests.fakes.slack import BOT, BOT_TOKEN, CHANNEL, TEAM, FakeSlack
from tests.fakes.slack_person import Person
from workflows.domain.failures import Failure
from workflows.domain.people import Trust


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


@pytest.fixture
def people(slack: FakeSlack) -> SlackPeople:
    return SlackPeople(SlackCalls(BOT_TOKEN, slack.api))


async def test_a_full_member_is_one_and_slack_is_asked_once(slack: FakeSlack, people: SlackPeople) -> None:
    Person(slack)
    assert {await people.trust_of("U0ADA") for _ in range(3)} == {Trust.MEMBER}
    assert sum("users.info" in asked for asked in slack.faults.seen) == 1


@pytest.mark.parametrize(
    "mark",
    ["is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted", "is_invited_user", "is_workflow_bot"],
)
async def test_guests_strangers_bots_and_who_has_left_are_none(
    slack: FakeSlack, people: SlackPeople, mark: str
) -> None:
    Person(slack).is_now(**{mark: True})
    assert await people.trust_of("U0ADA") is Trust.STRANGER


async def test_nor_is_who_belongs_to_another_workspace_or_is_not_known(slack: FakeSlack, people: SlackPeople) -> None:
    Person(slack, "U0EVE", "eve", "T0OTHER").is_now()
    for user in ("U0EVE", "U0NOBODY", "USLACKBOT", BOT):
        assert await people.trust_of(user) is Trust.STRANGER
    slack.users["U0EVE"]["enterprise_user"] = {"teams": ["T0OTHER", TEAM]}
    assert await SlackPeople(people.calls).trust_of("U0EVE") is Trust.MEMBER, "of the same organisation"


@pytest.mark.parametrize("silent", ["team_id", "is_restricted", "is_ultra_restricted", "is_bot", "deleted"])
async def test_where_slack_is_silent_nobody_is_let_in(slack: FakeSlack, people: SlackPeople, silent: str) -> None:
    Person(slack)
    del slack.users["U0ADA"][silent]
    assert await people.trust_of("U0ADA") is Trust.STRANGER


async def test_an_answer_is_believed_for_minutes_only_and_few_are_kept(
    slack: FakeSlack, people: SlackPeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = Person(slack)
    assert await people.trust_of(ada.id) is Trust.MEMBER
    ada.is_now(is_restricted=True)
    monkeypatch.setattr("activities.slack.people.KEPT_SECONDS", 0.0)
    assert await people.trust_of(ada.id) is Trust.STRANGER
    monkeypatch.setattr("activities.slack.people.MOST_KEPT", 3)
    for number in range(5):
        await people.trust_of(f"U{number}")
    assert len(people._known) == 3  # pyright: ignore[reportPrivateUsage]


async def test_a_slack_that_cannot_be_asked_lets_nobody_through(slack: FakeSlack, people: SlackPeople) -> None:
    Person(slack)
    slack.limits["users.info"] = 7
    with pytest.raises(ApplicationError) as caught:
        await people.trust_of("U0ADA")
    assert caught.value.next_retry_delay == timedelta(seconds=7), "Temporal waits as long as Slack asks for"
    slack.faults.add(Fault(at="users.info"))
    slack.faults.add(Fault(at="users.info", status=503))
    for _ in range(2):
        with pytest.raises(ApplicationError) as caught:
            await people.trust_of("U0ADA")
        assert (caught.value.type, caught.value.non_retryable) == (Failure.OUT_OF_REACH.value, False)
    assert await people.trust_of("U0ADA") is Trust.MEMBER, "and what it could not say is not remembered"


async def test_without_the_scope_it_is_said_what_to_add(slack: FakeSlack, people: SlackPeople) -> None:
    slack.scopes.clear()
    with pytest.raises(ApplicationError, match=r"It needs users:read\. Add the scope") as caught:
        await people.trust_of("U0ADA")
    assert caught.value.non_retryable


async def test_one_person_alone_is_told_and_nobody_called(slack: FakeSlack, people: SlackPeople) -> None:
    Person(slack)
    assert await people.whisper("U0ADA", f"{CHANNEL}:17.0", "No <!channel>.")
    (said,) = slack.whispers
    assert (said["channel"], said["thread_ts"], said["user"]) == (CHANNEL, "17.0", "U0ADA")
    assert not slack.called
    assert not await people.whisper("U0NOBODY", CHANNEL, "No."), "not there"
    assert not await people.whisper("U0ADA", "C0NOWHERE", "No.")
    slack.faults.add(Fault(at="postEphemeral", status=500))
    with pytest.raises(ApplicationError):
        await people.whisper("U0ADA", CHANNEL, "No.")
