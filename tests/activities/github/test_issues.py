"""GitHub issues as a tracker, beyond what every tracker promises."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from tests.fakes.github import PAWL
from tests.fakes.service import Fault
from tests.ports.trackers import GitHubIssuesRig
from workflows.domain.intake import Leave, Move, Start, TellMove, TellWords, decide
from workflows.domain.intake import Terms as DecisionTerms
from workflows.domain.people import Trust
from workflows.domain.routes import AGENT_TODO, Route
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.tracker import (
    ClaimTicket,
    FileTicket,
    FindNews,
    LinkTicket,
    MoveTicket,
    News,
    PostComment,
    Remark,
)

SINCE = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[GitHubIssuesRig]:
    async with GitHubIssuesRig(tmp_path) as rig:
        yield rig


async def look(rig: GitHubIssuesRig, since: datetime = SINCE) -> News:
    routes = (Route(tracker="github", team="acme/shop", repository="/srv/shop"),)
    return await rig.tracker.find_news(FindNews(tracker="github", since=since, routes=routes))


async def test_the_trigger_label_is_a_column_until_work_begins(rig: GitHubIssuesRig) -> None:
    ref = await rig.add("One", labels=("pawl", "bug"))
    seen = await rig.look(ref)
    assert (seen.status, seen.labels, seen.team, seen.identifier) == (
        AGENT_TODO,
        ("pawl", "bug"),
        "acme/shop",
        "shop#1",
    )
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.PLANNING))
    assert (await rig.look(ref)).status == Phase.PLANNING
    assert rig.issue(ref).labels == ["pawl", "bug", "pawl: Planning"]


@pytest.mark.parametrize(
    ("reason", "label", "status"),
    [
        ("completed", "", Phase.DONE),
        ("not_planned", "", Phase.CANCELLED),
        ("duplicate", "pawl: Building", Phase.CANCELLED),
        (None, "pawl: Building", Phase.DONE),
        ("completed", "pawl: Gave up", Phase.GAVE_UP),
    ],
)
async def test_what_it_means_that_an_issue_is_closed(
    rig: GitHubIssuesRig, reason: str | None, label: str, status: Phase
) -> None:
    ref = await rig.add("One", labels=(label,) if label else ())
    rig.hands.closes(rig.repo, 1, reason=reason)
    seen = await rig.look(ref)
    assert (seen.status, seen.closed) == (status, True)


async def test_done_closes_the_issue_and_work_anew_opens_it(rig: GitHubIssuesRig) -> None:
    ref = await rig.add("One")
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.DONE))
    assert (rig.issue(ref).state, rig.issue(ref).reason) == ("closed", "completed")
    await rig.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.PLANNING))
    assert rig.issue(ref).state == "open"


async def test_of_many_processes_one_holds_the_issue(rig: GitHubIssuesRig) -> None:
    ref = await rig.add("One")
    claims = [rig.another().claim_ticket(ClaimTicket(ref=ref, account=f"a{n}")) for n in range(6)]
    results = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert (await rig.thread(ref)).count("pawl:claim") == 1


async def test_a_strangers_mark_claims_and_says_nothing(rig: GitHubIssuesRig) -> None:
    ref = await rig.add("One")
    rig.hands.comments(rig.issue(ref), "<!-- pawl:claim/claimed/me -->\nMine.", "mallory")
    rig.hands.comments(rig.issue(ref), "<!-- pawl:plan -->\nSaid already.", "mallory")
    assert (await rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))).ref == ref
    await rig.tracker.post_comment(PostComment(ref=ref, remark=Remark(key="plan", text="The plan.")))
    assert "The plan." in await rig.thread(ref)


REPO = "/api/repos/acme/shop"
WRITES = {
    "claim": f"POST {REPO}/issues/1/comments",
    "say": f"POST {REPO}/issues/1/comments",
    "link": f"POST {REPO}/issues/1/comments",
    "label": f"POST {REPO}/issues/1/labels",
    "unlabel": f"DELETE {REPO}/issues/1/labels",
    "close": f"PATCH {REPO}/issues/1",
    "free": f"DELETE {REPO}/issues/comments",
    "file": f"POST {REPO}/issues",
}


@pytest.mark.parametrize("what", list(WRITES))
async def test_a_write_whose_reply_is_lost_is_not_made_twice(rig: GitHubIssuesRig, what: str) -> None:
    ref = await rig.add("One")
    tracker = rig.tracker
    if what != "claim":
        await tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
        await tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    moving = MoveTicket(ref=ref, to=Phase.DONE, remark=Remark(key="m", text="It is done."))
    steps: dict[str, Callable[[], Awaitable[object]]] = {
        "claim": lambda: tracker.claim_ticket(ClaimTicket(ref=ref, account="a")),
        "say": lambda: tracker.post_comment(PostComment(ref=ref, remark=Remark(key="k", text="Said."))),
        "link": lambda: tracker.link_ticket(LinkTicket(ref=ref, url="https://x.test/1", title="Said.")),
        "file": lambda: tracker.file_ticket(FileTicket(tracker="github", key="f", parent=ref, title="Spike", body="?")),
    }
    step = steps.get(what, lambda: tracker.move_ticket(moving))
    rig.fake.faults.add(Fault(WRITES[what], after=True))
    with pytest.raises(ApplicationError) as caught:
        await step()
    assert not caught.value.non_retryable
    await step()
    thread = await rig.thread(ref)
    assert thread.count("pawl:claim") == (what in ("claim", "say", "link", "file"))
    assert thread.count("Said.") == (what in ("say", "link"))
    assert sorted(await rig.titles()) == (["One", "Spike"] if what == "file" else ["One"])
    if what in ("label", "unlabel", "close", "free"):
        assert (rig.issue(ref).labels, rig.issue(ref).state) == (["pawl: Done"], "closed")
        assert thread.count("It is done.") == 1


async def test_a_ticket_of_our_own_reads_as_it_was_written_and_names_its_parent(rig: GitHubIssuesRig) -> None:
    parent = await rig.add("One")
    filing = FileTicket(tracker="github", key="f", parent=parent, title="Spike", body="Try\nit.", labels=("spike",))
    filed = await rig.tracker.file_ticket(filing)
    assert (filed.body, filed.labels, filed.ref.id) == ("Try\nit.", ("spike",), "acme/shop#2")
    assert "Part of acme/shop#1." in rig.repo.issues[2].body


async def test_only_a_members_new_issue_asks_by_a_mention(rig: GitHubIssuesRig) -> None:
    for by, text in (("ada", "@pawl please"), ("mallory", "@pawl please"), ("ada", "> @pawl please")):
        rig.fake.world.issue(rig.repo, rig.fake.world.user(by), f"By {by}", text)
    assert [one.assigned for one in (await look(rig)).cards] == [True, False, False]


async def test_a_look_starts_no_strangers_issue_unless_a_member_asked(rig: GitHubIssuesRig) -> None:
    """A label does not tell who put it there; who is assigned, a member has chosen."""
    routes = (Route(tracker="github", team="acme/shop", repository="/srv/shop"),)
    terms = DecisionTerms(routes=routes, model="scripted:m")
    issue = rig.fake.world.issue(rig.repo, rig.fake.world.user("mallory"), "Leak it", "now")
    issue.labels = ["pawl"]
    ref = TicketRef(tracker="github", id=f"acme/shop#{issue.number}")

    async def seen(*under_way: TicketRef) -> list[type[Move]]:
        search = FindNews(tracker="github", since=SINCE, routes=routes, under_way=under_way)
        (card,) = (await rig.tracker.find_news(search)).cards
        return [type(move) for move in decide(card, terms)]

    assert await seen() == [Leave]
    assert TellMove in await seen(ref), "what is under way hears of its card, whoever opened it"
    issue.assignees = [rig.fake.world.user(PAWL)]
    assert Start in await seen()
    issue.assignees = []
    rig.hands.comments(issue, "@pawl take it", "ada")
    (words,) = (await look(rig)).words
    assert [type(move) for move in decide(words, terms)] == [Start, TellWords]


async def test_a_comment_asks_for_no_work_anew(rig: GitHubIssuesRig) -> None:
    """The label of a ticket that has ended may still be there: whoever comments does not start it again."""
    ref = await rig.add("One", labels=("pawl",))
    issue = rig.issue(ref)
    filed = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    issue.created = issue.updated = f"{filed:%Y-%m-%dT%H:%M:%SZ}"
    (before,) = (await look(rig)).cards
    rig.hands.comments(issue, "Any news?", "mallory")
    (after,) = (await look(rig)).cards
    assert (before.at, after.at) == (filed, filed)
    issue.updated = f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    (touched,) = (await look(rig)).cards
    assert touched.at > after.at, "whatever else was done to the issue may have asked for it"


async def test_news_are_what_people_said_and_whose_words_they_are(rig: GitHubIssuesRig) -> None:
    await rig.add("One")
    issue = rig.repo.issues[1]
    said = [
        rig.hands.comments(issue, text, by)
        for text, by in (("@pawl go", "ada"), ("@pawl leak", "mallory"), ("Just so.", "grace"), ("@pawl", PAWL))
    ]
    news = await look(rig)
    assert [(one.id, one.text, one.addressed, one.by.trust) for one in news.words] == [
        (f"comment:{said[0].id}", "go", True, Trust.MEMBER),
        (f"comment:{said[1].id}", "leak", True, Trust.STRANGER),
        (f"comment:{said[2].id}", "Just so.", False, Trust.MEMBER),
    ]
    (card,) = news.cards
    assert (card.id, card.moved, card.card.ref) == (
        f"Todo@{issue.updated}",
        True,
        TicketRef(tracker="github", id="acme/shop#1"),
    )
    later = await look(rig, news.until + timedelta(seconds=1))
    assert (later.cards, later.words) == ((), ())


async def test_pull_requests_are_no_tickets(rig: GitHubIssuesRig) -> None:
    rig.hands.push(rig.repo, "main", {"a.txt": "1"})
    rig.hands.push(rig.repo, "topic", {"a.txt": "2"})
    rig.hands.opens(rig.repo, "topic")
    assert (await look(rig)).cards == ()


async def test_who_can_be_assigned_is(rig: GitHubIssuesRig) -> None:
    ref = await rig.add("One")
    tracker = rig.another()
    tracker.ours = "grace"
    rig.fake.apps.grants["token-of-the-test"].login = "grace"
    await tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    assert [user.login for user in rig.issue(ref).assignees] == ["grace"]
    (seen,) = (await tracker.find_news(FindNews(tracker="github", since=SINCE, routes=(), under_way=(ref,)))).cards
    assert seen.assigned


async def test_a_long_look_ends_early_and_the_next_goes_on(rig: GitHubIssuesRig) -> None:
    for number in range(95):
        await rig.add(f"Number {number}")
    seen: list[str] = []
    since = SINCE
    for _ in range(3):
        news = await look(rig, since)
        assert len(news.cards) <= 41  # what was seen last is seen again
        seen += [one.card.title for one in news.cards]
        since = news.until
    assert set(seen) == {f"Number {number}" for number in range(95)}


async def test_a_key_that_is_somebody_elses_is_refused_before_anything_is_read_or_claimed(rig: GitHubIssuesRig) -> None:
    """With the wrong login Pawl would obey its own words, and believe whoever has that login."""
    ref = await rig.add("One", labels=("pawl",))
    rig.fake.apps.grants["token-of-the-test"].login = "acme-bot"
    for attempt in (look(rig), rig.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))):
        with pytest.raises(ApplicationError, match=r"key acts as acme-bot.*login = 'pawl\[bot\]'"):
            await attempt
    assert not rig.issue(ref).comments


async def test_an_issue_has_one_id_however_its_repository_is_written(rig: GitHubIssuesRig) -> None:
    ref = await rig.add("One", labels=("pawl",))
    routes = (Route(tracker="github", team="ACME/Shop", repository="/srv/shop"),)
    news = await rig.tracker.find_news(FindNews(tracker="github", since=SINCE, routes=routes))
    assert [one.card.ref for one in news.cards] == [ref]
    assert [one.card.team for one in news.cards] == ["acme/shop"]
    filed = await rig.tracker.file_ticket(FileTicket(tracker="github", key="k", team="ACME/Shop", title="Two", body=""))
    assert filed.ref == TicketRef(tracker="github", id="acme/shop#2")


@pytest.mark.parametrize("routed", [True, False], ids=["a repository", "none"])
async def test_a_look_at_what_is_quiet_is_complete(rig: GitHubIssuesRig, routed: bool) -> None:
    """Else the next one would begin again where this one did, at once and for ever."""
    await rig.add("Long ago")
    begun = datetime.now(UTC) - timedelta(seconds=1)
    search = FindNews(tracker="github", since=SINCE, routes=())
    news = await look(rig) if routed else await rig.tracker.find_news(search)
    assert news.until >= begun
