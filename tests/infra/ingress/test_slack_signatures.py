"""What Slack signs is taken, and nothing else: as its own library sees it, in both directions."""

import pytest
from slack_sdk.signature import Clock, SignatureVerifier

from infra.ingress.door import Stale, Unsigned
from infra.ingress.slack import SlackDoor
from infra.slack.readings import Readings
from tests.fakes.slack import SECRET, TEAM
from tests.fakes.slack_person import signed
from tests.infra.ingress.slack_desk import door

NOW = 1_790_000_000.0


class _Now(Clock):
    def now(self) -> float:
        return NOW


@pytest.mark.parametrize("body", [b"", b"{}", "text=f\u00fcr+Ada".encode()], ids=["empty", "json", "utf-8"])
def test_what_the_sdk_signs_is_taken_and_what_we_sign_the_sdk_takes(body: bytes) -> None:
    verifier, stamp = SignatureVerifier(SECRET, _Now()), str(int(NOW))
    signature = verifier.generate_signature(timestamp=stamp, body=body)
    assert signature
    door().check({"x-slack-request-timestamp": stamp, "x-slack-signature": signature}, body, NOW)
    ours = signed(body, at=NOW)
    assert verifier.is_valid_request(ours.body, ours.headers)


@pytest.mark.parametrize("age", [-300, 0, 300])
def test_within_five_minutes_it_is_taken(age: int) -> None:
    request = signed(b"{}", at=NOW - age)
    door().check(request.headers, request.body, NOW)


@pytest.mark.parametrize("age", [-301, 301, 10**9])
def test_outside_of_them_it_is_stale(age: int) -> None:
    request = signed(b"{}", at=NOW - age)
    with pytest.raises(Stale):
        door().check(request.headers, request.body, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"x-slack-signature": ""},
        {"x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-signature": "v0=\u00fc"},
        {"x-slack-request-timestamp": ""},
        {"x-slack-request-timestamp": "soon"},
        {"x-slack-request-timestamp": "\u0661"},
        {"x-slack-request-timestamp": "-1"},
        {"x-slack-request-timestamp": "1" * 5_000},
        {"x-slack-request-timestamp": str(int(NOW) + 1)},
    ],
)
def test_what_is_not_signed_is_turned_away(change: dict[str, str]) -> None:
    request = signed(b"{}", at=NOW)
    with pytest.raises(Unsigned):
        door().check(request.headers | change, request.body, NOW)


@pytest.mark.parametrize("body", [b"{} ", b"{\xff}"], ids=["changed", "no UTF-8"])
def test_another_body_or_secret_is_turned_away(body: bytes) -> None:
    with pytest.raises(Unsigned):
        door().check(signed(b"{}", at=NOW).headers, body, NOW)
    request = signed(b"{}", at=NOW)
    with pytest.raises(Unsigned):
        door(secret="another").check(request.headers, request.body, NOW)


def test_two_secrets_are_in_force_while_one_replaces_the_other() -> None:
    request = signed(b"{}", at=NOW)
    SlackDoor(["new", SECRET], Readings("slack", TEAM)).check(request.headers, request.body, NOW)


@pytest.mark.parametrize("secrets", [[], [""]])
def test_a_door_has_a_secret(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="secret"):
        SlackDoor(secrets, Readings("slack", TEAM))
