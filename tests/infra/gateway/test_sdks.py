"""The vendors' own clients at the gateway: they must not notice that it is there."""

from collections.abc import AsyncGenerator

import anthropic
import openai
import pytest

from tests.fakes.answers import FakeAnswer
from tests.fakes.gateway import GPT, Gateway
from tests.fakes.provider import FakeProvider, Fault, Rule

SEQ = {"X-Pawl-Seq": "1"}


@pytest.fixture
async def claude(gateway: Gateway) -> AsyncGenerator[anthropic.AsyncAnthropic]:
    token = await gateway.open()
    async with anthropic.AsyncAnthropic(base_url=f"{gateway.url}/anthropic", api_key=token) as client:
        yield client


@pytest.fixture
async def gpt(gateway: Gateway) -> AsyncGenerator[openai.AsyncOpenAI]:
    token = await gateway.open(model=GPT)
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/openai/v1", api_key=token) as client:
        yield client


async def test_messages(claude: anthropic.AsyncAnthropic, provider: FakeProvider) -> None:
    provider.rules = [Rule(answer=FakeAnswer.tool("bash", {"command": "ls"}))]
    for _ in range(2):
        message = await claude.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=100,
            messages=[{"role": "user", "content": "Hi"}],
            extra_headers=SEQ,
        )
        assert (message.content[0].type, message.stop_reason) == ("tool_use", "tool_use")
    assert provider.total == 1


async def test_messages_streamed(claude: anthropic.AsyncAnthropic, provider: FakeProvider) -> None:
    for _ in range(2):
        async with claude.messages.stream(
            model="claude-sonnet-4-6",
            max_tokens=100,
            messages=[{"role": "user", "content": "Hi"}],
            extra_headers=SEQ,
        ) as stream:
            assert await stream.get_final_text() == "Hello."
            assert (await stream.get_final_message()).usage.output_tokens == 20
    assert provider.total == 1


async def test_responses(gpt: openai.AsyncOpenAI, provider: FakeProvider) -> None:
    for _ in range(2):
        response = await gpt.responses.create(model="gpt-5", input="Hi", max_output_tokens=100, extra_headers=SEQ)
        assert response.output_text == "Hello."
    assert provider.total == 1


async def test_responses_streamed(gpt: openai.AsyncOpenAI, provider: FakeProvider) -> None:
    for _ in range(2):
        async with gpt.responses.stream(model="gpt-5", input="Hi", max_output_tokens=100, extra_headers=SEQ) as stream:
            assert (await stream.get_final_response()).output_text == "Hello."
    assert provider.total == 1


async def test_chat(gpt: openai.AsyncOpenAI, provider: FakeProvider) -> None:
    for _ in range(2):
        answer = await gpt.chat.completions.create(
            model="gpt-5",
            max_completion_tokens=100,
            messages=[{"role": "user", "content": "Hi"}],
            extra_headers=SEQ,
        )
        assert answer.choices[0].message.content == "Hello."
    assert provider.total == 1


@pytest.mark.parametrize("asks_for_usage", [False, True])
async def test_chat_streamed(
    gateway: Gateway, gpt: openai.AsyncOpenAI, provider: FakeProvider, asks_for_usage: bool
) -> None:
    """The gateway always learns the usage; the caller sees it only when it asked."""
    for _ in range(2):
        stream = await gpt.chat.completions.create(
            model="gpt-5",
            max_completion_tokens=100,
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True} if asks_for_usage else openai.omit,
            extra_headers=SEQ,
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello."
        assert any(chunk.usage for chunk in chunks) is asks_for_usage
    assert provider.total == 1
    [receipt] = await gateway.receipts()
    assert (receipt["input_tokens"], receipt["output_tokens"], receipt["estimated"]) == (100, 20, False)


async def test_the_clients_do_not_repeat_what_cannot_help(
    gateway: Gateway, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI, provider: FakeProvider
) -> None:
    """With their retries on, as agent CLIs leave them."""
    gpt_poor = gpt.with_options(api_key=await gateway.open("t2.builder1", account="t2", model=GPT, usd="0"))
    with pytest.raises(openai.RateLimitError) as out_of_money:
        await gpt_poor.responses.create(model="gpt-5", input="Hi", max_output_tokens=100, extra_headers=SEQ)
    assert out_of_money.value.code == "insufficient_quota"
    claude_poor = claude.with_options(api_key=await gateway.open("t3.builder1", account="t3", usd="0"))
    with pytest.raises(anthropic.APIStatusError, match="The money is used up") as refused:
        await claude_poor.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=100,
            messages=[{"role": "user", "content": "Hi"}],
            extra_headers=SEQ,
        )
    assert refused.value.status_code == 402
    assert provider.total == 0


async def test_a_cut_stream_is_an_error_to_the_client(claude: anthropic.AsyncAnthropic, provider: FakeProvider) -> None:
    provider.rules = [Rule(fault=Fault(kind="cut", events=4))]
    with pytest.raises(anthropic.APIError, match="broke off"):
        async with claude.messages.stream(
            model="claude-sonnet-4-6",
            max_tokens=100,
            messages=[{"role": "user", "content": "Hi"}],
            extra_headers=SEQ,
        ) as stream:
            await stream.get_final_message()


@pytest.mark.parametrize("api", ["responses", "chat"])
async def test_a_cut_stream_is_an_error_to_openais_client(
    gpt: openai.AsyncOpenAI, provider: FakeProvider, api: str
) -> None:
    provider.rules = [Rule(fault=Fault(kind="cut", events=3))]
    with pytest.raises(openai.APIError, match="broke off"):
        await (_read_response(gpt) if api == "responses" else _read_chat(gpt))


async def _read_response(gpt: openai.AsyncOpenAI) -> None:
    stream = await gpt.responses.create(
        model="gpt-5", input="Hi", max_output_tokens=100, stream=True, extra_headers=SEQ
    )
    async for _ in stream:
        pass


async def _read_chat(gpt: openai.AsyncOpenAI) -> None:
    stream = await gpt.chat.completions.create(
        model="gpt-5",
        max_completion_tokens=100,
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        extra_headers=SEQ,
    )
    async for _ in stream:
        pass


async def test_a_model_for_chat_alone_is_priced_and_served_there_and_nowhere_else(gateway: Gateway) -> None:
    token = await gateway.open(model="openai-chat:gpt-5")
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/openai/v1", api_key=token) as client:
        said = await client.chat.completions.create(
            model="gpt-5", messages=[{"role": "user", "content": "Hi"}], max_completion_tokens=100, extra_headers=SEQ
        )
        assert said.choices[0].message.content == "Hello."
        with pytest.raises(openai.BadRequestError, match="this route serves"):
            await client.responses.create(
                model="gpt-5", input="Hi", max_output_tokens=100, extra_headers={"X-Pawl-Seq": "2"}
            )
    assert (await gateway.bill()).spend.usd > 0
