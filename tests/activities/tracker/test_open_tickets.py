"""Tickets read in numbers and written anew, beyond what every tracker promises."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.slack.calls import SlackCalls
from activities.tracker.board import BoardTracker
from activities.tracker.slack import SlackTracker
from infra import board
from tests.fakes import slack as fake_slack
from tests.fakes.github import PAWL as GITHUB_US
from tests.fakes.openproject_world import PAWL
from tests.fakes.service import Fault
from tests.fakes.slack import FakeSlack
from tests.ports.trackers import GitHubIssuesRig, OpenProjectRig
from workflows.domain.chat import Place
from workflows.domain.failures import Failure
from workflows.domain.intake import Start, Terms, decide
from workflows.domain.people import Trust
from workflows.domain.routes import AGENT_TODO, Route
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.tracker import (
    ClaimTicket,
    FileTicket,
    FindNews,
    ListOpen,
    MoveTicket,
    News,
    RewriteTicket,
)


@pytest.fixture
async def github(tmp_path: Path) -> AsyncGenerator[GitHubIssuesRig]:
    async with GitHubIssuesRig(tmp_path) as rig:
        yield rig


@pytest.fixture
async def project(tmp_path: Path) -> AsyncGenerator[OpenProjectRig]:
    async with OpenProjectRig(tmp_path) as rig:
        yield rig


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake_slack.running() as slack:
        yield slack


def at_slack(slack: FakeSlack) -> SlackTracker:
    return SlackTracker(SlackCalls(fake_slack.BOT_TOKEN, slack.api), "slack", (fake_slack.CHANNEL,))


# GitHub


async def test_pull_requests_are_no_issues_and_pages_are_turned(github: GitHubIssuesRig) -> None:
    for number in range(130):
        await github.add(f"One {number}", labels=("triage, of code",) if number == 3 else ())
        if number % 2:
            github.hands.opens(github.repo, "topic")
    found = await github.tracker.list_open(ListOpen(tracker="github", most=500))
    assert [ticket.title for ticket in found.tickets] == [f"One {number}" for number in range(129, -1, -1)]
    assert found.complete
    labelled = await github.tracker.list_open(ListOpen(tracker="github", labels=("Triage, of code",)))
    assert [ticket.title for ticket in labelled.tickets] == ["One 3"]


async def test_a_repository_that_is_named_alone_is_listed(github: GitHubIssuesRig) -> None:
    await github.add("One")
    other = github.hands.repository("acme/docs", {"a": "a"})
    github.fake.world.issue(other, github.fake.world.user("ada"), "Two", "")
    found = await github.tracker.list_open(ListOpen(tracker="github", team="ACME/docs"))
    assert [(ticket.title, ticket.team) for ticket in found.tickets] == [("Two", "acme/docs")]


async def test_what_pawls_own_account_wrote_by_hand_is_not_what_pawl_filed(
    github: GitHubIssuesRig, project: OpenProjectRig
) -> None:
    """As where the token is a person's."""
    us = github.fake.world.user(GITHUB_US)
    github.fake.world.issue(github.repo, us, "By hand", "Text.").labels = ["triage"]
    project.double.file("By hand", "Text.", ("triage",), by=PAWL)
    for rig in (github, project):
        (listed,) = (await rig.tracker.list_open(ListOpen(tracker=rig.name))).tickets
        assert (listed.title, listed.labels, listed.ours) == ("By hand", ("triage",), False)


async def test_a_limit_is_waited_for(github: GitHubIssuesRig) -> None:
    github.fake.faults.add(Fault("GET /api/repos/acme/shop/issues", status=429, body=b'{"message": "rate limit"}'))
    with pytest.raises(ApplicationError) as caught:
        await github.tracker.list_open(ListOpen(tracker="github"))
    assert not caught.value.non_retryable


async def test_an_issue_that_is_deleted_meanwhile_is_not_there(github: GitHubIssuesRig) -> None:
    filing = FileTicket(tracker="github", key="k", team="acme/shop", title="Report", body="Two.")
    filed = await github.tracker.file_ticket(filing)
    github.fake.faults.add(Fault("PATCH /api/repos/acme/shop/issues", status=410, body=b'{"message": "gone"}'))
    with pytest.raises(ApplicationError) as caught:
        await github.tracker.rewrite_ticket(RewriteTicket(ref=filed.ref, title="Report", body="Three."))
    assert caught.value.type == Failure.TICKET_NOT_FOUND


