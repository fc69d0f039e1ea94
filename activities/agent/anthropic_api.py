"""How pydantic-ai speaks Anthropic's API through the gateway. Its library loads slowly: only where it is used."""

import httpx2
from anthropic import AsyncAnthropic
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.providers.anthropic import AnthropicProvider

from activities.agent.ask import Ask, Made


def messages(url: str, http: httpx2.AsyncClient, ask: Ask, name: str) -> Made:
    client = AsyncAnthropic(api_key=ask.token, base_url=f"{url}/anthropic", http_client=http, max_retries=0)
    settings = AnthropicModelSettings(anthropic_cache=True)
    return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client)), settings
