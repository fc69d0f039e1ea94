"""What Linear's answers mean for whoever retries, and that no call sees another's."""

import asyncio
from datetime import timedelta

import pytest
from graphql import parse
from temporalio.exceptions import ApplicationError

from activities.tracker.linear import documents
from activities.tracker.linear.client import LinearClient, Missing
from activities.tracker.linear.tokens import AppToken, api_key
from tests.activities.tracker.linear.desk import Desk
from tests.fakes.linear.server import KEY, TOKEN
from tests.fakes.service import Fault, no_kept_connections
from workflows.domain.failures import Failure


async def refused(desk: Desk) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await desk.client.ask(documents.VIEWER)
    return caught.value


async def test_at_the_limit_temporal_waits_until_linear_counts_anew(desk: Desk) -> None:
    desk.linear.requests_left = 0
    desk.linear.reset_in = timedelta(minutes=20)
    error = await refused(desk)
    assert not error.non_retryable
    assert error.next_retry_delay is not None
    assert timedelta(minutes=19) < error.next_retry_delay <= timedelta(minutes=20)
    desk.linear.requests_left = 1
    assert (await desk.client.ask(documents.VIEWER))["viewer"]["id"] == desk.linear.us["id"]


async def test_a_reset_that_is_past_or_far_away_waits_within_bounds(desk: Desk) -> None:
    desk.linear.requests_left = 0
    desk.linear.reset_in = timedelta(minutes=-5)
    assert (await refused(desk)).next_retry_delay == timedelta(seconds=1)
    desk.linear.reset_in = timedelta(days=400)
    assert (await refused(desk)).next_retry_delay == timedelta(hours=2)


@pytest.mark.parametrize(
    ("status", "body", "retried"),
    [
        (0, b"", True),
        (502, b"<html>bad gateway</html>", True),
        (429, b"slow down", True),
        (500, b'{"errors": [{"message": "oops", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}', True),
        (503, b'{"errors": [{"message": "away"}]}', True),
        (200, b'{"errors": [{"message": "locked", "extensions": {"type": "lock timeout"}}]}', True),
        (200, b"not what was asked", True),
        (400, b'{"errors": [{"message": "no such field", "extensions": {"code": "INPUT_ERROR"}}]}', False),
        (404, b"<html>nothing here</html>", False),
    ],
)
async def test_what_may_pass_is_tried_again(desk: Desk, status: int, body: bytes, retried: bool) -> None:
    desk.linear.http.add(Fault(at="graphql viewer", status=status, body=body))
    error = await refused(desk)
    assert error.non_retryable is not retried
    assert error.type == (Failure.OUT_OF_REACH if retried else Failure.BAD_REQUEST)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_waits_for_a_person_and_is_not_told(desk: Desk, status: int) -> None:
    key = "lin-a-wrong-key"
    desk.linear.http.add(Fault(at="graphql viewer", status=status, body=b"no"))
    async with no_kept_connections() as http:
        wrong = LinearClient(http, api_key(key), f"{desk.url}/graphql")
        for client in (wrong, desk.client):
            with pytest.raises(ApplicationError) as caught:
                await client.ask(documents.VIEWER)
            assert caught.value.type == Failure.BAD_CREDENTIALS
            assert key not in repr(caught.value)
            assert KEY not in repr(caught.value)


async def test_nobody_listening_is_tried_again() -> None:
    async with no_kept_connections() as http:
        client = LinearClient(http, api_key("k"), "http://127.0.0.1:9/graphql")
        with pytest.raises(ApplicationError, match="cannot be reached") as caught:
            await client.ask(documents.VIEWER)
        assert caught.value.type == Failure.OUT_OF_REACH


async def test_calls_at_once_do_not_see_each_others_headers(desk: Desk) -> None:
    """One is at the limit and one is answered by a broken proxy, again and again, side by side."""
    limited = parse("query { organization { id } }")

    async def at_the_limit() -> timedelta | None:
        with pytest.raises(ApplicationError) as caught:
            await desk.client.ask(limited)
        return caught.value.next_retry_delay

    async def in_order() -> None:
        assert (await desk.client.ask(documents.VIEWER))["viewer"]

    desk.linear.limited = "organization"
    desk.linear.reset_in = timedelta(minutes=10)
    results = await asyncio.gather(*(at_the_limit() if n % 2 else in_order() for n in range(30)))
    waits = [wait for wait in results if wait]
    assert len(waits) == 15
    assert all(timedelta(minutes=9) < wait <= timedelta(minutes=10) for wait in waits)


async def test_what_is_not_there_is_missing(desk: Desk) -> None:
    with pytest.raises(Missing):
        await desk.client.ask(documents.COMMENT, id="nowhere")


async def test_an_oauth_token_is_a_bearers(desk: Desk) -> None:
    async def token() -> str:
        return f"Bearer {TOKEN}"

    async with no_kept_connections() as http:
        assert (await LinearClient(http, token, f"{desk.url}/graphql").ask(documents.VIEWER))["viewer"]


async def test_an_app_gets_a_token_once_for_all_who_ask_at_once(desk: Desk) -> None:
    async with no_kept_connections() as http:
        token = AppToken(http, "app", "the-secret-of-the-test", url=f"{desk.url}/oauth/token")
        client = LinearClient(http, token, f"{desk.url}/graphql")
        await asyncio.gather(*(client.ask(documents.VIEWER) for _ in range(5)))
        assert [grant["actor"] for grant in desk.linear.grants] == ["app"]


async def test_an_apps_token_is_got_anew_before_it_ends(desk: Desk) -> None:
    desk.linear.lifetime = 1
    async with no_kept_connections() as http:
        token = AppToken(http, "app", "the-secret-of-the-test", url=f"{desk.url}/oauth/token")
        first = await token()
        await asyncio.sleep(1.1)
        assert await token() != first


async def test_an_app_with_a_wrong_secret_waits_for_a_person(desk: Desk) -> None:
    async with no_kept_connections() as http:
        token = AppToken(http, "app", "wrong-secret", url=f"{desk.url}/oauth/token")
        with pytest.raises(ApplicationError, match="gives the app no token") as caught:
            await token()
        assert caught.value.type == Failure.BAD_CREDENTIALS
        assert "wrong-secret" not in repr(caught.value)
