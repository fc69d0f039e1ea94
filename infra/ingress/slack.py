"""Slack's door: events, buttons, modals and the command, as Slack posts them."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qs

from pydantic import ValidationError
from slack_sdk.signature import Clock, SignatureVerifier

from infra.ingress.door import Delivery, Door, Stale, Unreadable, Unsigned, real_secrets
from infra.slack.hands import Hands
from infra.slack.payloads import Command, EventCallback, Interaction
from infra.slack.readings import Reading, Readings, written

WINDOW = 300
"""Seconds a request may be old, or ahead: what Slack asks for."""
_STAMP = re.compile(r"\d{1,12}")


class SlackDoor(Door):
    """`hands` answers after the acknowledgement, where there are any."""

    most_bytes = 1024 * 1024

    def __init__(self, secrets: Collection[str], readings: Readings, hands: Hands | None = None) -> None:
        self.name = readings.connection
        self._secrets = real_secrets(secrets)
        self._readings = readings
        self._hands = hands

    def check(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
        if not _STAMP.fullmatch(stamp) or not signature.isascii():
            raise Unsigned("X-Slack-Request-Timestamp or X-Slack-Signature is missing or malformed.")
        if not any(_verifies(secret, stamp, signature, body) for secret in self._secrets):
            raise Unsigned("X-Slack-Signature is wrong.")
        if abs(now - int(stamp)) > WINDOW:
            raise Stale("X-Slack-Request-Timestamp is more than 5 minutes away: compare the clocks.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        try:
            reading = self._reading(headers.get("content-type", "").partition(";")[0].strip().lower(), body)
        except (ValidationError, ValueError, OverflowError):
            raise Unreadable("Not in the form of Slack's requests.") from None
        if self._hands:
            self._hands.soon(reading.afterwards)
        return Delivery(reading.id, reading.event, reading.happenings, written(reading.reply))

    def _reading(self, kind: str, body: bytes) -> Reading:
        if kind == "application/json":
            return self._readings.event(EventCallback.model_validate_json(body))
        if kind != "application/x-www-form-urlencoded":
            raise Unreadable("The body must be JSON or a form.")
        form = {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=100).items()}
        if "payload" in form:
            return self._readings.interaction(Interaction.model_validate_json(form["payload"]))
        return self._readings.command(Command.model_validate(form))


class _At(Clock):
    """The time that the request names: its age is judged by our own clock, and said in words of its own."""

    def __init__(self, stamp: str) -> None:
        self._now = float(stamp)

    def now(self) -> float:
        return self._now


def _verifies(secret: str, stamp: str, signature: str, body: bytes) -> bool:
    try:
        return SignatureVerifier(secret, _At(stamp)).is_valid(body, stamp, signature)
    except UnicodeDecodeError:  # Slack sends UTF-8
        return False
