"""What `pawl doctor` says of connections, before doubles of all four services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from infra.exits import Exit
from tests.fakes import slack
from tests.fakes.github import APP_ID, TOKEN, FakeGitHub
from tests.fakes.linear.server import KEY as LINEAR_KEY
from tests.fakes.linear.server import FakeLinear
from tests.fakes.openproject import KEY as OPENPROJECT_KEY
from tests.fakes.openproject import OpenProjectDouble
from tests.fakes.openproject_world import PAWL as OPENPROJECT_US
from tests.fakes.service import Fault, serving
from tests.infra.command_line import Answer, pawl

KEYS = {
    "LINEAR_API_KEY": LINEAR_KEY,
    "PAWL_GITHUB_TOKEN": TOKEN,
    "OPENPROJECT_API_KEY": OPENPROJECT_KEY,
    "SLACK_BOT_TOKEN": slack.BOT_TOKEN,
}
NONE = dict.fromkeys(
    (
        *("LINEAR_CLIENT_ID", "LINEAR_CLIENT_SECRET", "LINEAR_WEBHOOK_SECRET"),
        *("PAWL_GITHUB_APP_ID", "PAWL_GITHUB_PRIVATE_KEY", "PAWL_GITHUB_WEBHOOK_SECRET"),
        *("OPENPROJECT_WEBHOOK_SECRET", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", *KEYS),
    ),
    "",
)
QUICK = {"PAWL_SANDBOX": "podman"}  # refused at once, without an image: sandboxes are not looked at here
ROUTE = '[[routes]]\ntracker = "linear"\nrepository = "/srv/shop"\n'


class Installation:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.linear, self.github, self.openproject = FakeLinear(), FakeGitHub(home / "github"), OpenProjectDouble()
        self.slack = slack.FakeSlack()
        self.table: dict[str, dict[str, str | int]] = {}

    def write(self, more: str = "") -> None:
        parts = [
            f"[connections.{name}]\n" + "\n".join(f"{key} = {value!r}" for key, value in keys.items())
            for name, keys in self.table.items()
        ]
        (self.home / "connections.toml").write_text("\n".join([*parts, more]))

    async def doctor(self, **env: str) -> Answer:
        return await asyncio.to_thread(pawl, self.home, "doctor", cwd=None, **{**NONE, **QUICK, **env})

    async def found(self, **env: str) -> dict[str, dict[str, Any]]:
        answer = await self.doctor(**env)
        assert not [key for key in env.values() if len(key) > 5 and key in answer.out + answer.err]
        found = {one["check"]: one for one in answer.json["findings"]}
        return {check: one for check, one in found.items() if check.startswith(("connection", "news"))}


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Installation]:
    ours = Installation(tmp_path)
    async with AsyncExitStack() as open_:
        linear = await open_.enter_async_context(serving(ours.linear.http))
        await open_.enter_async_context(ours.github.running())
        openproject = await open_.enter_async_context(serving(ours.openproject.app))
        chat = await open_.enter_async_context(slack.running())
        ours.slack = chat
        ours.table = {
            "linear": {"url": f"{linear}/graphql"},
            "github": {"url": f"{ours.github.url}/api", "web_url": ours.github.url, "login": "Pawl[bot]"},
            "openproject": {"url": openproject, "field": "customField7", "user": OPENPROJECT_US},
            "slack": {"url": chat.api},
        }
        ours.table["github"]["graphql_url"] = f"{ours.github.url}/graphql"
        ours.write(ROUTE)
        yield ours
    assert not ours.linear.unforeseen + ours.openproject.app.unforeseen


async def test_every_connection_says_as_whom_it_lets_us_in_and_how_it_is_heard(ours: Installation) -> None:
    found = await ours.found(**KEYS, SLACK_APP_TOKEN="xapp-double", OPENPROJECT_WEBHOOK_SECRET="a-hook")
    assert {one["health"] for check, one in found.items() if check != "news of linear"} == {"ok"}
    assert f"as pawl ({ours.linear.us['id']})" in found["connection linear"]["what"]
    assert found["connection github"]["what"].endswith("lets us in as pawl[bot]")
    assert f"as Pawl ({OPENPROJECT_US})" in found["connection openproject"]["what"]
    assert found["connection slack"]["what"].endswith(f"lets us in as {slack.BOT}")
    assert found["news of slack"]["what"] == "by socket mode"
    assert found["news of openproject"]["what"] == "by webhooks to /hooks/openproject"
    polled = found["news of linear"]
    assert (polled["health"], "every 60 s: LINEAR_WEBHOOK_SECRET" in polled["what"]) == ("note", True)
    assert "pawl init linear --connection linear" in polled["fix"]
    assert [*ours.linear.asked, ours.openproject.app.seen] == ["viewer", ["GET /api/v3/users/me"]], (
        "one cheap call each"
    )


async def test_keys_that_are_refused_are_told_each_with_its_variable(ours: Installation) -> None:
    found = await ours.found(**dict.fromkeys(KEYS, "no-such-key"))
    for variable, name in zip(KEYS, ("linear", "github", "openproject", "slack"), strict=True):
        told = found[f"connection {name}"]
        assert (told["health"], variable in told["fix"]) == ("broken", True), told


async def test_a_key_that_is_missing_and_a_service_that_is_away_or_busy_hide_nothing(ours: Installation) -> None:
    ours.linear.requests_left = 0
    ours.openproject.app.add(Fault(at="users/me", status=503))
    found = await ours.found(**{**KEYS, "PAWL_GITHUB_TOKEN": ""})
    assert (found["connection linear"]["health"], found["connection linear"]["fix"]) == ("note", "Try again in 60 min.")
    assert "Set PAWL_GITHUB_TOKEN, or PAWL_GITHUB_APP_ID" in found["connection github"]["fix"]
    assert f"url under [connections.openproject] in {ours.home}" in found["connection openproject"]["fix"]
    assert found["connection slack"]["health"] == "ok"
    silent = found["news of slack"]
    assert (silent["health"], silent["fix"]) == ("note", "Set SLACK_SIGNING_SECRET, or SLACK_APP_TOKEN.")
    assert "nothing is worked on" in found["news of openproject"]["what"]


async def test_a_slack_that_may_not_be_asked_who_people_are_is_told(ours: Installation) -> None:
    ours.slack.scopes.clear()
    told = (await ours.found(**KEYS))["connection slack"]
    assert (told["health"], "It needs users:read. Add the scope" in told["what"] + told["fix"]) == ("broken", True), (
        told
    )


async def test_who_we_are_is_held_against_the_table(ours: Installation) -> None:
    ours.table = {"github": ours.table["github"] | {"login": "pawl"}, "openproject": ours.table["openproject"]}
    ours.table["openproject"]["user"] = 99
    ours.write()
    app = {"PAWL_GITHUB_APP_ID": APP_ID, "PAWL_GITHUB_PRIVATE_KEY": ours.github.private_key}
    found = await ours.found(**app, OPENPROJECT_API_KEY=OPENPROJECT_KEY)
    assert 'Write login = "pawl[bot]" under [connections.github]' in found["connection github"]["fix"]
    assert f"Write user = {OPENPROJECT_US} under" in found["connection openproject"]["fix"]


async def test_a_table_that_cannot_be_read_is_told_with_its_key(ours: Installation) -> None:
    ours.write('[connections.acme]\nkind = "linear"\nkey = "x"\n')
    answer = await ours.doctor(**KEYS)
    assert answer.code == Exit.OUTSIDE
    [told] = [one for one in answer.json["findings"] if one["check"] == "connections"]
    assert (told["health"], "connections.acme.key" in told["what"]) == ("broken", True)


async def test_without_connections_there_is_the_board(ours: Installation) -> None:
    ours.table = {}
    ours.write()
    assert "the board" in (await ours.found())["connections"]["what"]
