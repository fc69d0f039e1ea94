"""A connection without its key keeps nothing else from working, and whatever needs it says why it cannot go on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.forge.bare_git import BareGitForge
from activities.forge.router import ForgeRouter
from activities.journal.sql import SqlJournal
from activities.opening import outside
from activities.outside import Outside
from activities.tracker.router import TrackerRouter
from infra.connections import read_connections
from infra.journal import journal_of
from infra.settings import Settings
from tests.fakes import slack as fake
from workflows.domain.failures import Failure
from workflows.domain.ticket import Phase, TicketRef
from workflows.ports.forge import OpenRepository
from workflows.ports.notify import Note
from workflows.ports.tracker import FindNews, MoveTicket

TABLE = """
[connections.linear]
[connections.github]
[connections.acme]
kind = "github"
web_url = "https://git.acme.example"
app_id_env = "ACME_APP"
private_key_env = "ACME_PEM"
[connections.openproject]
url = "https://project.example"
field = "customField7"
user = 4
[connections.slack]
url = "{slack}"
channels = [{{channel = "C0SHOP", repository = "/srv/shop"}}]
"""
KEYS = ("LINEAR_API_KEY", "LINEAR_CLIENT_ID", "PAWL_GITHUB_TOKEN", "PAWL_GITHUB_APP_ID", "OPENPROJECT_API_KEY")
SLACK = "The connection slack has no key. Set SLACK_BOT_TOKEN, then start Pawl again."


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in (*KEYS, "SLACK_BOT_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "not-a-key.pem").write_text("hello")
    monkeypatch.setenv("ACME_APP", "7")
    monkeypatch.setenv("ACME_PEM", str(tmp_path / "not-a-key.pem"))


@asynccontextmanager
async def worker(home: Path, slack: str = "http://127.0.0.1:9/") -> AsyncGenerator[Outside]:
    (home / "connections.toml").write_text(TABLE.format(slack=slack))
    settings = Settings(home=home)
    journal = SqlJournal(journal_of(settings))
    async with outside(read_connections(settings), home / "clones", journal, "") as found:
        yield found


async def refused(work: Awaitable[Any]) -> str:
    with pytest.raises(ApplicationError) as caught:
        await work
    assert (caught.value.type, caught.value.non_retryable) == (Failure.BAD_CREDENTIALS.value, True)
    return caught.value.message


async def test_each_is_said_once_at_the_start_with_the_fix(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with worker(tmp_path):
        pass
    said = [record.getMessage() for record in caplog.records if "out of use" in record.getMessage()]
    assert [one.split()[2] for one in said] == ["linear", "github", "acme", "openproject", "slack"]
    assert said[4] == f"The connection slack is out of use: {SLACK}"
    assert "Set LINEAR_API_KEY, or LINEAR_CLIENT_ID and LINEAR_CLIENT_SECRET, then start Pawl again." in said[0]
    assert "ACME_PEM of the connection acme is neither a key nor a readable file with one" in said[2]


async def test_what_needs_it_fails_with_exactly_these_words(tmp_path: Path) -> None:
    async with worker(tmp_path) as found:
        trackers = TrackerRouter(found.trackers)
        ref = TicketRef(tracker="slack", id="T0-C0-1.0")
        assert await refused(trackers.move_ticket(MoveTicket(ref=ref, to=Phase.TODO))) == SLACK
        news = FindNews(tracker="slack", since=datetime.now(UTC), routes=())
        assert await refused(trackers.find_news(news)) == SLACK
        (place,) = found.places
        note = Note(key="1", identifier="S-1", phase=Phase.TODO, text="x", ticket=ref)
        assert await refused(place.post_note(note)) == SLACK
        people = found.people["slack"]
        assert await refused(people.trust_of("U1")) == SLACK


async def test_its_repositories_are_not_tried_with_the_machines_own_key(tmp_path: Path) -> None:
    async with worker(tmp_path) as found:
        local = BareGitForge(tmp_path / "forge", found.clones, SqlJournal(journal_of(Settings(home=tmp_path))))
        forges = ForgeRouter(local, found.forges)
        opening = OpenRepository(url="https://github.com/acme/shop")
        words = await refused(forges.open_repository(opening))
        assert words.startswith("The connection github has no key. Set PAWL_GITHUB_TOKEN")
        assert await refused(found.clones.fetch("shop", opening.url)) == words


async def test_the_others_work_and_with_its_key_it_does_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", fake.BOT_TOKEN)
    async with fake.running() as slack:
        async with worker(tmp_path, slack.api) as found:
            news = FindNews(tracker="slack", since=datetime.now(UTC), routes=())
            assert not (await found.trackers["slack"].find_news(news)).cards
        assert "connection slack" not in caplog.text


async def test_a_key_that_is_refused_is_said_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-another")
    async with fake.running() as slack, worker(tmp_path, slack.api):
        async with asyncio.timeout(20):
            while "connection slack is out of use" not in caplog.text:  # noqa: ASYNC110  # it is only written down
                await asyncio.sleep(0.02)
    assert "invalid_auth" in caplog.text
    assert "xoxb-another" not in caplog.text