async def test_the_hidden_mark_stays_the_first_line(github: GitHubIssuesRig) -> None:
    filing = FileTicket(tracker="github", key="k", team="acme/shop", title="Report", body="Two.")
    filed = await github.tracker.file_ticket(filing)
    first = github.issue(filed.ref).body.partition("\n")[0]
    await github.tracker.rewrite_ticket(RewriteTicket(ref=filed.ref, title="T" * 300, body="x" * 70_000))
    issue = github.issue(filed.ref)
    assert (issue.body.partition("\n")[0], len(issue.title)) == (first, 250)
    assert issue.body.endswith("[cut: too long]")


# OpenProject


async def draft(project: OpenProjectRig) -> TicketRef:
    filing = FileTicket(tracker="openproject", key="k", team="web", title="Report", body="Two.", labels=("triage",))
    return (await project.tracker.file_ticket(filing)).ref


async def look(project: OpenProjectRig, state: str = "") -> News:
    routes = (Route(tracker="openproject", state=state, repository="/srv/shop.git"),)
    since = datetime.now(UTC) - timedelta(hours=1)
    return await project.tracker.find_news(FindNews(tracker="openproject", since=since, routes=routes))


async def test_a_person_who_is_faster_loses_nothing(project: OpenProjectRig) -> None:
    ref = await draft(project)
    project.double.meanwhile = lambda: project.double.move(int(ref.id), AGENT_TODO)
    again = await project.tracker.rewrite_ticket(RewriteTicket(ref=ref, title="Report", body="Three."))
    assert (again.status, again.body) == (AGENT_TODO, "Three.")
    (card,) = [one for one in (await look(project)).cards if one.card.ref == ref]
    assert card.by is None or card.by.trust is not Trust.OURS, "what a person asks for is still heard"


async def test_a_change_of_ours_alone_is_an_echo(project: OpenProjectRig) -> None:
    ref = await draft(project)
    for body in ("Three.", "Four."):
        await project.tracker.rewrite_ticket(RewriteTicket(ref=ref, title="Report", body=body))
    (card,) = [one for one in (await look(project)).cards if one.card.ref == ref]
    assert card.by is not None
    assert card.by.trust is Trust.OURS


async def test_a_draft_in_the_asking_column_waits_for_a_person(project: OpenProjectRig) -> None:
    terms = Terms(routes=(Route(tracker="openproject", state="New", repository="/srv/shop.git"),), model="m")
    ref = await draft(project)
    asked = project.double.file("By Ada", status="New")
    (report, hers) = sorted((await look(project, "New")).cards, key=lambda one: int(one.card.ref.id))
    assert (report.card.ref, hers.card.ref.id) == (ref, str(asked))
    assert not [move for move in decide(report, terms) if isinstance(move, Start)]
    assert [move for move in decide(hers, terms) if isinstance(move, Start)]
    project.double.assign(int(ref.id), PAWL)
    (report, _) = sorted((await look(project, "New")).cards, key=lambda one: int(one.card.ref.id))
    assert [move for move in decide(report, terms) if isinstance(move, Start)]


async def test_a_claim_outlives_that_the_ticket_is_written_anew(project: OpenProjectRig) -> None:
    ref = await draft(project)
    await project.tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    await project.tracker.move_ticket(MoveTicket(ref=ref, to=Phase.BUILDING))
    await project.tracker.rewrite_ticket(RewriteTicket(ref=ref, title="Report", body="Three."))
    with pytest.raises(ApplicationError, match="held by a"):
        await project.tracker.claim_ticket(ClaimTicket(ref=ref, account="b"))


async def test_labels_are_kept_where_there_are_none(project: OpenProjectRig) -> None:
    ref = await draft(project)
    await project.tracker.move_ticket(MoveTicket(ref=ref, to="Someday"))
    assert not project.double.labels
    found = await project.tracker.list_open(ListOpen(tracker="openproject", team="web", labels=("Triage",)))
    assert [ticket.ref for ticket in found.tickets] == [ref]


async def test_pages_of_work_packages_are_turned(project: OpenProjectRig) -> None:
    for number in range(205):
        project.double.file(f"One {number}", labels=("old",) if number == 0 else ())
    found = await project.tracker.list_open(ListOpen(tracker="openproject", labels=("old",)))
    assert [ticket.title for ticket in found.tickets] == ["One 0"]
    some = await project.tracker.list_open(ListOpen(tracker="openproject", most=150))
    assert (len(some.tickets), some.tickets[0].title, some.complete) == (150, "One 204", False)


# Slack


