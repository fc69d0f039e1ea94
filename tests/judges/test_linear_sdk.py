"""Linear's own client judges the double: it reads, lists, comments and changes there as it would at Linear."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.linear.server import KEY, FakeLinear
from tests.fakes.service import serving
from tests.judges.npm import ask

HERE = Path(__file__).parent


class Judged:
    def __init__(self, url: str, linear: FakeLinear) -> None:
        self.linear, self._url = linear, f"{url}/graphql"

    async def by_the_client(self, key: str, issue: str) -> Any:
        questions = [{"apiUrl": self._url, "apiKey": key, "issue": issue}]
        (answer,) = await asyncio.to_thread(ask, HERE / "linear", questions)
        return answer


@pytest.fixture
async def double() -> AsyncIterator[Judged]:
    linear = FakeLinear()
    async with serving(linear.http) as url:
        yield Judged(url, linear)
    assert not linear.unforeseen


async def test_linears_own_client_is_at_home_in_the_double(double: Judged) -> None:
    linear = double.linear
    team = linear.team("ENG")
    issue, _ = linear.file(team, "One", labels=("bug",)), linear.file(team, "Two")
    linear.say(issue, "from Ada")
    assert await double.by_the_client(KEY, issue["id"]) == {
        "before": ["One", "Todo", "ENG"],
        "me": "pawl",
        "said": [True, "from the client"],
        "after": [True, "Renamed", "Done"],
        "comments": ["from the client", "from Ada"],
        "issues": ["ENG-2", "ENG-1"],
    }
    assert (issue["title"], issue["state"]["name"]) == ("Renamed", "Done")


async def test_the_client_understands_what_the_double_refuses(double: Judged) -> None:
    assert await double.by_the_client("wrong", "x") == "AuthenticationLinearError"
    assert await double.by_the_client(KEY, "nowhere") == "InvalidInputLinearError"
    double.linear.requests_left = 0
    assert await double.by_the_client(KEY, "x") == "RatelimitedLinearError"
