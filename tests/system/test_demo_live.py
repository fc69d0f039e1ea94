"""`pawl demo` with a model that is paid for: a provider that speaks the real protocol and counts what is bought."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import board, demo
from tests.fakes.answers import FakeAnswer, Usage
from tests.fakes.provider import FakeProvider, running
from workflows.domain import prompt
from workflows.domain.session import Role

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240
KEY = "a-key-for-the-gateway-alone"
pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.timeout(PATIENCE + 60)]


class Vendor:
    """Answers as the tape does, from what a request itself shows: its role and how far its conversation is."""

    def __init__(self, usage: Usage) -> None:
        lines = [json.loads(line) for line in Path(demo.__file__).with_name("tape.jsonl").read_text().splitlines()[1:]]
        self.answers: dict[str, list[list[dict[str, Any]]]] = {role: [] for role in Role}
        for line in lines:
            if (line["role"], line["part"]) != ("planner", 2):
                self.answers[line["role"]].append(line["content"])
        self.usage = usage

    def __call__(self, body: dict[str, Any]) -> FakeAnswer:
        said = json.dumps(body)
        [role] = [role for role in Role if json.dumps(prompt.system(role))[1:-1] in said]
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        if role is Role.REVIEWER and "test_run_before_the_first_word_is_kept" in said:
            turn += 3  # the second review: a new conversation about the fixed branch
        return FakeAnswer(content=self.answers[role][turn], usage=self.usage)


async def live_demo(home: Path, provider: FakeProvider) -> tuple[int, dict[str, Any], str]:
    """Exit code, receipt and what was said."""
    named = {name: value for name, value in os.environ.items() if not name.startswith(("PAWL_", "TEMPORAL_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "starter.py"), "demo", "--yes", "--json"),
        env={
            **named,
            "PAWL_HOME": str(home),
            "PAWL_MODEL": "anthropic:claude-sonnet-4-5",
            "PAWL_ANTHROPIC_BASE_URL": provider.url,
            "ANTHROPIC_API_KEY": KEY,
        },
        cwd=home,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, json.loads(out.decode().splitlines()[-1]), said.decode()


async def test_live_run_buys_every_call_once(tmp_path: Path) -> None:
    async with running(FakeProvider(answer=Vendor(Usage(input_tokens=1_000, output_tokens=100)))) as provider:
        code, receipt, said = await live_demo(tmp_path, provider)
    assert code == 0, said
    assert (receipt["phase"], receipt["turns"], receipt["kills"]) == ("Done", 21, 1)
    assert (receipt["calls_bought_twice"], receipt["pull_requests"]) == (0, 1)
    assert (provider.total, set(provider.counts.values())) == (21, {1})
    assert receipt["spent_usd"] == pytest.approx(21 * (1_000 * 3 + 100 * 15) / 1e6)
    assert receipt["recorded_usd"] == 0
    assert "It may spend $1" in said
    card = Path(board.read(tmp_path / "demo" / "board", "ENG-1").url).read_text()
    assert "SCRIPTED" not in said + card
    kept = [path for path in (tmp_path / "demo").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert kept == []


async def test_ceiling_ends_a_live_run(tmp_path: Path) -> None:
    async with running(FakeProvider(answer=Vendor(Usage(input_tokens=100_000, output_tokens=1_000)))) as provider:
        code, receipt, said = await live_demo(tmp_path, provider)
    assert (code, receipt["phase"]) == (6, "Cancelled"), said
    assert 0.5 < receipt["spent_usd"] <= 1
    assert "The budget is used up" in said