async def test_tickets_in_threads_that_people_began_are_listed_and_left_to_them(slack: FakeSlack) -> None:
    asked = slack.say(fake_slack.CHANNEL, "U0ADA", f"<@{fake_slack.BOT}> mend the till", team=fake_slack.TEAM)
    slack.say(fake_slack.CHANNEL, "U0ADA", "something else altogether", team=fake_slack.TEAM)
    ref = TicketRef(tracker="slack", id=Place(fake_slack.TEAM, fake_slack.CHANNEL, asked["ts"]).id)
    tracker = at_slack(slack)
    await tracker.claim_ticket(ClaimTicket(ref=ref, account="a"))
    found = await tracker.list_open(ListOpen(tracker="slack"))
    assert [(ticket.ref, ticket.title) for ticket in found.tickets] == [(ref, "mend the till")]
    with pytest.raises(ApplicationError, match="begun by a person"):
        await tracker.rewrite_ticket(RewriteTicket(ref=ref, title="Mine", body="now"))
    await tracker.move_ticket(MoveTicket(ref=ref, to=Phase.DONE))
    assert not (await tracker.list_open(ListOpen(tracker="slack"))).tickets


async def test_a_card_that_somebody_holds_is_open(slack: FakeSlack) -> None:
    tracker = at_slack(slack)
    filing = FileTicket(tracker="slack", key="k", team=fake_slack.CHANNEL, title="Report", body="Two.")
    filed = await tracker.file_ticket(filing)
    await tracker.claim_ticket(ClaimTicket(ref=filed.ref, account="a"))
    found = await tracker.list_open(ListOpen(tracker="slack", team=fake_slack.CHANNEL))
    assert [ticket.ref for ticket in found.tickets] == [filed.ref]
    with pytest.raises(ApplicationError, match="no channel"):
        await tracker.list_open(ListOpen(tracker="slack", team="#shop"))


async def test_a_message_that_is_deleted_is_not_written(slack: FakeSlack) -> None:
    tracker = at_slack(slack)
    filing = FileTicket(tracker="slack", key="k", team=fake_slack.CHANNEL, title="Report", body="Two.")
    filed = await tracker.file_ticket(filing)
    slack.channels[fake_slack.CHANNEL].clear()
    with pytest.raises(ApplicationError) as caught:
        await tracker.rewrite_ticket(RewriteTicket(ref=filed.ref, title="Report", body="Three."))
    assert caught.value.type == Failure.TICKET_NOT_FOUND


async def test_what_lies_too_far_back_is_said(slack: FakeSlack) -> None:
    slack.page = 1
    for number in range(10):
        slack.say(fake_slack.CHANNEL, "U0ADA", f"word {number}", team=fake_slack.TEAM)
    assert (await at_slack(slack).list_open(ListOpen(tracker="slack"))).complete
    slack.say(fake_slack.CHANNEL, "U0ADA", "one more", team=fake_slack.TEAM)
    assert not (await at_slack(slack).list_open(ListOpen(tracker="slack"))).complete


async def test_slacks_limit_is_waited_for(slack: FakeSlack) -> None:
    slack.limits["conversations.history"] = 7
    with pytest.raises(ApplicationError) as caught:
        await at_slack(slack).list_open(ListOpen(tracker="slack"))
    assert (caught.value.non_retryable, str(caught.value.next_retry_delay)) == (False, "0:00:07")


# The board


async def test_what_is_no_card_is_not_listed(tmp_path: Path) -> None:
    board.create_ticket(tmp_path, "T-1", "One")
    (tmp_path / "README.md").write_text("How to use this board")
    (tmp_path / "T-2.md").write_text("no front matter")
    found = await BoardTracker(tmp_path).list_open(ListOpen(tracker="board"))
    assert [ticket.title for ticket in found.tickets] == ["One"]


async def test_what_people_wrote_on_a_card_stays_as_they_wrote_it(tmp_path: Path) -> None:
    card = tmp_path / "T-1.md"
    head = "---\r\ntitle: Report  # theirs\r\nowner: Ada\r\nstatus: someday\r\n---\r\n\r\nTwo.\r\n"
    card.write_bytes(f"{head}\r\n## comments\r\n\r\nA word.\r\n".encode())
    ref = TicketRef(tracker="board", id="T-1")
    await BoardTracker(tmp_path).rewrite_ticket(RewriteTicket(ref=ref, title="Report", body="Three.\n\nFour."))
    said = card.read_bytes().decode()
    assert said.replace("version: 2\r\n", "") == (
        head.replace("Two.", "Three.\r\n\r\nFour.") + "\r\n## comments\r\n\r\nA word.\r\n"
    )
