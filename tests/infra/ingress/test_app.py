"""A delivery is answered when Temporal has it, and taken once however often it is sent."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from infra.ingress.door import Delivery
from infra.ingress.github import GitHubDoor
from infra.ingress.linear import LinearDoor
from tests.infra.ingress import github_words, linear_words
from tests.infra.ingress.recorder import ended, recording, runs
from tests.infra.ingress.serving import github, linear, served

pytestmark = pytest.mark.server

LINEAR = LinearDoor("linear", [linear_words.SECRET], ours=["user-pawl"])
GITHUB = GitHubDoor("github", [github_words.SECRET], login="pawl")


class Challenged(LinearDoor):
    """A door whose vendor wants an answer."""

    def read(self, headers: Any, body: bytes) -> Delivery:
        return super().read(headers, body)._replace(reply=b'{"challenge": "x"}')


async def test_from_a_column_to_a_ticket_that_hears_what_people_say(client: Client) -> None:
    issue = uuid4().hex
    moved = linear_words.issue_delivery(id=issue, updated_from={"stateId": "before"})
    said = linear_words.comment_delivery("@pawl and the tests", issue={"id": issue}, issueId=issue)
    async with served([LINEAR], client) as http:
        assert [await linear(http, moved, "1"), await linear(http, said, "2")] == [200, 200]
        assert [await linear(http, moved, "1"), await linear(http, said, "2")] == [200, 200]
    async with recording(client):
        assert await ended(client, f"ticket:linear:{issue}") == ["linear:user-ada said comment:c-1: and the tests"]
    assert await runs(client, f"ticket:linear:{issue}", 1) == 1


async def test_a_label_starts_an_issue_of_githubs(client: Client) -> None:
    number = int(uuid4().hex[:8], 16)
    labeled = github_words.with_(
        github_words.example("issues.labeled"), issue__number=number, issue__labels=[{"name": "pawl"}]
    )
    stranger = github_words.with_(labeled, issue__author_association="NONE")
    workflow_id = f"ticket:github:{github_words.REPOSITORY}#{number}"
    async with served([GITHUB], client) as http:
        assert await github(http, "issues", stranger, "1") == 202
        assert await runs(client, workflow_id, 0) == 0
        assert await github(http, "issues", github_words.with_(labeled, issue__author_association="OWNER"), "2") == 202
    assert await runs(client, workflow_id, 1) == 1


async def test_the_same_delivery_sent_many_times_at_once_is_taken_once(client: Client) -> None:
    issue = uuid4().hex
    asked = linear_words.issue_delivery(id=issue)
    said = linear_words.comment_delivery("@pawl go on", issueId=issue, issue={"id": issue})
    async with served([LINEAR], client) as http:
        assert await linear(http, asked, "start") == 200
        assert set(await asyncio.gather(*(linear(http, said, "said") for _ in range(30)))) == {200}
    async with recording(client):
        assert len(await ended(client, f"ticket:linear:{issue}")) == 1


async def test_the_same_happening_under_other_delivery_ids_starts_one_ticket(client: Client) -> None:
    issue = uuid4().hex
    asked = linear_words.issue_delivery(id=issue)
    async with served([LINEAR], client) as http:
        assert set(await asyncio.gather(*(linear(http, asked, str(number)) for number in range(20)))) == {200}
    assert await runs(client, f"ticket:linear:{issue}", 1) == 1


async def test_doors_of_one_kind_keep_their_deliveries_apart(client: Client) -> None:
    issue = uuid4().hex
    doors = [LinearDoor(name, [linear_words.SECRET]) for name in ("linear", "elsewhere")]
    asked = linear_words.issue_delivery(id=issue)
    headers, body = linear_words.signed(asked)
    async with served(doors, client) as http:
        assert (await http.post("/hooks/elsewhere", content=body, headers=headers)).status_code == 200
        assert await linear(http, asked) == 200  # the same delivery id
    assert await runs(client, f"ticket:linear:{issue}", 1) == 1


def test_two_connections_cannot_share_a_name(client: Client) -> None:
    from infra.ingress.app import Ingress
    from workflows.domain.intake import Terms

    with pytest.raises(ValueError, match="same name"):
        Ingress([LINEAR, LINEAR], Terms(), client)


async def test_the_answer_a_vendor_wants_is_given(client: Client) -> None:
    async with served([Challenged("linear", [linear_words.SECRET])], client) as http:
        headers, body = linear_words.signed(linear_words.delivery("Project", "update"))
        answer = await http.post("/hooks/linear", content=body, headers=headers)
        assert (answer.json(), answer.headers["content-type"]) == ({"challenge": "x"}, "application/json")


async def test_it_is_healthy_while_temporal_answers(client: Client) -> None:
    gone = await Client.connect("127.0.0.1:9", lazy=True)
    async with served([LINEAR], client) as http:
        assert (await http.get("/healthz")).status_code == 200
    async with served([LINEAR], gone) as http:
        assert (await http.get("/healthz")).status_code == 503


async def test_while_temporal_is_away_the_sender_is_told_to_try_again(client: Client) -> None:
    gone = await Client.connect("127.0.0.1:9", lazy=True)
    issue = uuid4().hex
    asked = linear_words.issue_delivery(id=issue)
    async with served([LINEAR], gone) as http:
        headers, body = linear_words.signed(asked)
        answer = await http.post("/hooks/linear", content=body, headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        # What needs no Temporal is taken all the same.
        assert await linear(http, linear_words.delivery("Project", "update"), "d-2") == 200
    async with served([LINEAR], client) as http:
        assert await linear(http, asked) == 200
    assert await runs(client, f"ticket:linear:{issue}", 1) == 1
