"""`pawl init linear` before the double of Linear: shown first, agreed to, made once, and the secret kept quiet."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.tracker.linear.cards import uuid_of
from infra.exits import Exit
from tests.fakes.linear.server import KEY, FakeLinear
from tests.fakes.service import Fault, serving
from tests.infra.command_line import Answer, pawl, pawl_in_terminal

COLUMNS = [
    ("Backlog", "backlog"),
    ("Todo", "unstarted"),
    ("Doing", "started"),
    ("Done", "completed"),
    ("No", "canceled"),
]
HOOK = "https://pawl.acme.test/hooks/linear"
SECRET = "the-secret-of-the-test-hook"
VENDOR = ("LINEAR_API_KEY", "LINEAR_CLIENT_ID", "LINEAR_CLIENT_SECRET", "LINEAR_WEBHOOK_SECRET", "PAWL_GITHUB_TOKEN")


class Person:
    """Somebody at a command line. `linear` is what the commands reach."""

    def __init__(self, home: Path, linear: FakeLinear, url: str) -> None:
        self.home, self.linear, self.url = home, linear, url
        self.file('[[routes]]\ntracker = "linear"\nteam = "OPS"\nrepository = "/srv/shop"\n')

    def file(self, routes: str, more: str = "") -> None:
        table = f'[connections.linear]\nurl = "{self.url}/graphql"\n'
        (self.home / "connections.toml").write_text(f"{table}\n{more}\n{routes}")

    async def init(self, *arguments: str, terminal: bool = False, **env: str) -> Answer:
        seen = {**dict.fromkeys(VENDOR, ""), "LINEAR_API_KEY": KEY, **env}
        typed = ("init", "linear", *arguments)
        if terminal:
            return await asyncio.to_thread(pawl_in_terminal, self.home, *typed, **seen)
        return await asyncio.to_thread(pawl, self.home, *typed, cwd=None, **seen)

    @property
    def made(self) -> list[str]:
        return [name for name in self.linear.asked if name.endswith("Create")]


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Person]:
    linear = FakeLinear()
    linear.team("OPS", COLUMNS)
    async with serving(linear.http) as url:
        yield Person(tmp_path, linear, url)
    assert not linear.unforeseen


async def test_a_dry_run_says_what_it_would_do_and_changes_nothing(person: Person) -> None:
    told = (await person.init("--url", "https://pawl.acme.test", "--dry-run")).json
    assert "Make the column Agent Todo (unstarted) in the team OPS." in told["steps"]
    assert f"Make a webhook to {HOOK}, which tells of Issue, Comment." in told["steps"]
    assert told["made"] is False
    assert any("Keep the webhook's secret in LINEAR_WEBHOOK_SECRET" in left for left in told["left_for_you"])
    assert not person.made


async def test_it_is_made_with_the_secret_of_the_variable_and_then_nothing_is_missing(person: Person) -> None:
    args = ("--url", "https://pawl.acme.test/", "--yes")
    first = await person.init(*args, LINEAR_WEBHOOK_SECRET=f"{SECRET},an-older-one")
    assert (first.code, first.json["made"]) == (0, True)
    (hook,) = person.linear.all("webhook")
    assert (hook["url"], hook["secret"]) == (HOOK, SECRET)
    assert SECRET not in first.out + first.err
    made = list(person.made)
    again = await person.init(*args, LINEAR_WEBHOOK_SECRET=SECRET)
    assert (again.code, again.json["steps"], again.json["made"]) == (0, [], False)
    assert person.made == made


async def test_a_secret_of_ours_is_shown_once_in_a_terminal(person: Person) -> None:
    shown = await person.init("--url", HOOK, "--yes", terminal=True)
    (hook,) = person.linear.all("webhook")
    assert (shown.code, len(hook["secret"])) == (0, 64)
    assert f"export LINEAR_WEBHOOK_SECRET={hook['secret']}" in shown.out
    assert shown.out.index("Make the column Agent Todo") < shown.out.index("Done in linear")
    again = await person.init("--url", HOOK, "--yes", terminal=True)
    assert hook["secret"] not in again.out
    assert "copy its secret from Linear's settings" in again.out


async def test_a_secret_of_ours_is_never_json(person: Person) -> None:
    refused = await person.init("--url", HOOK, "--yes")
    assert refused.code == Exit.USAGE
    assert "openssl rand" in refused.error["next"]
    assert not person.made


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "nobody types"])
async def test_nothing_is_made_without_a_yes(person: Person, terminal: bool) -> None:
    refused = await person.init("--url", HOOK, terminal=terminal, LINEAR_WEBHOOK_SECRET=SECRET)
    assert refused.code == Exit.REFUSED
    assert "--yes" in refused.out
    assert not person.made


async def test_without_an_address_there_is_no_webhook_and_that_is_said(person: Person) -> None:
    told = (await person.init("--yes")).json
    assert told["made"]
    assert not person.linear.all("webhook")
    assert "Pawl looks every 60 s" in told["left_for_you"][0]


async def test_what_needs_no_answer_of_linear_is_refused_before(person: Person) -> None:
    person.file("")
    for args, repository, said in (
        ((), "", "No route leads from linear"),
        (("--connection", "nope"), "", "is called 'nope'"),
        (("--url", "http://pawl.acme.test"), "/srv/shop", "no public address"),
    ):
        answer = await person.init(*args, "--yes", PAWL_REPOSITORY=repository)
        assert (answer.code, said in answer.error["message"]) == (Exit.USAGE, True), answer.out
    person.file("", more='[connections.acme]\nkind = "linear"\n')
    assert "acme, linear" in (await person.init("--yes", PAWL_REPOSITORY="/srv/shop")).error["next"]
    assert not person.linear.asked


async def test_the_key_is_asked_for_and_a_wrong_one_is_no_access(person: Person) -> None:
    none = await person.init("--yes", LINEAR_API_KEY="")
    assert (none.code, "Set LINEAR_API_KEY" in none.error["next"]) == (Exit.USAGE, True)
    wrong = await person.init("--yes", LINEAR_API_KEY="another-key-of-the-test")
    assert wrong.code == Exit.AUTH
    assert "Check the key or the app's access." in wrong.error["message"]
    assert "another-key" not in json.dumps(wrong.error)


async def test_a_team_that_is_not_there_is_named(person: Person) -> None:
    person.file('[[routes]]\ntracker = "linear"\nteam = "NOPE"\nrepository = "/srv/shop"\n')
    refused = await person.init("--yes")
    assert refused.code == Exit.REFUSED
    assert "no team NOPE that Pawl may see; it sees OPS" in refused.error["message"]


async def test_a_linear_that_is_away_or_busy_is_told_as_such(person: Person) -> None:
    person.linear.http.add(Fault(at="POST /graphql", status=503))
    assert (await person.init("--yes")).code == Exit.OUTSIDE
    person.linear.requests_left = 0
    busy = await person.init("--yes")
    assert (busy.code, busy.error["next"]) == (Exit.RATE_LIMITED, "Try again in 60 min.")


async def test_a_webhook_of_ours_that_was_switched_off_is_told_instead_of_passed_over(person: Person) -> None:
    fields = {"url": HOOK, "enabled": False, "resourceTypes": ["Issue", "Comment"]}
    person.linear.add("webhook", {"id": uuid_of("webhook", HOOK), **fields})
    refused = await person.init("--url", HOOK, "--yes", LINEAR_WEBHOOK_SECRET=SECRET)
    assert (refused.code, "Delete it" in refused.error["next"]) == (Exit.REFUSED, True)


async def test_what_nobody_has_seen_is_not_made(person: Person) -> None:
    column = person.linear.state(person.linear.all("team")[0], "Agent Todo", "unstarted")
    person.linear.meanwhile("issueLabels", lambda: column.update(name="Later"), after=True)
    refused = await person.init("--yes")
    assert refused.code == Exit.REFUSED
    assert "something else is missing" in refused.error["message"]
    assert not person.made
