"""The real process, and a Temporal server that goes away under it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from bench.ingress.machine import IngressProcess, TemporalServer, temporal_server
from infra.stack import ROOT
from tests.infra.ingress import linear_words as words
from tests.infra.ingress.recorder import ended, recording, runs
from tests.infra.ingress.serving import linear

pytestmark = pytest.mark.server


@pytest.fixture
async def temporal(tmp_path: Path) -> AsyncGenerator[TemporalServer]:
    async with temporal_server(tmp_path / "home") as server:
        yield server


@pytest.fixture
async def ingress(tmp_path: Path, temporal: TemporalServer) -> AsyncGenerator[IngressProcess]:
    process = IngressProcess(tmp_path, temporal.address, words.SECRET)
    yield process
    process.stop()


async def until_taken(http: httpx.AsyncClient, payload: object, delivery_id: str) -> list[int]:
    """Try as a sender does; the statuses."""
    statuses: list[int] = []
    while not statuses or (statuses[-1] == 503 and len(statuses) < 200):
        statuses.append(await linear(http, payload, delivery_id))
        await asyncio.sleep(0.1)
    return statuses


async def test_nothing_is_lost_and_nothing_done_twice_while_temporal_is_away(
    temporal: TemporalServer, ingress: IngressProcess
) -> None:
    base = await ingress.start()
    running, new = uuid4().hex, uuid4().hex
    said = words.comment_delivery("@pawl go on", issueId=running, issue={"id": running})
    async with httpx.AsyncClient(base_url=base, timeout=30, verify=False) as http:  # noqa: S501
        assert await linear(http, words.issue_delivery(id=running), "1") == 200
        temporal.stop()
        away = await asyncio.gather(linear(http, said, "2"), linear(http, words.issue_delivery(id=new), "3"))
        assert away == [503, 503]
        assert (await http.get("/healthz")).status_code == 503
        tries = [asyncio.create_task(until_taken(http, said, "2"))]
        tries.append(asyncio.create_task(until_taken(http, words.issue_delivery(id=new), "3")))
        await temporal.start()
        assert [statuses[-1] for statuses in await asyncio.gather(*tries)] == [200, 200]
        assert (await http.get("/healthz")).status_code == 200
    assert ingress.stop() == 0
    client = await temporal.client()
    async with recording(client):
        assert await ended(client, f"ticket:linear:{running}") == ["linear:user-ada said comment:c-1: go on"]
        assert await ended(client, f"ticket:linear:{new}") == []
    assert [await runs(client, f"ticket:linear:{issue}", 1) for issue in (running, new)] == [1, 1]


async def test_told_to_end_it_finishes_what_was_accepted(temporal: TemporalServer, ingress: IngressProcess) -> None:
    base = await ingress.start()
    issues = [uuid4().hex for _ in range(50)]
    async with httpx.AsyncClient(base_url=base, timeout=30, verify=False) as http:  # noqa: S501
        assert (await http.get("/healthz")).status_code == 200
        sent = [asyncio.create_task(linear(http, words.issue_delivery(id=one), one)) for one in issues]
        await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        assert await asyncio.to_thread(ingress.stop) == 0
        answers = await asyncio.gather(*sent, return_exceptions=True)
    client = await temporal.client()
    taken = [issue for issue, answer in zip(issues, answers, strict=True) if answer == 200]
    assert taken
    assert [await runs(client, f"ticket:linear:{issue}", 1) for issue in taken] == [1] * len(taken)
    assert "has ended" in ingress.log
    assert words.SECRET not in ingress.log


@pytest.mark.parametrize(
    ("env", "words_"),
    [
        ({}, "no door"),
        ({"LINEAR_API_KEY": "k", "LINEAR_WEBHOOK_SECRET": "s", "TEMPORAL_PROFILE": "nobody"}, "TEMPORAL_PROFILE"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, env: dict[str, str], words_: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAWL_", "TEMPORAL_"))}
    command = [sys.executable, "-m", "infra.ingress"]
    ran = subprocess.run(
        command, cwd=ROOT, env={**kept, "PAWL_HOME": str(tmp_path), **env}, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, words_ in ran.stderr) == (2, True), ran.stderr
