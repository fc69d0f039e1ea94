"""Tickets kept in Slack, for the contract suites."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from activities.slack.calls import SlackCalls
from activities.tracker.slack import SlackTracker
from tests.fakes import slack as fake_slack
from tests.fakes.service import Fault
from tests.fakes.slack import FakeSlack, shown_of
from tests.ports.tracker_rig import TrackerRig
from workflows.domain.chat import place_of
from workflows.domain.people import Trust
from workflows.domain.ticket import Ticket, TicketRef
from workflows.ports.tracker import FileTicket, FindNews, MoveTicket


class SlackRig(TrackerRig):
    """A card in Slack is Pawl's own message: people move it by asking Pawl to."""

    name = "slack"
    knows_its_own = False
    trust = Trust.UNPROVEN
    _slack: FakeSlack

    def __init__(self, _: Path) -> None:
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._slack = await self._open.enter_async_context(fake_slack.running())
        self.tracker = SlackTracker(SlackCalls(fake_slack.BOT_TOKEN, self._slack.api), "slack", (fake_slack.CHANNEL,))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        assert not self._slack.called

    async def add(self, title: str, body: str = "", labels: tuple[str, ...] = ()) -> TicketRef:
        key = f"asked {len(self._slack.roots())}"
        filing = FileTicket(tracker="slack", key=key, team=fake_slack.CHANNEL, title=title, body=body, labels=labels)
        return (await self.tracker.file_ticket(filing)).ref

    async def look(self, ref: TicketRef) -> Ticket:
        search = FindNews(tracker=ref.tracker, since=datetime.now(UTC), routes=(), under_way=(ref,))
        return (await self.tracker.find_news(search)).cards[0].card

    async def drag(self, ref: TicketRef, status: str) -> None:
        await self.tracker.move_ticket(MoveTicket(ref=ref, to=status))

    async def say(self, ref: TicketRef, text: str) -> None:
        place = place_of(ref.id)
        assert place
        self._slack.say(place.channel, "U0ADA", text, place.ts, team=fake_slack.TEAM)

    async def thread(self, ref: TicketRef) -> str:
        place = place_of(ref.id)
        assert place
        return "\n".join(shown_of(one) for one in self._slack.replies(place.channel, place.ts))

    async def titles(self) -> list[str]:
        return [state["title"] for one in self._slack.roots() if (state := one["metadata"]["event_payload"])]

    async def copy(self, ref: TicketRef) -> bool:
        place = place_of(ref.id)
        assert place
        said = self._slack.message(place.channel, place.ts)
        more = {key: said[key] for key in ("blocks", "metadata")}
        self._slack.say(place.channel, "U0ADA", said["text"], team=fake_slack.TEAM, **more)
        return False

    def lose_the_reply(self) -> bool:
        self._slack.faults.add(Fault("chat.update", after=True))
        return True
