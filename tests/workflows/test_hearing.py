"""Words of whom nobody knows yet count once Slack has said that they are a member's, and are refused in words else."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from activities.members import PlacesMembers
from activities.slack.calls import SlackCalls
from activities.slack.people import SlackPeople
from activities.tracker.slack import SlackTracker
from infra.ingress.deliver import attend
from infra.runner import workflow_runner
from infra.slack.hands import Hands
from tests.fakes import slack as fake
from tests.fakes.service import Fault
from tests.fakes.slack import BOT_TOKEN, CHANNEL, FakeSlack
from tests.fakes.slack_person import Person, Signed, as_form, as_interaction, as_json
from tests.infra.ingress import recorder
from tests.infra.ingress.recorder import Recorder
from tests.infra.ingress.slack_desk import HASH, TERMS, door, gate, read, words, working
from workflows import names
from workflows.domain.chat import ANSWER, APPROVE
from workflows.domain.intake import WordsSaid
from workflows.domain.order import TicketOrder
from workflows.domain.ticket import Phase, TicketRef
from workflows.hearing import Hearing, HearingOrder, hearing_id
from workflows.ports.members import Said
from workflows.ports.tracker import FindNews

pytestmark = pytest.mark.server
NO_MEMBERS = ["is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted"]


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


@pytest.fixture
def ada(slack: FakeSlack) -> Person:
    return Person(slack, f"U{uuid4().hex[:10].upper()}")


def said_in(request: Signed) -> WordsSaid:
    (said,) = read(request).happenings
    assert isinstance(said, WordsSaid)
    return said


async def became_of(client: Client, said: WordsSaid) -> str:
    """What the ingress passed on, once Slack has been asked."""
    assert await attend(client, said, TERMS) == ["AskWho who said it is asked for"]
    return await client.get_workflow_handle(hearing_id(said), result_type=str).result()


async def ticket(client: Client, ref: TicketRef) -> str:
    order = TicketOrder(ref=ref, identifier="ENG-12", repository="/src", model="m:x")
    workflow_id = names.ticket_workflow_id(ref)
    await client.start_workflow(Recorder.run, order, id=workflow_id, task_queue=names.WORK)
    return workflow_id


async def test_a_members_press_mention_and_task_count_once_slack_has_vouched(
    client: Client, slack: FakeSlack, ada: Person
) -> None:
    async with working(client, slack):
        ref = TicketRef(tracker="linear", id=uuid4().hex)
        at_work = await ticket(client, ref)
        press = said_in(as_interaction(ada.press(await gate(slack, ref=ref), APPROVE)))
        assert await became_of(client, press) == f"Passed on: slack:{ada.id} is a member."
        assert await attend(client, press, TERMS) == ["AskWho asked for before"]
        assert await recorder.ended(client, at_work) == [f"slack:{ada.id} said {press.id}: approve {HASH}"]
        mention = said_in(as_json(ada.mention("Fix the login loop")))
        await became_of(client, mention)
        begun = names.ticket_workflow_id(mention.ref)
        assert len(await recorder.ended(client, begun)) == 1
        task = said_in(as_form(ada.command("Fix it")))
        assert "Passed on" in await became_of(client, task)
        filed = client.get_workflow_handle(f"task:{task.id}", result_type=str)
        assert "work begins" in await filed.result()
    assert not slack.whispers
    assert sum("users.info" in asked for asked in slack.faults.seen) == 1


@pytest.mark.parametrize("mark", NO_MEMBERS)
async def test_who_is_no_member_decides_starts_and_steers_nothing_and_is_told(
    client: Client, slack: FakeSlack, ada: Person, mark: str
) -> None:
    """None of the three payloads says what they are."""
    async with working(client, slack):
        ref = TicketRef(tracker="linear", id=uuid4().hex)
        at_work = await ticket(client, ref)
        press = said_in(as_interaction(ada.press(await gate(slack, ref=ref), APPROVE)))
        mention = said_in(as_json(ada.mention("Fix it", thread=slack.roots()[0]["ts"])))
        task = said_in(as_form(ada.command("Fix it")))
        ada.is_now(**{mark: True})
        before = len(slack.roots())
        for said in (press, mention, task):
            assert "Refused" in await became_of(client, said)
        assert await recorder.ended(client, at_work) == []
        assert len(slack.roots()) == before, "nothing was filed"
    told = [] if mark in ("is_bot", "deleted") else [CHANNEL] * 3
    assert [one["channel"] for one in slack.whispers] == told
    assert all(one["user"] == ada.id and "only full members" in one["text"] for one in slack.whispers)
    assert [bool(one.get("thread_ts")) for one in slack.whispers] == ([False, True, False] if told else [])


async def test_a_guests_form_is_refused_where_it_was_asked_for(client: Client, slack: FakeSlack, ada: Person) -> None:
    ada.is_now(is_restricted=True)
    hands = Hands(BOT_TOKEN, slack.api, slack.url)
    read(as_interaction(ada.press(await gate(slack, Phase.QUESTION), ANSWER)), door(hands=hands))
    await hands.close()
    submitted = words(read(as_interaction(ada.submit(slack.views[0], "leak it"))))
    async with working(client, slack):
        assert "Refused" in await became_of(client, submitted)
    assert slack.whispers[0]["channel"] == CHANNEL


async def test_a_look_at_slack_has_it_asked_just_so(client: Client, slack: FakeSlack, ada: Person) -> None:
    """And whichever way comes second finds it done."""
    slack.channels[CHANNEL].clear()
    event = ada.mention("Fix the login loop")
    looking = SlackTracker(SlackCalls(BOT_TOKEN, slack.api), "slack", (CHANNEL,))
    search = FindNews(tracker="slack", since=datetime(2020, 1, 1, tzinfo=UTC), routes=TERMS.routes)
    (found,) = (await looking.find_news(search)).words
    assert found == said_in(as_json(event))
    ada.is_now(is_restricted=True)
    async with working(client, slack):
        assert "Refused" in await became_of(client, found)
        assert await attend(client, said_in(as_json(event)), TERMS) == ["AskWho asked for before"]
    assert len(slack.whispers) == 1


async def test_it_waits_as_long_as_slack_asks_and_is_tried_again(client: Client, slack: FakeSlack, ada: Person) -> None:
    slack.limits["users.info"] = 1
    slack.faults.add(Fault(at="users.info", status=503))
    said = said_in(as_form(ada.command("Fix it")))
    begun = datetime.now(UTC)
    async with working(client, slack):
        assert "Passed on" in await became_of(client, said)
    assert datetime.now(UTC) - begun > timedelta(seconds=1)


async def test_while_nobody_can_say_nothing_is_done_it_is_said_and_the_next_try_counts(
    client: Client, slack: FakeSlack, ada: Person
) -> None:
    said = said_in(as_json(ada.mention("Fix it")))
    away = Fault(at="users.info", times=1_000)
    slack.faults.add(away)
    async with working(client, slack):
        order = HearingOrder(said=Said.model_validate({"words": said}), patience=timedelta(seconds=1))
        with pytest.raises(WorkflowFailureError):
            await client.execute_workflow(Hearing.run, order, id=hearing_id(said), task_queue=names.WORK)
        assert (
            "Nothing was done: Pawl could not ask whether you may. Slack cannot be reached" in slack.whispers[0]["text"]
        )
        assert slack.whispers[0]["user"] == ada.id
        away.times = 0
        assert "Passed on" in await became_of(client, said)


async def test_an_app_that_may_not_ask_says_what_to_add(client: Client, slack: FakeSlack, ada: Person) -> None:
    slack.scopes.clear()
    said = said_in(as_form(ada.command("Fix it")))
    async with working(client, slack):
        with pytest.raises(WorkflowFailureError):
            await became_of(client, said)
    assert "users:read" in slack.whispers[0]["text"]


async def test_it_runs_as_replayed_code_must(client: Client, slack: FakeSlack, ada: Person) -> None:
    ada.is_now(is_restricted=True)
    people = PlacesMembers(client, TERMS, {"slack": SlackPeople(SlackCalls(BOT_TOKEN, slack.api))})
    said = said_in(as_form(ada.command("Fix it")))
    async with Worker(
        client,
        task_queue=names.WORK,
        workflows=[Hearing],
        activities=people.activities(),
        workflow_runner=workflow_runner(strict=True),
    ):
        assert "Refused" in await became_of(client, said)


async def test_where_its_connection_is_gone_that_is_said(client: Client, slack: FakeSlack, ada: Person) -> None:
    said = said_in(as_form(ada.command("Fix it")))
    people = PlacesMembers(client, TERMS, {})
    async with Worker(client, task_queue=names.WORK, workflows=[Hearing], activities=people.activities()):
        with pytest.raises(WorkflowFailureError) as caught:
            await became_of(client, said)
    assert "no connection called 'slack'" in str(caught.value.cause)
