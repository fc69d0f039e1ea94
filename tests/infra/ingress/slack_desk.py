"""What the tests of Slack's door share: a door, a gate that waits, and the way in that the ingress takes."""

import time

from activities.notify.slack import SlackNotify
from activities.slack.calls import SlackCalls
from infra.ingress.door import Delivery
from infra.ingress.slack import SlackDoor
from infra.slack.hands import Hands
from infra.slack.readings import Readings
from tests.fakes.slack import BOT_TOKEN, CHANNEL, SECRET, TEAM, FakeSlack
from tests.fakes.slack_person import Signed
from tests.fakes.slack_rules import Json
from workflows.domain.chat import SlackChannel
from workflows.domain.intake import WordsSaid
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.notify import Note

ADHOC = SlackChannel(channel=CHANNEL, repository="/src/shop")
REF = TicketRef(tracker="linear", id="9f3c")
HASH = "3f2a9c1055e1"


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
