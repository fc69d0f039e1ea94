"""What Slack's payloads mean: the same whether they come over HTTP or over a socket.

They do not say of everybody who is a guest. Whoever may be a member is therefore UNPROVEN: Slack is asked who they are
before what they say counts, by a worker and after the answer."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from infra.slack.modals import BOX, modal
from infra.slack.payloads import Command, Event, EventCallback, Interaction, User
from workflows.domain.chat import (
    ANSWER,
    APPROVE,
    REQUEST_CHANGES,
    Bound,
    Place,
    SlackChannel,
    TaskAsked,
    place_of,
    said_id,
    title_of,
)
from workflows.domain.decision import short
from workflows.domain.intake import Happening, WordsSaid
from workflows.domain.mrkdwn import one_line, plain
from workflows.domain.people import Person, Trust
from workflows.domain.ticket import Phase, Ticket, TicketRef

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_HELP = (
    "*/pawl* gives Pawl a task in this channel.\n"
    "• `/pawl Fix the login loop` files it and starts work; its plan waits for your approval.\n"
    "• `/pawl help` shows this.\n"
    "Decide with the buttons under what waits; steer a ticket kept in Slack by mentioning Pawl in its thread."
)
_UNMAPPED = (
    "Pawl has nowhere to put a task from this channel. Whoever keeps it running can name a repository or a tracker for "
    "the channel `{channel}`; or ask in a channel that has one."
)
_PRESSED = "Your approval of `{hash}` of {name} is taken. What comes of it is shown on the ticket."
_STRANGER = "Only members of this workspace may give Pawl tasks or decide for it."


class Opening(NamedTuple):
    """A modal to open while the trigger is good for it: 3 seconds."""

    trigger_id: str
    view: dict[str, Any]
    response_url: str
    """Where to say so when it cannot be opened."""
    instead: str


class Whisper(NamedTuple):
    """Words that only the person who pressed sees."""

    response_url: str
    text: str


class Reading(NamedTuple):
    id: str
    event: str
    happenings: tuple[Happening, ...] = ()
    reply: dict[str, Any] | None = None
    """What the acknowledgement holds."""
    afterwards: Opening | Whisper | None = None


@dataclass(frozen=True)
class Readings:
    """For one connection: `team` is the workspace, `bot_user` Pawl's own user there."""

    connection: str
    team: str
    channels: tuple[SlackChannel, ...] = ()
    bot_user: str = ""
    teams: Collection[str] = ()
    """Further workspaces whose people are members: those of the same organisation."""

    # Events

    def event(self, callback: EventCallback) -> Reading:
        if callback.type == "url_verification":
            return Reading("url_verification", callback.type, reply={"challenge": callback.challenge})
        event = callback.event
        if callback.type != "event_callback" or event is None:
            return Reading(callback.event_id or callback.type, callback.type)
        return Reading(callback.event_id or said_id(event.channel, event.ts), event.type, self._said(callback, event))

    def _said(self, callback: EventCallback, event: Event) -> tuple[Happening, ...]:
        """Words in a thread, and words to Pawl outside of one, which are a new task. Edits and joins are no words."""
        if event.type not in ("app_mention", "message") or event.subtype not in ("", "thread_broadcast", "file_share"):
            return ()
        place = place_of(Place(callback.team_id, event.channel, event.thread_ts or event.ts).id)
        if place is None or not event.ts or callback.team_id != self.team:
            return ()
        ours = {one.user_id for one in callback.authorizations if one.is_bot} | {self.bot_user}
        addressed = event.type == "app_mention" or bool(ours & set(_MENTION.findall(event.text)))
        if not (event.thread_ts or addressed):
            return ()
        text = plain(_MENTION.sub(lambda found: "" if found[1] in ours else found[0], event.text)).strip()
        ref = TicketRef(tracker=self.connection, id=place.id)
        card = None if event.thread_ts else self._card(ref, place, text)
        said = WordsSaid(
            id=said_id(event.channel, event.ts),
            card=card,
            ref=ref,
            text=text,
            at=_moment(event.ts),
            by=self._speaker(callback, event, ours),
            addressed=addressed,
            heard_in=f"{event.channel}:{event.thread_ts}" if event.thread_ts else event.channel,
        )
        return (said,)

    def _card(self, ref: TicketRef, place: Place, text: str) -> Ticket:
        return Ticket(
            ref=ref,
            identifier=place.identifier,
            title=title_of(text),
            body=text,
            status=Phase.TODO,
            team=place.channel,
        )

    def _speaker(self, callback: EventCallback, event: Event, ours: Collection[str]) -> Person:
        home = event.user_team or event.team or ("" if callback.is_ext_shared_channel else callback.team_id)
        trust = Trust.UNPROVEN if home and home in {self.team, *self.teams} and not event.bot_id else Trust.STRANGER
        trust = Trust.OURS if event.user and event.user in ours else trust
        return Person(place=self.connection, id=event.user or event.bot_id or "unknown", trust=trust)

    # Buttons and modals

    def interaction(self, done: Interaction) -> Reading:
        match done.type:
            case "block_actions" if done.actions:
                return self._pressed(done)
            case "view_submission":
                return self._submitted(done)
            case _:
                return Reading(done.trigger_id or done.type, done.type)

    def _pressed(self, done: Interaction) -> Reading:
        pressed, by = done.actions[0], self._presser(done.user)
        bound = Bound.read(pressed.value)
        delivery = done.trigger_id or pressed.action_ts
        if bound is None:
            return Reading(delivery, done.type)
        if by.trust is Trust.STRANGER:
            return Reading(delivery, done.type, afterwards=Whisper(done.response_url, _STRANGER))
        if view := modal(pressed.action_id, bound.model_copy(update={"channel": done.channel.id})):
            opening = Opening(done.trigger_id, view, done.response_url, _instead(pressed.action_id, bound))
            return Reading(delivery, done.type, afterwards=opening)
        if pressed.action_id != APPROVE:
            return Reading(delivery, done.type)
        # one decision of one person under one note, however often it is pressed
        said = f"slack:{bound.note or pressed.action_ts}:{pressed.action_id}:{by.id}:{bound.subject}"
        words = WordsSaid(
            id=said[:200],
            ref=bound.ref,
            text=f"approve {bound.subject}",
            at=_moment(pressed.action_ts),
            by=by,
            addressed=True,
            heard_in=done.channel.id,
        )
        told = Whisper(done.response_url, _PRESSED.format(hash=short(bound.subject), name=_name(bound)))
        return Reading(delivery, done.type, (words,), afterwards=told)

    def _submitted(self, done: Interaction) -> Reading:
        view = done.view
        bound = Bound.read(view.private_metadata)
        typed = view.state.values.get(BOX, {}).get(BOX)
        text = (typed.value or "").strip() if typed else ""
        if bound is None or not view.id or view.callback_id not in (REQUEST_CHANGES, ANSWER):
            return Reading(view.id or done.type, done.type)
        if not text:
            return Reading(view.id, done.type, reply={"response_action": "errors", "errors": {BOX: "Say it in words."}})
        head = f"request changes {bound.subject}" if view.callback_id == REQUEST_CHANGES else "answer"
        words = WordsSaid(
            id=f"slack:view:{view.id}",
            ref=bound.ref,
            text=f"{head}: {text}",
            at=datetime.now(UTC),  # a submission carries no time of its own
            by=self._presser(done.user),
            addressed=True,
            heard_in=bound.channel,
        )
        return Reading(view.id, done.type, (words,))

    def _presser(self, user: User) -> Person:
        guest = user.is_restricted or user.is_ultra_restricted or user.is_stranger or user.is_bot
        trust = Trust.UNPROVEN if user.team_id in {self.team, *self.teams} and not guest else Trust.STRANGER
        return Person(place=self.connection, id=user.id, name=user.name or user.username, trust=trust)

    # The command

    def command(self, asked: Command) -> Reading:
        delivery, text = asked.trigger_id or "ssl_check", plain(asked.text).strip()
        if asked.ssl_check:
            return Reading(delivery, "ssl_check")
        if not asked.trigger_id:
            raise ValueError("a command without its id")
        if text.casefold() in ("", "help"):
            return Reading(delivery, asked.command, reply=_ephemeral(_HELP))
        if asked.team_id not in {self.team, *self.teams} or not asked.user_id:
            return Reading(delivery, asked.command, reply=_ephemeral(_STRANGER))
        mapped = next((one for one in self.channels if one.channel == asked.channel_id), None)
        files = mapped.files_in(self.connection) if mapped else None
        if files is None:
            words = _UNMAPPED.format(channel=one_line(asked.channel_id, 30))
            return Reading(delivery, asked.command, reply=_ephemeral(words))
        by = Person(place=self.connection, id=asked.user_id, name=asked.user_name, trust=Trust.UNPROVEN)
        task = TaskAsked(
            id=f"slack:{asked.trigger_id}",
            ref=TicketRef(tracker=self.connection, id=f"{asked.team_id}-{asked.channel_id}"),
            text=text,
            at=datetime.now(UTC),  # a command carries no time of its own
            by=by,
            addressed=True,
            heard_in=asked.channel_id,
            tracker=files[0],
            team=files[1],
        )
        taken = f"Taken: {one_line(task.title, 120)}. Its ticket follows."
        return Reading(delivery, asked.command, (task,), _ephemeral(taken))


def written(reply: dict[str, Any] | None) -> bytes:
    return json.dumps(reply).encode() if reply is not None else b""


def _ephemeral(text: str) -> dict[str, Any]:
    return {"response_type": "ephemeral", "text": text}


def _instead(action: str, bound: Bound) -> str:
    form = "answer: your words" if action == ANSWER else f"request changes {short(bound.subject)}: your words"
    return f"The form for {_name(bound)} cannot be opened now. Press again, or write on its ticket: `{form}`."


def _name(bound: Bound) -> str:
    return one_line(bound.identifier or bound.ref.id, 60)


def _moment(ts: str) -> datetime:
    return datetime.fromtimestamp(float(ts), UTC)
