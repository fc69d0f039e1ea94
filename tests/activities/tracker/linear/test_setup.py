"""Making what a workspace lacks: told first, then made, and made once."""

import pytest
from temporalio.exceptions import ApplicationError

from activities.tracker.linear.setup import Wants, carry_out, plan
from tests.activities.tracker.linear.desk import NAME, Desk
from tests.fakes.service import Fault
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase

COLUMNS = [
    ("Backlog", "backlog"),
    ("Todo", "unstarted"),
    ("Doing", "started"),
    ("Done", "completed"),
    ("No", "canceled"),
]
HOOK = "https://pawl.acme.test/linear"


def wants(*teams: str, columns: tuple[Phase, ...] = ()) -> Wants:
    routes = tuple(
        Route(tracker=NAME, team=team, repository="r", label="ask-pawl", state="Agent Todo") for team in teams
    )
    return Wants(routes, columns, HOOK, "secret-of-the-hook")


async def test_what_is_missing_is_said_before_anything_is_changed(desk: Desk) -> None:
    desk.linear.team("OPS", COLUMNS)
    changes = await plan(desk.client, wants("ENG", "ops", columns=(Phase.PLAN_GATE,)))
    said = changes.shown()
    assert "Make the column Agent Todo (unstarted) in the team OPS." in said
    assert "Make the column Plan gate (started) in the team ENG." in said
    assert not any("Agent Todo" in line and "ENG" in line for line in said)
    assert "Make the label ask-pawl in the workspace." in said
    assert "Make the label pawl: building in the workspace." in said
    assert f"Make a webhook to {HOOK}, which tells of Issue, Comment." in said
    assert "secret-of-the-hook" not in repr(changes)
    assert not [name for name in desk.linear.asked if name.endswith("Create")]


async def test_it_is_done_and_then_nothing_is_missing(desk: Desk) -> None:
    asked = wants("ENG", columns=(Phase.PLAN_GATE,))
    changes = await plan(desk.client, asked)
    await carry_out(desk.client, changes)
    await carry_out(desk.client, changes)
    assert not await plan(desk.client, asked)
    assert not (await plan(desk.client, asked)).shown()
    (hook,) = desk.linear.all("webhook")
    assert (hook["url"], hook["secret"], hook["resourceTypes"]) == (HOOK, "secret-of-the-hook", ["Issue", "Comment"])
    names = [row["name"] for row in desk.team["states"]]
    assert names.count("Plan gate") == names.count("Agent Todo") == 1


@pytest.mark.parametrize("after", [True, False], ids=["reply lost", "request lost"])
@pytest.mark.parametrize("operation", ["workflowStateCreate", "issueLabelCreate", "webhookCreate"])
async def test_what_was_interrupted_is_finished_the_next_time(desk: Desk, operation: str, after: bool) -> None:
    desk.linear.team("OPS", COLUMNS)
    changes = await plan(desk.client, wants("OPS"))
    desk.linear.http.add(Fault(at=f"graphql {operation}", after=after))
    try:
        await carry_out(desk.client, changes)
    except ApplicationError:
        await carry_out(desk.client, await plan(desk.client, wants("OPS")))
    assert not await plan(desk.client, wants("OPS"))
    assert len(desk.linear.all("webhook")) == 1


async def test_all_teams_are_served_where_a_route_names_none(desk: Desk) -> None:
    desk.linear.team("OPS", COLUMNS)
    assert {state.team for state in (await plan(desk.client, wants(""))).states} == {"OPS"}


async def test_a_team_that_is_not_there_is_named(desk: Desk) -> None:
    with pytest.raises(ApplicationError, match="no team NOPE that Pawl may see; it sees ENG"):
        await plan(desk.client, wants("NOPE"))


async def test_a_webhook_that_was_switched_off_is_made_anew(desk: Desk) -> None:
    desk.linear.add("webhook", {"url": HOOK, "enabled": False, "resourceTypes": ["Issue", "Comment"]})
    changes = await plan(desk.client, wants("ENG"))
    await carry_out(desk.client, changes)
    assert [hook["enabled"] for hook in desk.linear.all("webhook")] == [False, True]
