"""What GitHub's deliveries say, and which are genuine."""

from typing import Any

import pytest

from infra.ingress.door import Delivery, Unreadable, Unsigned
from infra.ingress.github import CHECK_EVENTS, PULL_EVENTS, GitHubDoor
from tests.infra.ingress import github_words as words
from workflows.domain.intake import CardSeen, Happening, PullRequestNews, WordsSaid
from workflows.domain.people import Trust
from workflows.domain.ticket import TicketRef

DOOR = GitHubDoor("github", [words.SECRET], login="pawl[bot]")
REF = TicketRef(tracker="github", id=f"{words.REPOSITORY}#1")
OPENED, LABELED, COMMENT = (
    words.example(name) for name in ("issues.opened", "issues.labeled", "issue_comment.created")
)
STRANGER = {"id": 5, "login": "eve", "type": "User"}
PAWL = {"id": 6, "login": "Pawl[bot]", "type": "Bot"}


def read(event: str, payload: Any) -> Delivery:
    headers, body = words.signed(event, payload)
    DOOR.check(headers, body, 0)
    return DOOR.read(headers, body)


def only(event: str, payload: Any) -> Happening:
    (happening,) = read(event, payload).happenings
    return happening


def card(payload: Any) -> CardSeen:
    happening = only("issues", payload)
    assert isinstance(happening, CardSeen)
    return happening


def said(payload: Any) -> WordsSaid:
    happening = only("issue_comment", payload)
    assert isinstance(happening, WordsSaid)
    return happening


@pytest.mark.parametrize("name", words.EXAMPLES)
def test_every_example_is_read(name: str) -> None:
    event, _, action = name.partition(".")
    happenings = read(event, words.example(name)).happenings
    wanted: list[type[Happening]] = []
    if event == "issues":
        wanted = [CardSeen]
    elif name == "issue_comment.created":
        wanted = [WordsSaid]
    elif event in PULL_EVENTS or (event in CHECK_EVENTS and action == "completed" and event != "workflow_run"):
        wanted = [PullRequestNews]
    assert [type(one) for one in happenings] == wanted


def test_there_are_thirty_nine_of_them() -> None:
    assert len(words.EXAMPLES) == 39


def test_a_card_carries_what_decisions_need() -> None:
    seen = card(OPENED)
    assert (seen.id, seen.moved, seen.assigned) == ("card@2019-05-15T15:20:18Z", False, False)
    assert (seen.card.ref, seen.card.identifier, seen.card.team) == (REF, "Hello-World#1", words.REPOSITORY)
    assert (seen.card.status, seen.card.labels, seen.card.closed) == ("Todo", ("bug",), False)


@pytest.mark.parametrize(
    ("payload", "id_", "moved", "assigned", "closed"),
    [
        (words.with_(OPENED, action="closed", issue__state="closed"), "Done@", True, False, True),
        (words.with_(OPENED, action="reopened"), "Todo@", True, False, False),
        (LABELED, "card@", False, False, False),
        (
            words.with_(LABELED, label={"name": "pawl: Building"}, issue__labels=[{"name": "pawl: Building"}]),
            *("Building@", True, False, False),
        ),
        (
            words.with_(LABELED, label={"name": "Pawl"}, issue__labels=[{"name": "Pawl"}]),
            *("Agent Todo@", True, False, False),
        ),
        (words.with_(OPENED, action="assigned", issue__assignees=[PAWL]), "card@", False, True, False),
        (words.with_(OPENED, action="assigned", issue__assignees=[STRANGER]), "card@", False, False, False),
        (words.with_(OPENED, issue__body="@pawl please"), "card@", False, True, False),
        (words.with_(OPENED, action="edited", issue__body="@pawl please"), "card@", False, False, False),
        (words.with_(OPENED, issue__body=None), "card@", False, False, False),
    ],
)
def test_what_happened_to_a_card(payload: Any, id_: str, moved: bool, assigned: bool, closed: bool) -> None:
    seen = card(payload)
    assert (seen.id, seen.moved) == (f"{id_}2019-05-15T15:20:18Z", moved)
    assert (seen.assigned, seen.card.closed) == (assigned, closed)


@pytest.mark.parametrize(
    ("payload", "trust"),
    [
        (words.with_(OPENED, issue__author_association="OWNER"), Trust.MEMBER),
        (words.with_(OPENED, issue__author_association="NONE"), Trust.STRANGER),
        (words.with_(OPENED, issue__author_association="CONTRIBUTOR"), Trust.STRANGER),
        # Only people with rights change what another has opened.
        (words.with_(LABELED, sender=STRANGER, issue__author_association="NONE"), Trust.MEMBER),
        (words.with_(LABELED, sender={**STRANGER, "type": "Bot"}), Trust.STRANGER),
    ],
)
def test_who_changed_a_card(payload: Any, trust: Trust) -> None:
    by = card(payload).by
    assert by is not None
    assert by.trust is trust


