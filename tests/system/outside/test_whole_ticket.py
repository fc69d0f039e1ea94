"""A whole ticket through real HTTP: delegated in Linear, red in CI, commented on at GitHub, merged, Done; and the same
where most of what Linear and GitHub tell is lost, comes three times or too late."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.system.outside import script
from tests.system.outside.end import end_of, said_twice
from tests.system.outside.person import options_of, whole_ticket
from tests.system.outside.town import Town, town

pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
async def end(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[dict[str, Any]]:
    """Of a ticket whose webhooks all come, each once. Nobody looks meanwhile: what they do not tell is not known."""
    async with town(tmp_path_factory.mktemp("straight"), poll_seconds=86_400) as there:
        issue = await whole_ticket(there)
        [session] = issue["agentSessions"]
        [plan_gate, *merge_gates] = [one for one in session["activities"] if one["type"] == "elicitation"]
        assert "Write hello.txt." in plan_gate["content"]["body"]
        assert [len(options_of(gate)) for gate in (plan_gate, *merge_gates)] == [2, 2, 2, 2]
        assert said_twice(issue) == []
        await _finds_the_session(there, plan_gate["content"]["body"])
        last_word: str = session["activities"][-1]["content"]["body"]
        assert "Strikes: 1 by CI, 1 by comments." in last_word
        yield await end_of(there, issue)


async def _finds_the_session(there: Town, remark: str) -> None:
    """By the name under the remark, which is short and not that of the journal."""
    under = r"^_planner 1 · 1 turn · 990 tokens · .+ · `(ENG-1\.[0-9a-f]{8}\.planner1)`_$"
    named = re.search(under, remark, re.MULTILINE)
    assert named, remark
    found = await asyncio.to_thread(there.up.pawl, "events", named[1], "--kind", "turn")
    assert [entry["session"].endswith(named[1].removeprefix("ENG-1")) for entry in found.lines] == [True]


def test_a_delegated_issue_becomes_one_merged_pull_request(end: dict[str, Any]) -> None:
    assert (end["phase"], end["card"], end["delegate"]) == ("Done", "completed", True)
    assert (end["merged"], end["hello.txt"]) == (True, "Hello, world.")
    assert end["branches"] == ["main", "pawl/eng-1-…"]
    assert end["runs"] == Counter(Ticket=1, Session=7)
    assert end["calls, bought twice"] == (script.CALLS, 0)
    assert end["decisions"] == [
        ("Plan gate", "approve", "Ada", "linear"),
        ("Merge gate", "approve", "Ada", "linear"),
    ]
    [(resolved, [asked, answer])] = end["conversations"]
    assert (resolved, asked) == (True, ("grace", script.REMARK))
    assert script.ANSWER in answer[1]
    assert end["CI runs, attempts"] == [2, 1, 1]


async def test_the_same_end_whatever_becomes_of_the_webhooks(end: dict[str, Any], tmp_path: Path) -> None:
    """At least half of them are lost, the first one of each kind among them; the rest come three times, mixed."""
    async with town(tmp_path, poll_seconds=5, careless=True) as there:
        issue = await whole_ticket(there)
        post = there.postman
        assert set(post.lost) == set(post.seen)
        assert post.lost.total() * 2 >= post.seen.total()
        assert said_twice(issue) == []
        assert await end_of(there, issue) == end
