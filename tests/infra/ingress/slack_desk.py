"""What the tests of Slack's door share: a door, a gate that waits, and the way in that the ingress takes."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.interceptor import StepInterceptor
from activities.members import PlacesMembers
from activities.notify.slack import SlackNotify
from activities.slack.calls import SlackCalls
from activities.slack.people import SlackPeople
from activities.tracker.slack import SlackTracker
from infra.ingress.door import Delivery
from infra.ingress.slack import SlackDoor
from infra.slack.hands import Hands
from infra.slack.readings import Readings
from tests.fakes.slack import BOT_TOKEN, CHANNEL, SECRET, TEAM, FakeSlack
from tests.fakes.slack_person import Signed
from tests.fakes.slack_rules import Json
from tests.infra.ingress.recorder import Recorder
from workflows import names
from workflows.domain.chat import SlackChannel
from workflows.domain.intake import Terms, WordsSaid
from workflows.domain.ticket import Phase, TicketRef
from workflows.filing import Filing
from workflows.hearing import Hearing
from workflows.ports.notify import Note

ADHOC = SlackChannel(channel=CHANNEL, repository="/src/shop")
REF = TicketRef(tracker="linear", id="9f3c")
HASH = "3f2a9c1055e1"
_ROUTE = ADHOC.route("slack")
TERMS = Terms(routes=(_ROUTE,) if _ROUTE else (), model="m:x")


def door(*channels: SlackChannel, hands: Hands | None = None, secret: str = SECRET) -> SlackDoor:
    return SlackDoor([secret], Readings("slack", TEAM, channels or (ADHOC,)), hands)


def read(request: Signed, at: SlackDoor | None = None) -> Delivery:
    """As the ingress does."""
    at = at or door()
    at.check(request.headers, request.body, time.time())
    return at.read(request.headers, request.body)


def words(delivery: Delivery) -> WordsSaid:
    (said,) = delivery.happenings
    assert isinstance(said, WordsSaid)
    return said


async def gate(slack: FakeSlack, phase: Phase = Phase.PLAN_GATE, key: str = "acc/1", ref: TicketRef = REF) -> Json:
    """A gate that waits in the channel, with its buttons."""
    told = SlackNotify(SlackCalls(BOT_TOKEN, slack.api), "slack", (SlackChannel(channel=CHANNEL, tracker="linear"),))
    await told.post_note(
        Note(key=key, identifier="ENG-12", phase=phase, text="Waiting.", body="The plan.", ticket=ref, subject=HASH)
    )
    return slack.roots()[-1]


@asynccontextmanager
async def working(client: Client, slack: FakeSlack) -> AsyncGenerator[None]:
    """A worker that hears, files and records."""
    calls = SlackCalls(BOT_TOKEN, slack.api)
    ports = [
        SlackTracker(calls, "slack"),
        SlackNotify(calls, "slack", (ADHOC,)),
        PlacesMembers(client, TERMS, {"slack": SlackPeople(calls)}),
    ]
    async with Worker(
        client,
        task_queue=names.WORK,
        workflows=[Hearing, Filing, Recorder],
        activities=[step for port in ports for step in port.activities()],
        interceptors=[StepInterceptor()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield
