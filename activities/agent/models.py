"""Model calls through the gateway: the one file that knows how pydantic-ai speaks to each provider's API."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import httpx2
from anthropic import AsyncAnthropic
from genai_prices import calc_price
from openai import AsyncOpenAI
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import AgentRunError, ModelAPIError, ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.models.openai import (
    OpenAIChatModel,
    OpenAIChatModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition
from temporalio.exceptions import ApplicationError

from activities.errors import again, stop
from workflows.domain.budget import Spend
from workflows.domain.failures import Failure
from workflows.domain.tokens import SEQ_HEADER

OUTPUT_TOKENS = 8_192
"""The most one answer may write; with the input it is what the gateway reserves money for."""
WINDOW_TOKENS = 180_000
"""Tokens a conversation may fill. Below every current model's window, so that one rule serves all."""
IDLE_SECONDS = 330
"""How long the stream may be silent: a little more than the gateway lets the provider be."""
TAPE = "tape"


@dataclass(frozen=True)
class Ask:
    """One model call."""

    model: str
    """`provider:model`."""
    session: str
    seq: int
    token: str
    """The run token: the only credential this side holds."""
    messages: list[ModelMessage]
    tools: Sequence[ToolDefinition]


class MoneyOut(Exception):
    """The gateway did not send the call: a ceiling is reached. Nothing was bought."""


class GatewayModels:
    """Asks models through the gateway, over one pool of connections for the whole worker."""

    def __init__(self, gateway_url: str) -> None:
        self._url = gateway_url.rstrip("/")
        # A proxy set for the way out must not see run tokens on the way to our own gateway.
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(IDLE_SECONDS, connect=10),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
            trust_env=False,
        )

    async def ask(self, ask: Ask) -> ModelResponse:
        """The answer, read as a stream to its end.

        Raises MoneyOut, or the ApplicationError that says whether trying again can help.
        """
        model, settings = self._model(ask)
        tools = ModelRequestParameters(function_tools=list(ask.tools), allow_text_output=True)
        try:
            async with model_request_stream(
                model, ask.messages, model_settings=settings, model_request_parameters=tools
            ) as stream:
                async for _ in stream:
                    pass
                return stream.get()
        except ModelHTTPError as error:
            raise _refused(error) from error
        except ModelAPIError as error:
            raise again(f"The gateway at {self._url} cannot be reached or fell silent: {error}") from error
        except AgentRunError as error:
            raise again(f"The answer of {ask.model} cannot be read: {error}") from error

    async def close(self) -> None:
        await self._http.aclose()

    def _model(self, ask: Ask) -> tuple[Model, ModelSettings]:
        """The adapter for this call. It is made per call because the token is the session's; that costs 0.2 ms."""
        provider, _, name = ask.model.partition(":")
        make = _FLAVOURS.get(provider)
        if make is None or not name:
            raise stop(
                Failure.UNKNOWN_MODEL,
                f"{ask.model!r} names no model that Pawl can call.",
                f"Write provider:model, with one of the providers {', '.join(sorted(_FLAVOURS))}.",
            )
        model, settings = make(self._url, self._http, ask, ask.model if provider == TAPE else name)
        settings["max_tokens"] = OUTPUT_TOKENS
        settings["extra_headers"] = {SEQ_HEADER: str(ask.seq)}
        return model, settings


def spend_of(model: str, answer: ModelResponse) -> Spend:
    """What the answer used, for the session's stop rules; the bill is the gateway's."""
    usage = answer.usage
    counted = Spend(
        turns=1,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cache_read_tokens,
        output_tokens=usage.output_tokens,
    )
    provider, _, name = model.partition(":")
    if provider == TAPE:
        return counted
    try:
        price = calc_price(usage, name, provider_id=provider.removesuffix("-chat"))
        return counted.model_copy(update={"usd": price.total_price})
    except (LookupError, ValueError):
        return counted.model_copy(update={"unpriced": 1})


_Made = tuple[Model, ModelSettings]


def _anthropic(url: str, http: httpx2.AsyncClient, ask: Ask, name: str) -> _Made:
    client = AsyncAnthropic(api_key=ask.token, base_url=f"{url}/anthropic", http_client=http, max_retries=0)
    settings = AnthropicModelSettings(anthropic_cache=True)
    return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client)), settings


def _openai(url: str, http: httpx2.AsyncClient, ask: Ask, name: str) -> _Made:
    settings = OpenAIResponsesModelSettings(openai_store=False, openai_prompt_cache_key=ask.session)
    return OpenAIResponsesModel(name, provider=_openai_provider(url, http, ask)), settings


def _openai_chat(url: str, http: httpx2.AsyncClient, ask: Ask, name: str) -> _Made:
    settings = OpenAIChatModelSettings(openai_prompt_cache_key=ask.session)
    return OpenAIChatModel(name, provider=_openai_provider(url, http, ask)), settings


def _openai_provider(url: str, http: httpx2.AsyncClient, ask: Ask) -> OpenAIProvider:
    client = AsyncOpenAI(api_key=ask.token, base_url=f"{url}/openai/v1", http_client=http, max_retries=0)
    return OpenAIProvider(openai_client=client)


_FLAVOURS: dict[str, Callable[[str, httpx2.AsyncClient, Ask, str], _Made]] = {
    "anthropic": _anthropic,
    TAPE: _anthropic,  # tapes are written as Anthropic Messages
    "openai": _openai,
    "openai-chat": _openai_chat,
}

_FINAL: dict[str, tuple[Failure, str]] = {
    "tape_mismatch": (Failure.TAPE_MISMATCH, ""),
    "no_credentials": (Failure.BAD_CREDENTIALS, ""),
    "unknown_price": (Failure.UNKNOWN_PRICE, ""),
}
_FINAL_STATUS: dict[int, tuple[Failure, str]] = {
    401: (Failure.BAD_CREDENTIALS, "Check the provider's key in the gateway's environment, then resume."),
    403: (Failure.RUN_REVOKED, ""),
    404: (Failure.UNKNOWN_MODEL, "Name a model that the provider offers, then resume."),
}


def _refused(error: ModelHTTPError) -> ApplicationError | MoneyOut:
    """What an error reply means. The gateway's own messages name cause and next step and are passed on as they are."""
    kinds, said = _reported(error)
    status = error.status_code
    if status == 402 or "insufficient_quota" in kinds:
        return MoneyOut(said)
    for kind in kinds:
        if kind in _FINAL:
            failure, next_step = _FINAL[kind]
            return stop(failure, said, next_step)
    if status in _FINAL_STATUS:
        failure, next_step = _FINAL_STATUS[status]
        return stop(failure, said, next_step)
    if status in (408, 409, 425, 429) or status >= 500:
        after = timedelta(seconds=error.retry_after) if error.retry_after else None
        return again(f"The model call failed with status {status}: {said}", after)
    return stop(Failure.BAD_REQUEST, f"The model call was refused with status {status}: {said}")


def _reported(error: ModelHTTPError) -> tuple[set[str], str]:
    """Type, code and message of an error body, in Anthropic's shape or OpenAI's."""
    body = cast(object, error.body)
    outer = cast(dict[str, object], body) if isinstance(body, dict) else {}
    fields = cast(dict[str, object], inner) if isinstance(inner := outer.get("error"), dict) else outer
    kinds = {str(fields[name]) for name in ("type", "code") if fields.get(name)}
    return kinds, str(fields.get("message") or error)[:2_000]
