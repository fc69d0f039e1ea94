"""The connection says which user is Pawl's own, and the key says whose it is: they must agree."""

from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.tracker.linear.desk import NAME, Desk
from workflows.domain.failures import Failure
from workflows.ports.tracker import ClaimTicket, FileTicket, FindNews


async def test_a_key_of_another_user_than_the_connection_says_is_refused_before_anything_is_done(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    wrong, us = desk.tracker_that_takes_us_for(desk.linear.ada["id"]), desk.linear.us["id"]
    for asked in (
        wrong.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="a")),
        wrong.find_news(FindNews(tracker=NAME, since=datetime.now(UTC), routes=())),
        wrong.file_ticket(FileTicket(tracker=NAME, key="k", team="ENG", title="Two", body="")),
    ):
        with pytest.raises(ApplicationError, match=f"belongs to Pawl .{us}., .*says another") as caught:
            await asked
        assert caught.value.type == Failure.BAD_CREDENTIALS
        assert f'Write app_user = "{us}" under [connections.{NAME}]' in str(caught.value)
    assert (issue["state"]["name"], issue["attachments"], issue["comments"]) == ("Agent Todo", [], [])


async def test_the_right_user_is_asked_for_once(desk: Desk) -> None:
    right = desk.tracker_that_takes_us_for(desk.linear.us["id"])
    for _ in range(2):
        await right.find_news(FindNews(tracker=NAME, since=datetime.now(UTC), routes=()))
    assert desk.linear.asked.count("viewer") == 1
