"""Slack's ways in: open as soon as it is known which workspace it is, however long Slack is away."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from infra.connections import Slack, secret, secrets_in
from infra.exits import NoAccess, OutOfReach
from infra.ingress.late import LateDoor
from infra.ingress.slack import SlackDoor
from infra.slack.hands import Hands
from infra.slack.home import Home, home_of
from infra.slack.readings import Readings
from infra.slack.socket import Deliver, Socket

FIRST_WAIT = 1.0
"""Seconds until Slack is asked again; doubled each time."""
MOST_WAIT = 60.0
_log = logging.getLogger("pawl.ingress")


@dataclass
class Arrival:
    """One connection with a signing secret or an app token. `door` is shut until Slack has said who we are."""

    name: str
    slack: Slack
    deliver: Deliver
    door: LateDoor = field(init=False)

    def __post_init__(self) -> None:
        bot = secret(self.slack.bot_token_env)
        self._token = bot.get_secret_value() if bot else ""
        why = f"The connection {self.name} is not in use yet: Slack is being asked which workspace it is."
        self.door = LateDoor(self.name, why, SlackDoor.most_bytes)

    async def begin(self, open_: AsyncExitStack) -> None:
        """Open at once where the table says all, else in the background; until `open_` ends."""
        team, user = self.slack.team, self.slack.bot_user
        if team and (user or not self._token):
            await self._open(Home(team, user), open_)
            return
        asking = asyncio.create_task(self._ask(open_))
        open_.push_async_callback(_ended, asking)

    async def _ask(self, open_: AsyncExitStack) -> None:
        wait, say = FIRST_WAIT, _log.warning
        while True:
            try:
                home = await home_of(self._token, self.slack.url)
            except NoAccess as error:
                self._shut(f"{error.cause} Check {self.slack.bot_token_env}, then start Pawl again.", _log.warning)
                return
            except OutOfReach as error:
                self._shut(f"{error.cause} It is asked again until it answers.", say)
                await asyncio.sleep(wait)
                wait, say = min(wait * 2, MOST_WAIT), _log.debug  # it has been said
            else:
                await self._open(Home(self.slack.team or home.team, self.slack.bot_user or home.user), open_)
                return

    def _shut(self, why: str, say: Callable[[str], None]) -> None:
        self.door.why = f"The connection {self.name} is out of use: {why}"
        say(self.door.why)

    async def _open(self, home: Home, open_: AsyncExitStack) -> None:
        slack, hands = self.slack, Hands(self._token, self.slack.url)
        readings = Readings(self.name, home.team, slack.channels, home.user)
        if app_token := secret(slack.app_token_env):
            socket = Socket(app_token.get_secret_value(), readings, self.deliver, hands, slack.url)
            await open_.enter_async_context(socket)
        if signing := secrets_in(slack.signing_secret_env):
            open_.push_async_callback(hands.close)
            self.door.behind = SlackDoor(signing, readings, hands)
        else:
            self.door.why = f"The connection {self.name} is heard by socket mode: it has no signing secret."
        _log.info("The connection %s is in use: workspace %s.", self.name, home.team)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
