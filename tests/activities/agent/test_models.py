"""Model calls through a real gateway to a provider that can fail, in every API and every way."""

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, ToolReturnPart, UserPromptPart
from temporalio.exceptions import ApplicationError

from activities.agent.ask import Ask
from activities.agent.models import GatewayModels, spend_of
from activities.agent.tools import definitions
from activities.agent.transcript import dump_answer, load_answer
from tests.activities.agent.bench import CLAUDE, in_order, says, text, use
from tests.fakes.answers import FakeAnswer
from tests.fakes.gateway import Gateway, running_gateway
from tests.fakes.provider import FakeProvider, Fault, running
from workflows.domain.session import Role

FIRST = ModelRequest([SystemPromptPart("rules"), UserPromptPart("work")])
ROOT = Path(__file__).parents[3]
Served = Callable[..., Awaitable[tuple[Gateway, FakeProvider]]]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A gateway in front of a provider that gives these answers."""
    async with AsyncExitStack() as stack:

        async def make(*answers: FakeAnswer | Fault) -> tuple[Gateway, FakeProvider]:
            provider = await stack.enter_async_context(running(in_order(*answers)))
            return await stack.enter_async_context(running_gateway(tmp_path, provider.url)), provider

        yield make


async def ask(gateway: Gateway, model: str, *more: ModelRequest | ModelResponse, seq: int = 1) -> ModelResponse:
    models = GatewayModels(gateway.url)
    tools = definitions(Role.BUILDER)
    try:
        return await models.ask(
            Ask(model, "t1.builder1", seq, gateway.runs.token("t1.builder1"), [FIRST, *more], tools)
        )
    finally:
        await models.close()


@pytest.mark.parametrize("model", [CLAUDE, "openai:gpt-5", "openai-chat:gpt-5"])
async def test_a_tool_turn_in_every_api(served: Served, model: str) -> None:
    gateway, provider = await served(says(text("I look."), use("view", path="a.py")), says(text("Seen.")))
    await gateway.open(model=model.replace("-chat", ""))
    first = await ask(gateway, model)
    (call,) = first.tool_calls
    assert (call.tool_name, call.args_as_dict()) == ("view", {"path": "a.py"})
    usage = first.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (140, 40, 20)
    kept = load_answer(dump_answer(first))
    result = ModelRequest([ToolReturnPart("view", "    1  x", tool_call_id=call.tool_call_id)])
    then = await ask(gateway, model, kept, result, seq=2)
    assert then.text == "Seen."
    assert "    1  x" in str(provider.log[1].body)
    assert [receipt["seq"] for receipt in await gateway.receipts()] == [1, 2]
    assert "8192" in str(provider.log[0].body)


async def test_an_answer_that_was_bought_is_not_bought_again(served: Served) -> None:
    gateway, provider = await served(says(text("once")), says(text("twice")))
    await gateway.open(model=CLAUDE)
    assert [(await ask(gateway, CLAUDE)).text for _ in range(2)] == ["once", "once"]
    assert provider.total == 1


FAULTS = [
    (Fault(status=500), "OutOfReach", None),
    (Fault(status=529), "OutOfReach", None),
    (Fault(status=429, retry_after=7), "OutOfReach", timedelta(seconds=7)),
    (Fault(status=401), "BadCredentials", None),
    (Fault(status=404), "UnknownModel", None),
    (Fault(status=400), "BadRequest", None),
    (Fault(status=413), "BadRequest", None),
    (Fault(kind="cut", events=2), "OutOfReach", None),
    (Fault(kind="error", events=2), "OutOfReach", None),
]


@pytest.mark.parametrize("model", [CLAUDE, "openai:gpt-5", "openai-chat:gpt-5"])
@pytest.mark.parametrize(("fault", "failure", "after"), FAULTS, ids=[f"{f.kind}-{f.status}" for f, _, _ in FAULTS])
async def test_what_a_failing_provider_means(
    served: Served, model: str, fault: Fault, failure: str, after: timedelta | None
) -> None:
    gateway, provider = await served(fault)
    await gateway.open(model=model.replace("-chat", ""))
    with pytest.raises(ApplicationError) as caught:
        await ask(gateway, model)
    assert caught.value.type == failure
    assert caught.value.non_retryable == (failure != "OutOfReach")
    assert caught.value.next_retry_delay == after
    assert provider.total == 1


async def test_a_gateway_that_is_away_is_tried_again(served: Served) -> None:
    gateway, _ = await served(says())
    gateway.url = "http://127.0.0.1:9"
    with pytest.raises(ApplicationError, match="cannot be reached") as caught:
        await ask(gateway, CLAUDE)
    assert (caught.value.type, caught.value.non_retryable) == ("OutOfReach", False)


async def test_a_run_that_is_closed_is_final(served: Served) -> None:
    gateway, _ = await served(says())
    await gateway.open(model=CLAUDE)
    await gateway.runs.close_run("t1.builder1")
    with pytest.raises(ApplicationError) as caught:
        await ask(gateway, CLAUDE)
    assert caught.value.type == "RunRevoked"


@pytest.mark.parametrize("model", ["claude", "gemini:pro", "anthropic:"])
async def test_a_model_nobody_serves_is_named_with_what_to_write(served: Served, model: str) -> None:
    gateway, _ = await served(says())
    with pytest.raises(ApplicationError, match=r"Write provider:model.*anthropic, openai, openai-chat, tape") as caught:
        await ask(gateway, model)
    assert caught.value.type == "UnknownModel"


async def test_what_an_answer_costs(served: Served) -> None:
    gateway, _ = await served(says(text("hi")))
    await gateway.open(model=CLAUDE)
    answer = await ask(gateway, CLAUDE)
    priced = spend_of(CLAUDE, answer)
    assert (priced.turns, priced.usd, priced.unpriced) == (1, Decimal("0.000612"), 0)
    assert priced.usd == (await gateway.bill()).spend.usd
    assert (spend_of("tape:0", answer).usd, spend_of("tape:0", answer).unpriced) == (Decimal(0), 0)
    assert (spend_of("openai:nobody-knows", answer).usd, spend_of("openai:nobody-knows", answer).unpriced) == (0, 1)


def test_a_library_is_loaded_where_it_is_used() -> None:
    """They are half of what a worker loads, and most workers use one of them."""
    script = "import sys, worker; sys.argv[1:] and worker.load_apis(); print(*{'openai', 'anthropic'} & {*sys.modules})"
    for more, wanted in ([], []), (["all"], ["anthropic", "openai"]):
        ran = subprocess.run(
            [sys.executable, "-c", script, *more], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert sorted(ran.stdout.split()) == wanted
