"""Calls to Slack's Web API: once each, and what a refusal means."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple, cast

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from temporalio.exceptions import ApplicationError

from activities.errors import again, stop
from workflows.domain.failures import Failure

Json = dict[str, Any]

WEB_API = "https://slack.com/api/"
_PAGE = 200
_PASSES = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "rate_limited"}
_CREDENTIALS = {
    "invalid_auth": "",
    "not_authed": "",
    "account_inactive": "",
    "token_revoked": "",
    "token_expired": "",
    "missing_scope": "Add the scope to the app and install it again, then resume.",
    "not_in_channel": "Invite Pawl there (`/invite @Pawl`), then resume.",
    "channel_not_found": "Check the channel's id and invite Pawl there, then resume.",
    "is_archived": "Name another channel, then resume.",
}
"""What only a person can mend, and how; empty: with other credentials."""


class Missing(Exception):
    """There is no such message, thread, channel or person."""


class Us(NamedTuple):
    """Who Pawl is in this workspace."""

    user: str
    team: str


@dataclass
class SlackCalls:
    """One workspace, by one bot token. `base_url` ends with a slash."""

    token: str = field(repr=False)
    base_url: str = WEB_API
    timeout: int = 20
    _us: Us | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        # Temporal does the waiting: a call that retries by itself would hide it
        web = AsyncWebClient(self.token, base_url=self.base_url, timeout=self.timeout, retry_handlers=[])
        self._web: Any = web  # its methods are typed in part only

    async def us(self) -> Us:
        if self._us is None:
            data = await self._told(self._web.auth_test())
            self._us = Us(str(data["user_id"]), str(data["team_id"]))
        return self._us

    async def post(self, channel: str, message: Json, thread: str = "") -> str:
        """Its timestamp, which is its id in the channel."""
        asked = self._web.chat_postMessage(channel=channel, thread_ts=thread or None, **_quiet(message))
        return str((await self._told(asked))["ts"])

    async def update(self, channel: str, ts: str, message: Json) -> None:
        """Raises Missing where somebody has deleted it."""
        shown = {name: value for name, value in _quiet(message).items() if not name.startswith("unfurl")}
        await self._told(self._web.chat_update(channel=channel, ts=ts, **shown))

    async def whisper(self, channel: str, user: str, text: str, thread: str = "") -> None:
        """Shown to this person only, while they are there."""
        asked = self._web.chat_postEphemeral(
            channel=channel, user=user, text=text, thread_ts=thread or None, parse="none", link_names=False
        )
        await self._told(asked)

    async def person(self, user: str) -> Json | None:
        """What Slack says of them; None where it knows no such user, or shows them to nobody of this workspace."""
        try:
            return cast("Json", (await self._told(self._web.users_info(user=user)))["user"])
        except Missing:
            return None

    async def history(self, channel: str, pages: int, oldest: str = "0") -> list[Json]:
        """What was said in a channel outside of threads, newest first, at most `pages` pages of it."""
        return (await self._pages(pages, "conversations.history", channel=channel, oldest=oldest))[0]

    async def latest(self, channel: str, pages: int) -> tuple[list[Json], bool]:
        """As `history`, and whether that is all of it."""
        return await self._pages(pages, "conversations.history", channel=channel, oldest="0")

    async def thread(self, channel: str, ts: str) -> list[Json]:
        """A message and the replies to it, oldest first. Raises Missing."""
        return (await self._pages(25, "conversations.replies", channel=channel, ts=ts))[0]

    async def _pages(self, most: int, method: str, **asked: str) -> tuple[list[Json], bool]:
        found, cursor = list[Json](), ""
        for _ in range(most):
            params: Json = {**asked, "include_all_metadata": "true", "limit": str(_PAGE)}
            params |= {"cursor": cursor} if cursor else {}
            data = await self._told(self._web.api_call(method, http_verb="GET", params=params))
            found += cast("list[Json]", data.get("messages") or [])
            cursor = str(cast("Json", data.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return found, not cursor

    async def _told(self, asked: Awaitable[AsyncSlackResponse]) -> Json:
        try:
            data = cast("Any", await asked).data
        except SlackApiError as error:
            raise _refusal(error) from None  # the SDK's text quotes the reply in full
        except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError) as error:
            raise again(f"Slack cannot be reached ({type(error).__name__}).") from None
        return cast("Json", data) if isinstance(data, dict) else {}


def _quiet(message: Json) -> Json:
    """Nothing in a text is turned into a mention, and no link of a stranger's is opened for a preview."""
    return {**message, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}


def _refusal(error: SlackApiError) -> ApplicationError | Missing:
    reply = cast("Any", error.response)
    status = int(getattr(reply, "status_code", 0) or getattr(reply, "status", 0) or 0)
    data = getattr(reply, "data", None)
    told = cast("Json", data) if isinstance(data, dict) else {}
    code = str(told.get("error", ""))
    cause = f"Slack answered {code or status}."
    if status == 429 or status >= 500 or code in _PASSES:
        wait = str(reply.headers.get("Retry-After", ""))
        return again(cause, timedelta(seconds=int(wait)) if wait.isdigit() else None)
    if code in ("message_not_found", "thread_not_found", "user_not_found", "user_not_visible"):
        return Missing(cause)
    if code in _CREDENTIALS:
        needed = f" It needs {told['needed']}." if code == "missing_scope" and told.get("needed") else ""
        mend = _CREDENTIALS[code] or "Check Slack's bot token, then resume."
        return stop(Failure.BAD_CREDENTIALS, cause + needed, mend)
    details: list[object] = cast("Json", told.get("response_metadata") or {}).get("messages") or []
    return stop(Failure.BAD_REQUEST, f"{cause} {' '.join(map(str, details))[:300]}".strip())
