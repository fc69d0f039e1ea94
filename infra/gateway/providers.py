"""The vendors' APIs: where they are, how they are paid, how they say what an answer used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from starlette.datastructures import Headers

from infra.gateway.settings import GatewaySettings
from infra.gateway.wire import Flavour, as_object

ROUTES = {
    "/anthropic/v1/messages": Flavour.MESSAGES,
    "/openai/v1/responses": Flavour.RESPONSES,
    "/openai/v1/chat/completions": Flavour.CHAT,
}
_PASSED_ON = ("accept", "anthropic-version", "anthropic-beta", "openai-beta", "user-agent")
_HANDED_BACK = ("content-type", "request-id", "x-request-id", "retry-after", "retry-after-ms", "x-should-retry")
_EXTRACTORS = {
    Flavour.MESSAGES: ("anthropic", "default"),
    Flavour.RESPONSES: ("openai", "responses"),
    Flavour.CHAT: ("openai", "chat"),
}


@dataclass(frozen=True)
class Provider:
    name: str
    key: str
    key_variable: str
    base_url: str
    paths: Mapping[Flavour, str]

    def url(self, flavour: Flavour, query: str) -> str:
        return f"{self.base_url}{self.paths[flavour]}{'?' if query else ''}{query}"

    def headers(self, caller: Headers) -> dict[str, str]:
        """What is sent: the real key, and of the caller's headers only those that belong to the API."""
        sent = {name: ", ".join(caller.getlist(name)) for name in _PASSED_ON if name in caller}
        key = {"x-api-key": self.key} if self.name == "anthropic" else {"authorization": f"Bearer {self.key}"}
        return {**sent, **key, "content-type": "application/json", "accept-encoding": "identity"}


def providers(settings: GatewaySettings) -> dict[str, Provider]:
    """By what stands before the colon of a model's name. `openai-chat` is for servers that know nothing newer."""
    openai = Provider(
        name="openai",
        key=settings.openai_api_key.get_secret_value(),
        key_variable="OPENAI_API_KEY",
        base_url=settings.openai_base_url.rstrip("/"),
        paths={Flavour.RESPONSES: "/v1/responses", Flavour.CHAT: "/v1/chat/completions"},
    )
    anthropic = Provider(
        name="anthropic",
        key=settings.anthropic_api_key.get_secret_value(),
        key_variable="ANTHROPIC_API_KEY",
        base_url=settings.anthropic_base_url.rstrip("/"),
        paths={Flavour.MESSAGES: "/v1/messages"},
    )
    chat = replace(openai, paths={Flavour.CHAT: openai.paths[Flavour.CHAT]})
    return {"anthropic": anthropic, "openai": openai, "openai-chat": chat}


def handed_back(headers: Mapping[str, str]) -> dict[str, str]:
    """The provider's headers a caller gets to see."""
    return {name: headers[name] for name in _HANDED_BACK if name in headers}


def plain_usage(answer: object) -> dict[str, Any]:
    """The usage part of a plain answer, as the provider wrote it; empty when it says nothing."""
    return as_object(as_object(answer).get("usage"))


def stream_usage(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The same from a stream: what later events say replaces or completes what earlier ones said."""
    merged: dict[str, Any] = {}
    for event in events:
        for holder in (event, event.get("message"), event.get("response")):
            merged.update({key: value for key, value in plain_usage(holder).items() if value is not None})
    return merged


def counted(flavour: Flavour, usage: Mapping[str, Any]) -> Usage | None:
    """Token counts out of a provider's usage part. Input includes what came from or went to the cache. None when the
    usage is not readable as this API's."""
    provider, api = _EXTRACTORS[flavour]
    vendor = next(known for known in get_snapshot().providers if known.id == provider)
    try:
        return vendor.extract_usage({"usage": _completed(flavour, usage)}, api_flavor=api)[1]
    except (ValueError, LookupError, TypeError):
        return None


def _completed(flavour: Flavour, usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """OpenAI-compatible servers may leave optional parts null."""
    return {key: value for key, value in usage.items() if value is not None} if flavour is Flavour.CHAT else usage
