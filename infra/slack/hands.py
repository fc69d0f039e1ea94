"""What is answered in Slack after a press was taken: in the background, within seconds, and never in the way."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from infra.slack.readings import Opening, Whisper

_log = logging.getLogger(__name__)
_SECONDS = 2.5
"""A trigger is good for 3 seconds; what comes later only costs."""
_MOST_AT_ONCE = 100


@dataclass
class Hands:
    """With a bot token modals are opened; without one people are told what to write instead. `answers` is the place
    Slack's response URLs are in, `base_url` its Web API's with a slash."""

    token: str = field(default="", repr=False)
    base_url: str = "https://slack.com/api/"
    answers: str = "https://hooks.slack.com/"
    _running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]], init=False)

    def soon(self, what: Opening | Whisper | None) -> None:
        """Do it in the background of the running loop. In a flood the newest are left undone: people press again."""
        if what is None or len(self._running) >= _MOST_AT_ONCE:
            return
        task = asyncio.get_running_loop().create_task(self._bounded(what))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Let what has begun end; it is bounded."""
        await asyncio.gather(*self._running)

    async def _bounded(self, what: Opening | Whisper) -> None:
        if isinstance(what, Opening):
            if await self._opened(what):
                return
            what = Whisper(what.response_url, what.instead)
        await self._said(what)

    async def _opened(self, opening: Opening) -> bool:
        if not self.token:
            return False
        web: Any = AsyncWebClient(self.token, base_url=self.base_url, timeout=5, retry_handlers=[])
        try:
            async with asyncio.timeout(_SECONDS):
                await web.views_open(trigger_id=opening.trigger_id, view=opening.view)
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("A form could not be opened in Slack: %s", type(error).__name__)
            return False
        return True

    async def _said(self, whisper: Whisper) -> None:
        if not whisper.response_url.startswith(self.answers):
            return
        body = {"response_type": "ephemeral", "replace_original": False, "text": whisper.text}
        try:
            async with asyncio.timeout(_SECONDS), aiohttp.ClientSession() as http:
                await http.post(whisper.response_url, json=body, allow_redirects=False)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("An answer could not be given in Slack: %s", type(error).__name__)
