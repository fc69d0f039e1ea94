"""Who people are in a workspace, as Slack says when it is asked; and words that only one of them reads."""

import time
from dataclasses import dataclass, field
from typing import cast

from temporalio.exceptions import ApplicationError

from activities.slack.calls import Json, Missing, SlackCalls
from workflows.domain.failures import Failure
from workflows.domain.mrkdwn import escaped
from workflows.domain.people import Trust

KEPT_SECONDS = 300.0
"""How long an answer is believed: whoever was made a guest decides nothing after that."""
MOST_KEPT = 1_000
_MUST_BE_FALSE = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted")
"""Slack says each of them of everybody of its own workspaces; where it is silent, nobody is let in."""
_MAY_BE_TRUE_OF_NOBODY = ("is_stranger", "is_invited_user", "is_workflow_bot", "is_connector_bot")
"""Said of some only."""
_SLACKBOT = "USLACKBOT"
"""Slack does not call it a bot."""


@dataclass
class SlackPeople:
    """Of one workspace. Remembers a bounded number of answers for a few minutes."""

    calls: SlackCalls
    _known: dict[str, tuple[float, Trust]] = field(default_factory=dict[str, tuple[float, Trust]], init=False)

    async def trust_of(self, user: str) -> Trust:
        """MEMBER for full members, STRANGER for everybody else. Raises what says that Slack cannot be asked."""
        asked, trust = self._known.get(user, (0.0, Trust.STRANGER))
        if asked and time.monotonic() - asked < KEPT_SECONDS:
            return trust
        found = await self.calls.person(user)
        trust = Trust.MEMBER if found and is_member(found, user, (await self.calls.us()).team) else Trust.STRANGER
        self._known.pop(user, None)
        if len(self._known) >= MOST_KEPT:
            del self._known[next(iter(self._known))]
        self._known[user] = (time.monotonic(), trust)
        return trust

    async def whisper(self, user: str, heard_in: str, text: str) -> bool:
        """`heard_in` is a channel, or `channel:thread`."""
        channel, _, thread = heard_in.partition(":")
        try:
            await self.calls.whisper(channel, user, escaped(text), thread)
        except Missing:  # the thread has gone
            return False
        except ApplicationError as error:
            if error.type == Failure.OUT_OF_REACH.value:
                raise
            return False  # they are no human, or not in that channel, or we are not
        return True


def is_member(person: Json, user: str, team: str) -> bool:
    """Whether a user object of Slack's is of a full member of the workspace `team`, in use and human."""
    enterprise = cast("Json", person.get("enterprise_user") or {})
    teams = {person.get("team_id"), *cast("list[object]", enterprise.get("teams") or [])}
    return (
        person.get("id") == user != _SLACKBOT
        and team in teams
        and all(person.get(name) is False for name in _MUST_BE_FALSE)
        and not any(person.get(name) for name in _MAY_BE_TRUE_OF_NOBODY)
    )
