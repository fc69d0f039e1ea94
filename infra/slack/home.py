"""Whose bot token it is: the workspace, and Pawl's own user there."""

from typing import Any, NamedTuple, cast

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from infra.exits import NoAccess, OutOfReach


class Home(NamedTuple):
    team: str
    user: str


async def home_of(token: str, base_url: str = "https://slack.com/api/") -> Home:
    """For a process that begins. Raises NoAccess for a token that Slack refuses, OutOfReach."""
    web: Any = AsyncWebClient(token, base_url=base_url, timeout=10, retry_handlers=[])
    try:
        told = await web.auth_test()
        return Home(str(told["team_id"]), str(told["user_id"]))
    except SlackApiError as error:
        reply = cast("Any", error.response)
        if reply.status_code == 200:
            code = str(reply.get("error", ""))
            raise NoAccess(f"Slack refuses the bot token ({code}).", "Check SLACK_BOT_TOKEN.") from None
        raise OutOfReach("Slack cannot be asked whose the bot token is.", "Try again.") from None
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise OutOfReach(f"Slack cannot be reached ({type(error).__name__}).", "Try again.") from None
