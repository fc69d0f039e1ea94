"""The double's webhooks: GitHub's own examples with what happened put in, signed as GitHub signs."""

import json
from collections.abc import Callable

import httpx
import pytest
from gidgethub.sansio import validate_event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.github.records import Comment, Issue, Pull, Review
from tests.activities.github.conftest import Desk
from tests.fakes.github import send_webhook
from tests.fakes.github.webhooks import EXAMPLES, Payloads, example
from tests.fakes.github.written import Json
from tests.fakes.service import serving
from workflows.domain.model import Record

NAMES = sorted(file.stem for file in EXAMPLES.glob("*.json"))


def test_there_are_39_examples() -> None:
    assert len(NAMES) == 39


@pytest.mark.parametrize("name", NAMES)
def test_records_read_what_github_really_sends(name: str) -> None:
    """The same objects as in REST, but for reviews' states and the authors of deleted accounts."""
    payload = example(name)
    parts: dict[str, type[Record]] = {"issue": Issue, "pull_request": Pull, "review": Review}
    if name.startswith("issue_comment"):
        parts["comment"] = Comment
    for part, kind in parts.items():
        if part in payload:
            assert kind.model_validate(payload[part]).model_dump()


async def test_what_is_sent_is_signed_and_tells_what_happened(desk: Desk) -> None:
    hands, world = desk.hands, desk.fake.world
    repo = world.repos["acme/shop"]
    issue = world.issue(repo, world.user("grace"), "One", "Text")
    comment = hands.comments(issue, "@pawl go", "ada")
    payloads = Payloads(world, desk.fake.url)
    heard: list[tuple[httpx.Headers, bytes]] = []

    async def hear(request: Request) -> Response:
        heard.append((httpx.Headers(request.headers.raw), await request.body()))
        return Response(status_code=202)

    async with serving(Starlette(routes=[Route("/hook", hear, methods=["POST"])])) as url:
        payload = payloads.comment(repo, issue, comment)
        assert await send_webhook(desk.http, f"{url}/hook", "s3cret", "issue_comment", "guid-1", payload) == 202
    ((headers, body),) = heard
    validate_event(body, signature=headers["x-hub-signature-256"], secret="s3cret")
    assert (headers["x-github-event"], headers["x-github-delivery"]) == ("issue_comment", "guid-1")
    told = json.loads(body)
    assert told["comment"]["body"] == "@pawl go"
    assert (told["comment"]["author_association"], told["sender"]["login"]) == ("OWNER", "ada")
    assert told["repository"]["full_name"] == "acme/shop"
    assert told["issue"]["number"] == 1
    assert "pull_request" not in told["issue"]


async def test_every_hand_has_its_webhook(desk: Desk) -> None:
    hands, world = desk.hands, desk.fake.world
    repo = world.repos["acme/shop"]
    hands.push(repo, "topic", {"a.txt": "two\n"})
    pull = hands.opens(repo, "topic")
    ada = world.user("ada")
    payloads = Payloads(world, desk.fake.url)
    review = hands.reviews(repo, pull.number, "CHANGES_REQUESTED", "No.")
    thread = hands.comments_at(repo, pull.number, "a.txt", 1, "Why?")
    made: list[tuple[Json, Callable[[Json], object], object]] = [
        (payloads.issue("labeled", repo, pull, ada, "pawl"), lambda p: p["label"]["name"], "pawl"),
        (payloads.pull("closed", repo, pull, ada), lambda p: p["pull_request"]["number"], pull.number),
        (payloads.review(repo, pull, review), lambda p: p["review"]["state"], "changes_requested"),
        (payloads.at_line(repo, pull, thread), lambda p: p["comment"]["path"], "a.txt"),
        (payloads.ci(repo, pull, "failure"), lambda p: p["workflow_run"]["pull_requests"][0]["number"], pull.number),
        (payloads.comment(repo, pull, hands.comments(pull, "x")), lambda p: "pull_request" in p["issue"], True),
    ]
    assert [part(payload) for payload, part, _ in made] == [expected for _, _, expected in made]
