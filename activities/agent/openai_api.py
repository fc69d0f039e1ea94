"""How pydantic-ai speaks OpenAI's two APIs through the gateway. Its library loads slowly: only where it is used."""

import httpx2
from openai import AsyncOpenAI
from pydantic_ai.models.openai import (
    OpenAIChatModel,
    OpenAIChatModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.providers.openai import OpenAIProvider

from activities.agent.ask import Ask, Made


def responses(url: str, http: httpx2.AsyncClient, ask: Ask, name: str) -> Made:
    settings = OpenAIResponsesModelSettings(openai_store=False, openai_prompt_cache_key=ask.session)
    return OpenAIResponsesModel(name, provider=_provider(url, http, ask)), settings


def chat(url: str, http: httpx2.AsyncClient, ask: Ask, name: str) -> Made:
    settings = OpenAIChatModelSettings(openai_prompt_cache_key=ask.session)
    return OpenAIChatModel(name, provider=_provider(url, http, ask)), settings


def _provider(url: str, http: httpx2.AsyncClient, ask: Ask) -> OpenAIProvider:
    client = AsyncOpenAI(api_key=ask.token, base_url=f"{url}/openai/v1", http_client=http, max_retries=0)
    return OpenAIProvider(openai_client=client)