@pytest.mark.parametrize(
    ("association", "trust"),
    [
        *((one, Trust.MEMBER) for one in ("OWNER", "MEMBER", "COLLABORATOR")),
        *((one, Trust.STRANGER) for one in ("CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN")),
        *((one, Trust.STRANGER) for one in ("NONE", "", "owner")),
    ],
)
def test_who_wrote_a_comment(association: str, trust: Trust) -> None:
    payload = words.with_(COMMENT, comment__author_association=association, comment__body="@pawl go on")
    heard = said(payload)
    assert heard.by.trust is trust
    assert (heard.by.place, heard.by.id, heard.by.handle) == ("github", "21031067", "Codertocat")


@pytest.mark.parametrize(
    ("body", "addressed", "text"),
    [
        ("@pawl go on", True, "go on"),
        ("@PAWL go on", True, "go on"),
        ("@pawl[bot] go on", True, "go on"),
        ("go on", False, "go on"),
        ("@pawl-fan go on", False, "@pawl-fan go on"),
        ("`@pawl` is how", False, "`@pawl` is how"),
        ("> @pawl approve", False, "> approve"),
    ],
)
def test_comments_that_mention_pawl_are_said_to_it(body: str, addressed: bool, text: str) -> None:
    heard = said(words.with_(COMMENT, comment__body=body))
    assert (heard.id, heard.ref, heard.addressed) == ("comment:492700400", REF, addressed)
    assert heard.text.replace(">  ", "> ") == text
    assert heard.card is not None


def test_a_comment_of_an_account_that_is_gone_is_a_strangers() -> None:
    assert said(words.with_(COMMENT, comment__user=None, comment__author_association="NONE")).by.trust is Trust.STRANGER


def test_a_comment_on_a_pull_request_is_its_news() -> None:
    """No example of GitHub's sits on a pull request: this one is made of the one on an issue."""
    payload = words.with_(COMMENT, issue__pull_request={"url": "x"}, comment__body="@pawl fix it")
    news = only("issue_comment", payload)
    assert isinstance(news, PullRequestNews)
    assert (news.repository, news.number) == (words.REPOSITORY, 1)


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("issue_comment.created", "comment"),
        ("pull_request_review.submitted", "review"),
        ("pull_request_review_comment.created", "comment"),
    ],
)
def test_what_strangers_say_on_a_pull_request_does_not_reach_its_ticket(name: str, whose: str) -> None:
    payload = words.example(name)
    if name == "issue_comment.created":
        payload = words.with_(payload, issue__pull_request={"url": "x"})
    event = name.partition(".")[0]
    assert isinstance(only(event, payload), PullRequestNews)
    assert read(event, words.with_(payload, **{f"{whose}__author_association": "NONE"})).happenings == ()


@pytest.mark.parametrize("event", ["issues", "issue_comment", "pull_request"])
def test_what_pawl_does_itself_is_no_news(event: str) -> None:
    payload = {"issues": OPENED, "issue_comment": COMMENT, "pull_request": words.example("pull_request.opened")}[event]
    assert read(event, words.with_(payload, sender=PAWL)).happenings == ()


def test_ci_on_what_pawl_pushed_is_news() -> None:
    assert only("check_suite", words.with_(words.example("check_suite.completed"), sender=PAWL))


def test_pull_requests_of_other_repositories_are_left_to_them() -> None:
    run = words.example("check_run.completed")
    pulls = run["check_run"]["pull_requests"]
    fork = words.with_(pulls[0], base__repo__id=1, number=7)
    news = read("check_run", words.with_(run, check_run__pull_requests=[fork, *pulls, *pulls])).happenings
    assert [one.number for one in news if isinstance(one, PullRequestNews)] == [pulls[0]["number"]]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, "content type"),
        ({"content-type": ""}, "content type"),
        ({"x-github-delivery": ""}, "x-github-delivery"),
        ({"x-github-event": ""}, "x-github-event"),
        ({"x-github-delivery": "x" * 300}, "x-github-delivery"),
    ],
)
def test_a_delivery_without_its_headers_is_refused_with_the_reason(headers: dict[str, str], reason: str) -> None:
    sent, body = words.signed("issues", OPENED)
    with pytest.raises(Unreadable, match=reason):
        DOOR.read({**sent, **headers}, body)


@pytest.mark.parametrize("event", ["issues", "issue_comment", *PULL_EVENTS])
def test_a_body_of_another_event_is_refused(event: str) -> None:
    with pytest.raises(Unreadable):
        read(event, {"action": "created", "zen": "Approachable is better than simple."})


@pytest.mark.parametrize("cut", [slice(-1), slice(7, None), slice(0)], ids=["short", "without its name", "missing"])
def test_a_part_of_the_signature_is_a_wrong_one(cut: slice) -> None:
    headers, body = words.signed("ping", b"{}")
    with pytest.raises(Unsigned):
        DOOR.check({**headers, "x-hub-signature-256": headers["x-hub-signature-256"][cut]}, body, 0)


def test_another_way_to_write_the_signature_is_a_wrong_one() -> None:
    headers, body = words.signed("ping", b"{}")
    right = headers["x-hub-signature-256"]
    for written in (right.upper(), f"{right} ", f"{right}, {right}", right.replace("sha256", "sha1"), f"é{right}"):
        with pytest.raises(Unsigned):
            DOOR.check({**headers, "x-hub-signature-256": written}, body, 0)
