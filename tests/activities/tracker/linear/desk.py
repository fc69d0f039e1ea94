"""An adapter for Linear before its double, for a test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from activities.journal.sql import SqlJournal
from activities.tracker.linear.client import LinearClient
from activities.tracker.linear.tokens import api_key
from activities.tracker.linear.tracker import LinearTracker
from infra.journal import JournalStore
from tests.fakes.linear.rows import Row
from tests.fakes.linear.server import KEY, FakeLinear
from tests.fakes.service import no_kept_connections, serving
from workflows.domain.routes import Route
from workflows.domain.ticket import TicketRef

NAME = "linear"


@dataclass
class Desk:
    """`team` is ENG, with Linear's own columns and Agent Todo."""

    linear: FakeLinear
    team: Row
    client: LinearClient
    tracker: LinearTracker
    journal: SqlJournal
    url: str

    def tracker_with(self, *routes: Route) -> LinearTracker:
        """Another worker's adapter, with routes."""
        return tracker_of(self.client, self.journal, self.url, routes)

    def tracker_that_takes_us_for(self, app_user: str) -> LinearTracker:
        """Another worker's adapter, whose connection says so."""
        return replace(self.tracker, app_user=app_user)

    def ref(self, issue: Row) -> TicketRef:
        return TicketRef(tracker=NAME, id=issue["id"])


@asynccontextmanager
async def linear_desk(folder: Path) -> AsyncGenerator[Desk]:
    """Ends by asserting that nothing was asked which the double cannot answer."""
    linear, store = FakeLinear(), JournalStore(f"sqlite:///{folder}/journal.db", folder / "objects")
    async with serving(linear.http) as url, no_kept_connections() as http:
        client, journal = LinearClient(http, api_key(KEY), f"{url}/graphql"), SqlJournal(store)
        tracker = tracker_of(client, journal, url)
        yield Desk(linear, linear.team("ENG"), client, tracker, journal, url)
    store.close()
    assert not linear.unforeseen


def tracker_of(client: LinearClient, journal: SqlJournal, url: str, routes: tuple[Route, ...] = ()) -> LinearTracker:
    return LinearTracker(client, journal, NAME, f"{url}/runs", routes, uploads=f"{url}/files")
