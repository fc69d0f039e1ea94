"""Taking an issue: people win, whoever is blocked waits, and no reply that is lost takes it twice."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from tests.activities.tracker.linear.desk import NAME, Desk
from tests.fakes.linear.rows import Row
from tests.fakes.service import Fault
from workflows.domain.failures import Failure
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase
from workflows.ports.tracker import ClaimTicket, MoveTicket

ROUTE = Route(tracker=NAME, team="ENG", repository="r", label="ask-pawl", state="Agent Todo")


def claim_of(desk: Desk, issue: Row, account: str = "a") -> ClaimTicket:
    return ClaimTicket(ref=desk.ref(issue), account=account)


async def lost(desk: Desk, issue: Row, account: str = "a") -> str:
    with pytest.raises(ApplicationError) as caught:
        await desk.tracker_with(ROUTE).claim_ticket(claim_of(desk, issue, account))
    assert caught.value.type == Failure.CLAIM_LOST
    return caught.value.message


async def test_a_claim_delegates_and_moves_in_one_change(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    await desk.tracker.claim_ticket(claim_of(desk, issue))
    assert issue["delegate"] is desk.linear.us
    assert (issue["state"]["name"], [row["name"] for row in issue["labels"]]) == ("In Progress", ["pawl: planning"])
    assert len(issue["history"]) == 1


async def test_a_key_of_a_person_moves_the_card_and_delegates_nothing(desk: Desk) -> None:
    desk.linear.us["app"] = False
    issue = desk.linear.file(desk.team, "One")
    await desk.tracker.claim_ticket(claim_of(desk, issue))
    assert (issue["delegate"], issue["state"]["name"]) == (None, "In Progress")
    with pytest.raises(ApplicationError, match="held by a"):
        await desk.tracker.claim_ticket(claim_of(desk, issue, "b"))
    await desk.tracker.move_ticket(MoveTicket(ref=desk.ref(issue), to=Phase.TAKEN_OVER))
    await desk.tracker.claim_ticket(claim_of(desk, issue, "b"))


@pytest.mark.parametrize(
    "operation",
    ["viewer", "issue", "attachmentCreate", "attachment", "issueUpdate", "issueLabelCreate", "attachmentUpdate"],
)
@pytest.mark.parametrize("after", [True, False], ids=["reply lost", "request lost"])
async def test_a_claim_goes_on_where_a_call_was_lost(desk: Desk, operation: str, after: bool) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    desk.linear.http.add(Fault(at=f"graphql {operation}", after=after))
    for _ in range(3):
        try:
            ticket = await desk.tracker.claim_ticket(claim_of(desk, issue))
            break
        except ApplicationError as error:
            assert not error.non_retryable  # noqa: PT017  # the workflow would try again
    else:
        pytest.fail("never claimed")
    assert ticket.status == "Agent Todo"
    assert [row["name"] for row in issue["labels"]] == ["pawl: planning"]
    assert (len(issue["history"]), len(issue["attachments"])) == (1, 1)
    assert len(desk.linear.all("issueLabel")) == 1
    with pytest.raises(ApplicationError, match="held by a"):
        await desk.tracker.claim_ticket(claim_of(desk, issue, "b"))


async def test_of_many_workers_that_claim_for_many_runs_one_wins(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One")
    claims = (desk.tracker_with().claim_ticket(claim_of(desk, issue, f"run{n % 6}")) for n in range(12))
    results = await asyncio.gather(*claims, return_exceptions=True)
    errors = [result for result in results if isinstance(result, ApplicationError)]
    assert len(errors) == 10  # two claims of each run, and one run has it
    assert {error.type for error in errors} == {Failure.CLAIM_LOST}
    assert len(issue["attachments"]) == 1


@pytest.mark.parametrize(("operation", "after"), [("attachmentCreate", False), ("attachmentCreate", True)])
async def test_a_person_who_moves_it_meanwhile_wins(desk: Desk, operation: str, after: bool) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    desk.linear.meanwhile(operation, lambda: desk.linear.move(issue, "Backlog"), after=after)
    assert "A person changed ENG-1 while Pawl was taking it: it is in Backlog now." in await lost(desk, issue)
    assert (issue["state"]["name"], issue["delegate"]) == ("Backlog", None)
    desk.linear.move(issue, "Agent Todo")
    await desk.tracker.claim_ticket(claim_of(desk, issue, "b"))


async def test_a_person_who_moves_it_right_after_wins(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    desk.linear.meanwhile("issueUpdate", lambda: desk.linear.move(issue, "Done"), after=True)
    assert "it is in Done now" in await lost(desk, issue)
    assert issue["state"]["name"] == "Done"


async def test_a_person_who_takes_pawl_off_meanwhile_wins_and_frees_it(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    desk.linear.meanwhile("issueUpdate", lambda: desk.linear.delegate(issue, None), after=True)
    await lost(desk, issue)
    assert issue["delegate"] is None
    await desk.tracker.claim_ticket(claim_of(desk, issue, "b"))
    desk.linear.delegate(issue, None)
    await desk.tracker.claim_ticket(claim_of(desk, issue, "c"))


async def test_what_another_agent_has_is_left_to_it(desk: Desk) -> None:
    other = desk.linear.person("rival", app=True)
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    desk.linear.delegate(issue, other)
    assert "delegated to another agent" in await lost(desk, issue)
    assert issue["delegate"] is other


async def test_a_blocked_ticket_waits_and_names_what_it_waits_for(desk: Desk) -> None:
    first, second, issue = (desk.linear.file(desk.team, title, column="Agent Todo") for title in ("A", "B", "C"))
    desk.linear.block(issue, first)
    desk.linear.block(issue, second)
    assert "ENG-3 is blocked by ENG-1, ENG-2." in await lost(desk, issue)
    desk.linear.move(first, "Done")
    desk.linear.move(second, "Canceled")
    await desk.tracker_with(ROUTE).claim_ticket(claim_of(desk, issue))
    assert (await desk.tracker.claim_ticket(claim_of(desk, first, "x"))).ref == desk.ref(first)


async def test_a_card_that_asks_for_nothing_any_more_is_left_alone(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Backlog")
    assert "ENG-1 is in Backlog, and nothing on it asks Pawl to work any more." in await lost(desk, issue)
    assert not issue["attachments"]
    desk.linear.say(issue, "> @pawl do it\n\n`@pawl`, no: I meant something else, see pawl@acme.test and @pawlina")
    await lost(desk, issue)


@pytest.mark.parametrize("how", ["column", "label", "mention", "delegate", "assignee"])
async def test_whatever_asks_for_it_lets_it_be_claimed(desk: Desk, how: str) -> None:
    issue = desk.linear.file(desk.team, "One", column="Backlog")
    match how:
        case "column":
            desk.linear.move(issue, "Agent Todo")
        case "label":
            desk.linear.put_label(issue, "Ask-Pawl")
        case "mention":
            desk.linear.say(issue, "Could you, @Pawl?")
        case "delegate":
            desk.linear.delegate(issue, desk.linear.us)
        case _:
            desk.linear.assign(issue, desk.linear.us)
    assert (await desk.tracker_with(ROUTE).claim_ticket(claim_of(desk, issue))).ref == desk.ref(issue)


async def test_teams_with_other_columns_are_served_side_by_side(desk: Desk) -> None:
    columns = [
        ("Inbox", "backlog"),
        ("Robots", "unstarted"),
        ("Planning", "started"),
        ("Doing", "started"),
        ("Shipped", "completed"),
    ]
    ops = desk.linear.team("OPS", columns)
    tracker = desk.tracker_with(ROUTE, Route(tracker=NAME, team="OPS", repository="o", state="Robots"))
    mine, theirs = (
        desk.linear.file(desk.team, "One", column="Agent Todo"),
        desk.linear.file(ops, "Two", column="Robots"),
    )
    assert [(await tracker.claim_ticket(claim_of(desk, issue))).team for issue in (mine, theirs)] == ["ENG", "OPS"]
    assert (mine["state"]["name"], theirs["state"]["name"], theirs["labels"]) == ("In Progress", "Planning", [])
    await tracker.move_ticket(MoveTicket(ref=desk.ref(theirs), to=Phase.DONE))
    assert theirs["state"]["name"] == "Shipped"
    with pytest.raises(ApplicationError, match="no column of the kind canceled"):
        await tracker.move_ticket(MoveTicket(ref=desk.ref(theirs), to=Phase.CANCELLED))


async def test_a_claim_that_somebody_else_forged_holds_nothing(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    forged = {"pawl": "claim", "account": "mallory", "number": 7, "before": "Todo", "taken": False, "released": False}
    desk.linear.attach(issue, "http://127.0.0.1/runs", "Pawl")["metadata"] = forged
    await desk.tracker.claim_ticket(claim_of(desk, issue))


async def test_a_claim_that_was_begun_long_ago_and_not_carried_out_holds_nothing(desk: Desk) -> None:
    issue = desk.linear.file(desk.team, "One", column="Agent Todo")
    desk.linear.http.add(Fault(at="graphql issueUpdate"))
    with pytest.raises(ApplicationError):
        await desk.tracker.claim_ticket(claim_of(desk, issue))
    with pytest.raises(ApplicationError, match="held by a"):
        await desk.tracker.claim_ticket(claim_of(desk, issue, "b"))
    issue["attachments"][0]["createdAt"] = "2026-01-01T00:00:00.000Z"
    await desk.tracker.claim_ticket(claim_of(desk, issue, "b"))
