"""The ways in open with what works; what is out of use is said once, and its senders are told to come again."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from infra.connections import read_connections
from infra.exits import Misused
from infra.ingress.app import Ingress
from infra.ingress.ways import ways_in
from infra.settings import Settings
from tests.fakes import slack as fake
from tests.fakes.service import Fault, no_kept_connections, serving
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, SECRET, FakeSlack
from tests.fakes.slack_person import Person, as_form
from tests.infra.ingress import github_words
from tests.infra.ingress.serving import github
from workflows.domain.intake import Terms

pytestmark = pytest.mark.server
NONE = ("LINEAR_API_KEY", "LINEAR_WEBHOOK_SECRET", "PAWL_GITHUB_TOKEN", "PAWL_GITHUB_WEBHOOK_SECRET", "SLACK_BOT_TOKEN")
HELPED = "/pawl help"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*NONE, "LINEAR_CLIENT_ID", "PAWL_GITHUB_APP_ID", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("infra.slack.arrival.FIRST_WAIT", 0.05)


@pytest.fixture
async def slack() -> AsyncGenerator[FakeSlack]:
    async with fake.running() as slack:
        yield slack


@asynccontextmanager
async def ingress(client: Client, home: Path, table: str) -> AsyncGenerator[httpx.AsyncClient]:
    (home / "connections.toml").write_text(table)
    connections = read_connections(Settings(home=home))
    async with (
        ways_in(connections, Terms(), client) as doors,
        serving(Ingress(doors, Terms(), client).app()) as url,
        no_kept_connections() as http,
    ):
        http.base_url = httpx.URL(url)
        yield http


async def pawl_help(http: httpx.AsyncClient, slack: FakeSlack) -> httpx.Response:
    asked = as_form(Person(slack).command("help"))
    return await http.post("/hooks/slack", content=asked.body, headers=asked.headers)


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110  # the double tells by its state only
            await asyncio.sleep(0.02)


async def test_one_that_is_out_of_use_shuts_no_other_door(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for variable in ("LINEAR_WEBHOOK_SECRET", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(variable, "s3cret")
    monkeypatch.setenv("PAWL_GITHUB_WEBHOOK_SECRET", github_words.SECRET)
    project = '[connections.openproject]\nurl = "http://p"\nfield = "customField7"\nuser = 4\n'
    table = f"[connections.linear]\n[connections.github]\n[connections.slack]\n{project}"
    async with ingress(client, tmp_path, table) as http:
        answers = {
            name: await http.post(f"/hooks/{name}", content=b"{}") for name in ("linear", "slack", "openproject")
        }
        assert await github(http, "ping", github_words.example("ping"), uuid4().hex) == 202
    for name, answer in answers.items():
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert f"connection {name}" in answer.text
    assert "OPENPROJECT_WEBHOOK_SECRET" in answers["openproject"].text
    said = [one.getMessage() for one in caplog.records if one.getMessage().startswith("The connection")]
    assert [one.split(":")[0] for one in said] == [
        f"The connection {name} is out of use" for name in ("linear", "slack")
    ]
    assert "Write app_user under [connections.linear]" in said[0]
    assert "Set SLACK_BOT_TOKEN, or write team" in said[1]


async def test_without_any_secret_there_is_no_ingress(client: Client, tmp_path: Path) -> None:
    with pytest.raises(Misused, match="no door"):
        async with ingress(client, tmp_path, "[connections.slack]\n"):
            pass


async def test_a_slack_that_is_away_is_asked_until_it_answers(
    client: Client, tmp_path: Path, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)
    monkeypatch.setenv("SLACK_APP_TOKEN", APP_TOKEN)
    monkeypatch.setenv("SLACK_BOT_TOKEN", BOT_TOKEN)
    away = Fault(at="auth.test", times=1_000)
    caplog.set_level(logging.INFO, "pawl.ingress")
    slack.faults.add(away)
    async with ingress(client, tmp_path, f'[connections.slack]\nurl = "{slack.api}"\n') as http:
        await until(lambda: slack.faults.seen.count("POST /api/auth.test") >= 3)
        answer = await pawl_help(http, slack)
        assert answer.status_code == 503
        assert "connection slack is out of use: Slack cannot be reached" in answer.text
        away.times = 0
        await until(lambda: slack.sockets)
        answer = await pawl_help(http, slack)
        assert (answer.status_code, HELPED in answer.text) == (200, True)
        assert slack.faults.seen.count("POST /api/auth.test") < 20, "ever more rarely"
    warned = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(warned) == 1, "once"
    assert "is in use: workspace T0PAWL" in caplog.text
    await until(lambda: not slack.sockets)


async def test_a_token_that_slack_refuses_is_said_and_not_asked_for_again(
    client: Client, tmp_path: Path, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)
    monkeypatch.setenv("ACME_BOT", "xoxb-another")
    table = f'[connections.slack]\nurl = "{slack.api}"\nbot_token_env = "ACME_BOT"\n'
    async with ingress(client, tmp_path, table) as http:
        await until(lambda: slack.faults.seen)
        await asyncio.sleep(0.3)
        answer = await pawl_help(http, slack)
        assert answer.status_code == 503
        assert "(invalid_auth). Check ACME_BOT, then start Pawl again." in answer.text
    assert len(slack.faults.seen) == 1


async def test_a_table_that_says_all_asks_nobody(
    client: Client, tmp_path: Path, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)
    monkeypatch.setenv("SLACK_BOT_TOKEN", BOT_TOKEN)
    table = f'[connections.slack]\nurl = "{slack.api}"\nteam = "T0PAWL"\nbot_user = "U0PAWL"\n'
    async with ingress(client, tmp_path, table) as http:
        assert (await pawl_help(http, slack)).status_code == 200
    assert not slack.faults.seen


async def test_it_ends_while_slack_is_still_away(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)
    monkeypatch.setenv("SLACK_BOT_TOKEN", BOT_TOKEN)
    async with ingress(client, tmp_path, '[connections.slack]\nurl = "http://127.0.0.1:9/"\n'):
        pass
    assert not [task for task in asyncio.all_tasks() if "Arrival" in repr(task.get_coro())]
