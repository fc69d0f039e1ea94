"""Model calls through the gateway, by pydantic-ai's adapter of each provider's API."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import cast

import httpx2
from genai_prices import calc_price
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import AgentRunError, ModelAPIError, ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import ModelRequestParameters
from temporalio.exceptions import ApplicationError

from activities.agent.ask import Ask, Made
from activities.agent.enclosures import has_pictures, without_pictures
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


class MoneyOut(Exception):
    """The gateway did not send the call: a ceiling is reached. Nothing was bought."""


class GatewayModels:
    """Asks models through the gateway, over one pool of connections for the whole worker."""

    def __init__(self, gateway_url: str) -> None:
        self._url = gateway_url.rstrip("/")
        self._apis: dict[str, _Api] = {}
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
        try:
            return await self._answered(ask, ask.messages)
        except ModelHTTPError as error:
            if not _refuses_pictures(error, ask.messages):
                raise _refused(error) from error
        try:
            return await self._answered(ask, without_pictures(ask.messages))
        except ModelHTTPError as error:
            raise _refused(error) from error

    async def _answered(self, ask: Ask, messages: list[ModelMessage]) -> ModelResponse:
        model, settings = await self._model(ask)
        tools = ModelRequestParameters(function_tools=list(ask.tools), allow_text_output=True)
        try:
            async with model_request_stream(
                model, messages, model_settings=settings, model_request_parameters=tools
            ) as stream:
                async for _ in stream:
                    pass
                return stream.get()
        except ModelHTTPError:
            raise
        except ModelAPIError as error:
            raise again(f"The gateway at {self._url} cannot be reached or fell silent: {error}") from error
        except AgentRunError as error:
            raise again(f"The answer of {ask.model} cannot be read: {error}") from error

    async def close(self) -> None:
        await self._http.aclose()

    async def _model(self, ask: Ask) -> Made:
        """The adapter for this call. It is made per call because the token is the session's; that costs 0.2 ms."""
        provider, _, name = ask.model.partition(":")
        if provider not in _APIS or not name:
            raise stop(
                Failure.UNKNOWN_MODEL,
                f"{ask.model!r} names no model that Pawl can call.",
                f"Write provider:model, with one of the providers {', '.join(sorted(_APIS))}.",
            )
        if provider not in self._apis:
            self._apis[provider] = await asyncio.to_thread(_api, provider)
        model, settings = self._apis[provider](self._url, self._http, ask, ask.model if provider == TAPE else name)
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


_Api = Callable[[str, httpx2.AsyncClient, Ask, str], Made]
_APIS = {
    "anthropic": ("anthropic_api", "messages"),
    TAPE: ("anthropic_api", "messages"),  # tapes are written as Anthropic Messages
    "openai": ("openai_api", "responses"),
    "openai-chat": ("openai_api", "chat"),
}
"""Module beside this one and function in it, by provider."""


def load_apis() -> None:
    """Load every provider's library, which takes seconds. Without it each is loaded by the first call it answers."""
    for provider in _APIS:
        _api(provider)


def _api(provider: str) -> _Api:
    module, function = _APIS[provider]
    return getattr(import_module(f"activities.agent.{module}"), function)


_OF_PICTURES = ("image", "vision", "multimodal", "modalit")
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


def _refuses_pictures(error: ModelHTTPError, messages: list[ModelMessage]) -> bool:
    """Whether it may be the pictures that the provider does not take. No library knows this of every model, and there
    are pictures that no provider can read."""
    if error.status_code not in (400, 404, 413, 415, 422) or not has_pictures(messages):
        return False
    said = _reported(error)[1].casefold()
    return error.status_code == 413 or any(word in said for word in _OF_PICTURES)


def _reported(error: ModelHTTPError) -> tuple[set[str], str]:
    """Type, code and message of an error body, in Anthropic's shape or OpenAI's."""
    body = cast(object, error.body)
    outer = cast(dict[str, object], body) if isinstance(body, dict) else {}
    fields = cast(dict[str, object], inner) if isinstance(inner := outer.get("error"), dict) else outer
    kinds = {str(fields[name]) for name in ("type", "code") if fields.get(name)}
    return kinds, str(fields.get("message") or error)[:2_000]
