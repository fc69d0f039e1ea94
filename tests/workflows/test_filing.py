"""A task given in Slack becomes one ticket that is started, whatever is lost on the way."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from activities.interceptor import StepInterceptor
from activities.notify.slack import SlackNotify
from activities.slack.calls import SlackCalls
from activities.tracker.slack import SlackTracker
from infra.runner import workflow_runner
from infra.slack.filing import file_task
from tests.fakes import slack as fake
from tests.fakes.service import Fault
from tests.fakes.slack import BOT_TOKEN, CHANNEL, FakeSlack
from workflows import names
from workflows.domain.chat import Place, SlackChannel, TaskAsked
from workflows.domain.intake import Terms
from workflows.domain.order import TicketOrder
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import TicketRef
from workflows.filing import Filing, filing_id

pytestmark = pytest.mark.server
ADHOC = SlackChannel(channel=CHANNEL, repository="/src/shop")


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


@workflow.defn(name="Ticket", sandboxed=False)
class Begun:
    """A ticket that only begins."""

    @workflow.run
    async def run(self, order: TicketOrder) -> str:
        return order.repository


def task(trust: Trust = Trust.MEMBER) -> TaskAsked:
    by = Person(place="slack", id="U0ADA", name="ada", trust=trust)
    return TaskAsked(
        id=f"slack:{uuid4().hex}",
        ref=TicketRef(tracker="slack", id=CHANNEL),
        text="Fix the login\nIt loops.",
        at=datetime.now(UTC),
        by=by,
        addressed=True,
        tracker="slack",
        team=CHANNEL,
    )


def terms(*, routed: bool = True) -> Terms:
    route = ADHOC.route("slack")
    return Terms(routes=(route,) if route and routed else (), model="m:x")


@asynccontextmanager
async def working(client: Client, slack: FakeSlack, *, strict: bool = False) -> AsyncGenerator[None]:
    calls = SlackCalls(BOT_TOKEN, slack.api)
    steps = [*SlackTracker(calls, "slack").activities(), *SlackNotify(calls, "slack", (ADHOC,)).activities()]
    worker = Worker(
        client,
        task_queue=names.WORK,
        workflows=[Filing, Begun],
        activities=steps,
        interceptors=[StepInterceptor()],
        workflow_runner=workflow_runner(strict=strict),
    )
    async with worker:
        yield


@pytest.mark.parametrize("strict", [False, True])
async def test_a_task_is_filed_and_started_once(client: Client, slack: FakeSlack, strict: bool) -> None:
    slack.faults.add(Fault(at="chat.postMessage", after=True))
    asked = task()
    async with working(client, slack, strict=strict):
        assert await file_task(client, asked, terms())
        assert not await file_task(client, asked, terms()), "heard of again"
        said: str = await client.get_workflow_handle(filing_id(asked), result_type=str).result()
        assert not await file_task(client, asked, terms()), "also when it has ended"
        assert said.endswith("Filed, and work begins.")
        (card,) = slack.roots()
        ref = TicketRef(tracker="slack", id=Place(fake.TEAM, CHANNEL, card["ts"]).id)
        ticket = client.get_workflow_handle(names.ticket_workflow_id(ref), result_type=str)
        assert await ticket.result() == "/src/shop"
        summary = await (await ticket.describe()).static_summary()
        assert summary == f"S-{card['ts'].replace('.', '-')} Fix the login"
    assert "Asked in Slack by ada." in str(card["blocks"])
    assert len(slack.replies(CHANNEL, card["ts"])) == 1


async def test_without_a_route_it_is_filed_and_people_are_told(client: Client, slack: FakeSlack) -> None:
    asked = task()
    async with working(client, slack):
        await file_task(client, asked, terms(routed=False))
        await client.get_workflow_handle(filing_id(asked)).result()
    (reply,) = slack.replies(CHANNEL, slack.roots()[0]["ts"])
    assert "No route leads" in str(reply["blocks"])
