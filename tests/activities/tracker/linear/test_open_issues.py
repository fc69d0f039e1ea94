"""Linear: what is open, where a draft lands, and a text written anew."""

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.tracker.linear.desk import NAME, Desk
from tests.fakes.linear.rows import Row
from tests.fakes.service import Fault
from workflows.domain.failures import Failure
from workflows.domain.routes import AGENT_TODO, Route
from workflows.domain.ticket import Ticket
from workflows.ports.tracker import FileTicket, ListOpen, RewriteTicket


async def draft(desk: Desk, routes: tuple[Route, ...] = (), **more: str) -> Ticket:
    filing = FileTicket(tracker=NAME, key="k", team="ENG", title="Report", body="Two.", labels=("triage",))
    return await desk.tracker_with(*routes).file_ticket(filing.model_copy(update=more))


def column(desk: Desk, name: str) -> Row:
    return desk.linear.column(desk.team, name)


ASKS = (Route(tracker=NAME, repository="/srv/shop.git"),)


@pytest.mark.parametrize(("default", "lands"), [("Todo", "Todo"), ("Triage", "Triage"), (AGENT_TODO, "Backlog")])
async def test_a_draft_never_lands_where_work_is_asked_for(desk: Desk, default: str, lands: str) -> None:
    desk.team["defaultIssueState"] = column(desk, default)
    filed = await draft(desk, ASKS)
    assert filed.status == lands
    assert not ASKS[0].asks_for(filed)


async def test_a_team_that_has_only_the_asking_column_is_left_as_it_is(desk: Desk) -> None:
    team = desk.linear.team("OPS", [(AGENT_TODO, "unstarted"), ("Done", "completed")])
    team["defaultIssueState"] = team["states"][0]
    assert (await draft(desk, ASKS, team="OPS")).status == AGENT_TODO


@pytest.mark.parametrize("after", [False, True])
async def test_a_label_is_made_once(desk: Desk, after: bool) -> None:
    desk.linear.http.add(Fault(at="graphql issueLabelCreate", after=after))
    if not after:
        with pytest.raises(ApplicationError):
            await draft(desk)
    assert (await draft(desk)).labels == ("triage",)
    await draft(desk, key="other")
    assert [row["name"] for row in desk.linear.all("issueLabel")] == ["triage"]


async def test_the_teams_own_label_is_taken(desk: Desk) -> None:
    desk.linear.label("Triage", desk.team)
    assert (await draft(desk)).labels == ("Triage",)
    found = await desk.tracker.list_open(ListOpen(tracker=NAME, labels=("triage",)))
    assert [ticket.title for ticket in found.tickets] == ["Report"]


async def test_a_ticket_is_not_lost_for_a_label_that_linear_refuses(desk: Desk) -> None:
    body = b'{"errors": [{"message": "no", "extensions": {"code": "INPUT_ERROR"}}]}'
    desk.linear.http.add(Fault(at="graphql issueLabelCreate", status=400, body=body))
    assert (await draft(desk)).labels == ()


async def test_pages_of_issues_are_turned(desk: Desk) -> None:
    for number in range(120):
        desk.linear.file(desk.team, f"One {number}", column="Done" if number % 10 == 0 else "Todo")
    found = await desk.tracker.list_open(ListOpen(tracker=NAME, team="eng", most=107))
    assert [ticket.title for ticket in found.tickets][:2] == ["One 119", "One 118"]
    assert (len(found.tickets), found.complete) == (107, False)
    assert (await desk.tracker.list_open(ListOpen(tracker=NAME, most=108))).complete


async def test_linears_own_way_of_writing_is_no_change(desk: Desk) -> None:
    filed = await draft(desk)
    text = RewriteTicket(ref=filed.ref, title="Report", body="Three:\n\n- one\n- two_of_them\n")
    await desk.tracker.rewrite_ticket(text)
    issue = desk.linear.one("issue", filed.ref.id)
    issue["description"] = "Three:\n\n* one\n* two\\_of\\_them"
    before = issue["updatedAt"]
    await desk.tracker.rewrite_ticket(text)
    assert issue["updatedAt"] == before
    await desk.tracker.rewrite_ticket(text.model_copy(update={"body": "Three:\n\n- one\n"}))
    assert issue["description"] == "Three:\n\n- one\n"


async def test_an_issue_that_is_deleted_meanwhile_is_not_there(desk: Desk) -> None:
    filed = await draft(desk)
    body = b'{"errors": [{"message": "Entity not found: Issue", "extensions": {"code": "INPUT_ERROR"}}]}'
    desk.linear.http.add(Fault(at="graphql issueUpdate", status=200, body=body))
    with pytest.raises(ApplicationError) as caught:
        await desk.tracker.rewrite_ticket(RewriteTicket(ref=filed.ref, title="Report", body="Three."))
    assert caught.value.type == Failure.TICKET_NOT_FOUND
