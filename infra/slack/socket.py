"""Socket mode: the same payloads over a connection that Pawl opens, where Slack cannot reach it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import ValidationError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from infra.slack.hands import Hands
from infra.slack.payloads import Command, EventCallback, Interaction
from infra.slack.readings import Reading, Readings
from workflows.domain.intake import Happening

_log = logging.getLogger(__name__)

Deliver = Callable[[Sequence[Happening]], Awaitable[None]]
"""Carries happenings to Temporal, and raises when it could not."""


@dataclass
class Socket:
    """Connected while it is entered. An envelope is acknowledged when what it says has been delivered, else never:
    then Slack sends an event again, and shows whoever pressed or typed that it failed."""

    app_token: str = field(repr=False)
    readings: Readings
    deliver: Deliver
    hands: Hands
    base_url: str = "https://slack.com/api/"
    ping_interval: float = 5
    patience: float = 30
    """Seconds without a connection after which the log says so, again and again."""

    async def __aenter__(self) -> "Socket":
        """Returns at once; the client keeps trying while Slack is away."""
        web = AsyncWebClient(base_url=self.base_url, timeout=10, retry_handlers=[])
        self._client = SocketModeClient(self.app_token, _quiet(), web, ping_interval=self.ping_interval)
        self._client.socket_mode_request_listeners.append(self._heard)
        self._ours = [asyncio.create_task(self._client.connect()), asyncio.create_task(self._watched())]
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._ours, *(task for task in _tasks(self._client) if task)]
        await self._client.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.hands.close()

    async def _watched(self) -> None:
        """The SDK tries again without a word that could be shown: say when that does not help."""
        while True:
            await asyncio.sleep(self.patience)
            if not await self._client.is_connected():
                _log.warning("Slack's socket is not connected. Check the app token, and that Slack can be reached.")

    async def _heard(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        reading = self._read(request)
        if reading is None:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
            return
        self.hands.soon(reading.afterwards)
        try:
            await self.deliver(reading.happenings)
        except Exception as error:  # not acknowledged, Slack sends it again
            _log.warning("What Slack sent could not be delivered, it is not acknowledged: %s", type(error).__name__)
            return
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, reading.reply))

    def _read(self, request: SocketModeRequest) -> Reading | None:
        """None for what is in no form of Slack's: sent again, it would be the same."""
        payload = cast("Any", request).payload
        try:
            match request.type:
                case "events_api":
                    return self.readings.event(EventCallback.model_validate(payload))
                case "interactive":
                    return self.readings.interaction(Interaction.model_validate(payload))
                case "slash_commands":
                    return self.readings.command(Command.model_validate(payload))
                case _:
                    return None
        except (ValidationError, ValueError, OverflowError):
            return None


def _tasks(client: Any) -> tuple["asyncio.Future[None] | None", ...]:
    """The SDK cancels them and does not wait for their end."""
    return client.message_processor, client.current_session_monitor, client.message_receiver


def _quiet() -> logging.Logger:
    """The SDK writes whole messages, and URLs that open a connection: what matters is said here instead."""
    quiet = logging.getLogger("pawl.slack.socket")
    quiet.setLevel(logging.CRITICAL)
    return quiet
