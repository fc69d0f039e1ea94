"""Where a card stands, what is said and linked and filed: once each, whatever reply is lost."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.tracker.linear.desk import NAME, Desk
from tests.fakes.linear.rows import Row
from tests.fakes.service import Fault
from workflows.domain.failures import Failure
from workflows.domain.ticket import Phase, Ticket
from workflows.ports.tracker import ClaimTicket, FileTicket, LinkTicket, MoveTicket, PostComment, Remark

LOST = pytest.mark.parametrize("after", [True, False], ids=["reply lost", "request lost"])


def names(issue: Row) -> list[str]:
    return sorted(row["name"] for row in issue["labels"])


def move(desk: Desk, issue: Row, to: str, text: str = "") -> MoveTicket:
    return MoveTicket(ref=desk.ref(issue), to=to, remark=Remark(key=f"at {to}", text=text) if text else None)


async def test_phases_that_share_a_column_are_told_apart_by_one_label(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", labels=("bug",))
    for phase in (Phase.PLANNING, Phase.PLAN_GATE, Phase.BUILDING, Phase.BLOCKED):
        await desk.tracker.move_ticket(move(desk, issue, phase))
        assert (issue["state"]["name"], names(issue)) == ("In Progress", ["bug", f"pawl: {phase.lower()}"])
    await desk.tracker.move_ticket(move(desk, issue, Phase.DONE))
    assert (issue["state"]["name"], names(issue)) == ("Done", ["bug"])


async def test_a_column_of_the_phases_name_is_taken_however_it_is_written(desk: Desk) -> None:
    desk.linear.state(desk.team, "PLAN-GATE", "started")
    issue = desk.linear.file(desk.team, "One")
    await desk.tracker.move_ticket(move(desk, issue, Phase.PLAN_GATE))
    assert (issue["state"]["name"], names(issue)) == ("PLAN-GATE", [])


async def test_a_card_is_put_back_where_it_was_and_pawl_lets_go_of_it(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    before = await desk.tracker.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="a"))
    await desk.tracker.move_ticket(move(desk, issue, before.status))
    assert (issue["state"]["name"], issue["delegate"], names(issue)) == ("Agent Todo", None, [])
    with pytest.raises(ApplicationError, match="no column Nirvana") as caught:
        await desk.tracker.move_ticket(move(desk, issue, "Nirvana"))
    assert caught.value.type == Failure.BAD_REQUEST


async def test_one_who_does_the_work_stays_to_be_seen_on_the_card(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One")
    await desk.tracker.claim_ticket(ClaimTicket(ref=desk.ref(issue), account="a"))
    await desk.tracker.move_ticket(move(desk, issue, Phase.DONE))
    assert issue["delegate"] is desk.linear.us


@LOST
@pytest.mark.parametrize("operation", ["issue", "issueLabels", "issueLabelCreate", "issueUpdate", "commentCreate"])
async def test_a_move_with_its_words_happens_once(desk: Desk, operation: str, after: bool) -> None:
    issue = desk.linear.file(desk.team, "One")
    desk.linear.http.add(Fault(at=f"graphql {operation}", after=after))
    for _ in range(3):
        try:
            await desk.tracker.move_ticket(move(desk, issue, Phase.PLAN_GATE, "Here is the plan."))
        except ApplicationError as error:
            assert not error.non_retryable  # noqa: PT017  # the workflow would try again
    assert [row["body"] for row in issue["comments"]] == ["Here is the plan."]
    assert (len(issue["history"]), len(desk.linear.all("issueLabel"))) == (1, 1)


@LOST
async def test_a_link_is_put_once(desk: Desk, after: bool) -> None:
    issue = desk.linear.file(desk.team, "One")
    link = LinkTicket(ref=desk.ref(issue), url="https://git.acme.test/pull/7", title="Pull request 7")
    desk.linear.http.add(Fault(at="graphql attachmentCreate", after=after))
    with pytest.raises(ApplicationError):
        await desk.tracker.link_ticket(link)
    await asyncio.gather(*(desk.tracker.link_ticket(link) for _ in range(4)))
    assert [(row["url"], row["title"]) for row in issue["attachments"]] == [(link.url, "Pull request 7")]


@LOST
async def test_a_child_is_filed_once_by_many_who_file_it(desk: Desk, after: bool) -> None:
    parent = desk.linear.file(desk.team, "One", labels=("bug",))
    desk.linear.label("spike")
    filing = FileTicket(
        tracker=NAME, key="spike-1", parent=desk.ref(parent), title="Try it", body="How?", labels=("Spike", "triage")
    )
    desk.linear.http.add(Fault(at="graphql issueCreate", after=after))
    results = await asyncio.gather(*(desk.tracker.file_ticket(filing) for _ in range(4)), return_exceptions=True)
    tickets = [result for result in results if isinstance(result, Ticket)]
    assert len(tickets) >= 3
    assert len({ticket.ref.key for ticket in tickets}) == 1
    assert [(row["title"], row["description"], names(row)) for row in parent["children"]] == [
        ("Try it", "How?", ["spike", "triage"])
    ]
    assert (tickets[0].team, tickets[0].labels) == ("ENG", ("spike", "triage"))


async def test_a_ticket_is_filed_in_the_team_that_is_named(desk: Desk) -> None:
    desk.linear.team("OPS")
    ticket = await desk.tracker.file_ticket(FileTicket(tracker=NAME, key="k", team="ops", title="T", body=""))
    assert (ticket.team, ticket.identifier) == ("OPS", "OPS-1")
    with pytest.raises(ApplicationError, match="no team 'NO'"):
        await desk.tracker.file_ticket(FileTicket(tracker=NAME, key="k2", team="NO", title="T", body=""))


async def test_a_refused_comment_is_told_and_not_taken_for_said(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One")
    body = (
        b'{"errors": [{"message": "no", "extensions": {"code": "INPUT_ERROR", "userPresentableMessage": "Too long."}}]}'
    )
    desk.linear.http.add(Fault(at="graphql commentCreate", status=400, body=body))
    with pytest.raises(ApplicationError, match="Linear: Too long") as caught:
        await desk.tracker.post_comment(PostComment(ref=desk.ref(issue), remark=Remark(key="k", text="t")))
    assert caught.value.type == Failure.BAD_REQUEST
