"""What GitHub's answers mean: wait as told, mend the credentials, or let the caller say."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.github import Refused, full_name, told
from activities.github.deliveries import redeliver_failures
from activities.github.failures import wait_for_limit
from activities.github.records import About, Account, Comment, Issue, person
from tests.activities.github.conftest import Desk
from tests.fakes.github import PAWL
from tests.fakes.github.app_api import Delivery
from tests.fakes.service import Fault
from workflows.domain.failures import Failure
from workflows.domain.people import Trust


@pytest.mark.parametrize(
    ("status", "headers", "said", "seconds"),
    [
        (403, {"retry-after": "7", "x-ratelimit-remaining": "0"}, "", 7),
        (429, {}, "", 60),
        (429, {"retry-after": "3"}, "", 3),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) - 5)}, "", 1),
        (403, {"x-ratelimit-remaining": "4999"}, "You have exceeded a secondary rate limit.", 60),
        (403, {"x-ratelimit-remaining": "4999"}, "Resource not accessible by integration", None),
        (404, {"retry-after": "7"}, "", None),
    ],
)
def test_how_long_a_limit_lasts(status: int, headers: dict[str, str], said: str, seconds: int | None) -> None:
    wait = wait_for_limit(status, headers, said)
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


def test_a_limit_lasts_until_its_reset_in_epoch_seconds() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 100)}
    wait = wait_for_limit(403, headers, "")
    assert wait is not None
    assert 98 < wait.total_seconds() < 102


@pytest.mark.parametrize("status", [500, 502, 529, 0])
async def test_githubs_own_failures_pass(desk: Desk, status: int) -> None:
    desk.fake.faults.add(Fault("GET /api/repos", status=status, body=b'{"message": "on purpose"}'))
    with pytest.raises(ApplicationError) as caught:
        await desk.client().get("acme/shop", "", About)
    assert (caught.value.type, caught.value.non_retryable) == (Failure.OUT_OF_REACH, False)
    assert desk.fake.faults.seen == ["GET /api/repos/acme/shop"]  # it tries nothing again by itself


@pytest.mark.parametrize("body", [b"<html>", b"{", b"[]", b'{"full_name": 7}'])
async def test_an_answer_that_cannot_be_read_is_asked_for_again(desk: Desk, body: bytes) -> None:
    desk.fake.faults.add(Fault("GET /api/repos", status=200, body=body))
    with pytest.raises(ApplicationError) as caught:
        await desk.client().get("acme/shop", "", About)
    assert caught.value.type == Failure.OUT_OF_REACH


@pytest.mark.parametrize(("status", "failure"), [(401, Failure.BAD_CREDENTIALS), (403, Failure.BAD_CREDENTIALS)])
async def test_a_refusal_nobody_understood_is_final(desk: Desk, status: int, failure: Failure) -> None:
    desk.fake.faults.add(Fault("GET /api/repos", status=status, body=b'{"message": "No."}'))
    with pytest.raises(ApplicationError, match=f"GitHub answered {status}") as caught, told():
        await desk.client().get("acme/shop", "", About)
    assert (caught.value.type, caught.value.non_retryable) == (failure, True)


async def test_what_is_not_there_is_for_the_caller_to_say(desk: Desk) -> None:
    with pytest.raises(Refused) as caught:
        await desk.client().get("acme/shop", "/issues/7", Issue)
    assert caught.value.status == 404


async def test_lists_are_read_to_their_end(desk: Desk) -> None:
    repo = desk.fake.world.repos["acme/shop"]
    issue = desk.fake.world.issue(repo, desk.fake.world.user("ada"), "One", "")
    for number in range(230):
        desk.hands.comments(issue, f"Number {number}")
    comments = await desk.client().every("acme/shop", "/issues/1/comments", Comment)
    assert [one.text for one in comments] == [f"Number {number}" for number in range(230)]


@pytest.mark.parametrize(
    ("login", "association", "trust"),
    [
        ("pawl[bot]", "NONE", Trust.OURS),
        ("ada", "OWNER", Trust.MEMBER),
        ("grace", "COLLABORATOR", Trust.MEMBER),
        ("mallory", "NONE", Trust.STRANGER),
        ("pawl", "NONE", Trust.STRANGER),
        ("other[bot]", "CONTRIBUTOR", Trust.STRANGER),
    ],
)
def test_whom_pawl_trusts(desk: Desk, login: str, association: str, trust: Trust) -> None:
    user = desk.fake.world.user(login)
    seen = person(Account(login=login, id=user.id, type=user.type), association, "github", PAWL)
    assert (seen.trust, seen.key) == (trust, f"github:{user.id}")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/acme/shop", "acme/shop"),
        ("https://GitHub.com/acme/shop.git/", "acme/shop"),
        ("git@github.com:acme/shop.git", "acme/shop"),
        ("ssh://git@github.com/acme/shop", "acme/shop"),
        ("acme/shop", "acme/shop"),
        ("https://github.com/acme", ""),
        ("https://github.com/acme/shop/issues", ""),
        ("https://github.com.example.org/acme/shop", ""),
        ("../shop", ""),
        ("/srv/shop", ""),
        ("acme/..", ""),
    ],
)
def test_what_a_repository_is_called(url: str, name: str) -> None:
    assert full_name(url, "https://github.com") == name


async def test_what_was_not_delivered_is_sent_again_once(desk: Desk) -> None:
    now = datetime.now(UTC).replace(microsecond=0)

    def sent(guid: str, status: int, minutes: int, *, again: bool = False) -> None:
        at = f"{now - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
        deliveries = desk.fake.apps.deliveries
        deliveries.append(Delivery(len(deliveries) + 1, guid, at, "issues", status, again))

    sent("before", 502, 100)
    sent("lost", 502, 9)
    sent("fine", 200, 8)
    sent("lost", 503, 7, again=True)
    sent("healed", 502, 6)
    sent("healed", 200, 5, again=True)
    for number in range(150):
        sent(f"more {number}", 200, 4)
    sent("refused for its signature", 401, 3)
    sent("too large", 413, 3)
    sent("late", 0, 1)
    since = now - timedelta(minutes=30)
    assert await redeliver_failures(desk.app, since) == ("lost", "late")
    assert await redeliver_failures(desk.app, since) == ()


async def test_what_never_arrives_does_not_use_up_the_calls_of_an_hour(desk: Desk) -> None:
    now, apps = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", desk.fake.apps
    apps.heals = False
    apps.deliveries += [Delivery(number, f"lost {number}", now, "issues", 502) for number in range(1, 90)]
    for _ in range(2):
        assert len(await redeliver_failures(desk.app, datetime.now(UTC) - timedelta(hours=1))) == 30


async def test_temporal_waits_as_long_as_github_says(desk: Desk) -> None:
    desk.fake.limits.append((403, {"retry-after": "17"}, "You have exceeded a secondary rate limit."))
    with pytest.raises(ApplicationError, match="rate limit") as caught:
        await desk.client().get("acme/shop", "", About)
    assert (caught.value.next_retry_delay, caught.value.non_retryable) == (timedelta(seconds=17), False)
    assert (await desk.client().get("acme/shop", "", About)).full_name == "acme/shop"
