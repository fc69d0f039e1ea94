"""A card that waits for another: no run after run while it waits, and one by itself when it need not wait any more."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import Client

from activities.intake import TemporalIntake
from activities.tracker.linear.tracker import LinearTracker
from infra.ingress.deliver import Done, carry
from tests.activities.tracker.linear.desk import NAME, Desk
from tests.activities.tracker.linear.test_news import begun
from tests.infra.ingress.recorder import runs
from tests.workflows.conftest import a_worker
from tests.workflows.outside import WorldTracker
from tests.workflows.world import World
from workflows import names
from workflows.domain.intake import Start, Terms, decide
from workflows.domain.routes import Route
from workflows.domain.ticket import Phase
from workflows.ports.intake import Reconcile
from workflows.ports.tracker import FindNews

pytestmark = pytest.mark.server
ROUTE = Route(tracker=NAME, repository="/srv/hinge")
TERMS = Terms(routes=(ROUTE,), model="tape:x")


@dataclass
class LinearWorld(World):
    """The world in memory, but for Linear."""

    linear: LinearTracker | None = None

    def adapters(self) -> list[Callable[..., Any]]:
        there = [
            method for method in super().adapters() if not isinstance(getattr(method, "__self__", 0), WorldTracker)
        ]
        return [*there, *(self.linear.activities() if self.linear else ())]


async def test_a_card_that_waits_is_started_once_and_again_when_it_is_free(client: Client, desk: Desk) -> None:
    since, tracker = begun(desk), desk.tracker_with(ROUTE)
    blocker, issue = desk.linear.file(desk.team, "First"), desk.linear.file(desk.team, "Then", column="Agent Todo")
    (seen,) = (await tracker.find_news(FindNews(tracker=NAME, since=since, routes=(ROUTE,)))).cards
    start = next(move for move in decide(seen, TERMS) if isinstance(move, Start))  # as a delivery would tell it
    desk.linear.block(issue, blocker)
    intake, workflow_id = TemporalIntake(client, tracker, TERMS), names.ticket_workflow_id(desk.ref(issue))
    handle = client.get_workflow_handle(workflow_id)
    async with a_worker(client, LinearWorld(linear=tracker), names.WORK):
        assert await carry(client, start) is Done.STARTED
        assert (await handle.result())["phase"] == Phase.CANCELLED
        assert await carry(client, start) is Done.STARTED_BEFORE, "the delivery comes again"
        for _ in range(3):
            assert (await intake.reconcile(Reconcile(tracker=NAME, since=since))).started == ()
        assert (issue["state"]["name"], issue["comments"], issue["attachments"]) == ("Agent Todo", [], [])
        assert await runs(client, workflow_id, 1) == 1
        desk.linear.move(blocker, "Done")
        assert (await intake.reconcile(Reconcile(tracker=NAME, since=since))).started == (issue["identifier"],)
        assert (await intake.reconcile(Reconcile(tracker=NAME, since=since))).started == ()
        await handle.signal("abort")
        await handle.result()
        assert (await intake.reconcile(Reconcile(tracker=NAME, since=since))).started == (), "once freed, once started"
    assert await runs(client, workflow_id, 2) == 2
