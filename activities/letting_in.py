"""How connections are let in: from the variables that hold their keys to what asks them."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx

from activities.github import App, GitHub, Token
from activities.tracker.linear.client import LinearClient
from activities.tracker.linear.tokens import AppToken, api_key
from infra import connections
from infra.connections import Linear, secret
from infra.connections_keys import needed, private_key


async def linear_client(name: str, one: Linear, open_: AsyncExitStack) -> LinearClient:
    """Open until `open_` ends. Raises Misused for a connection without its key."""
    return LinearClient(await a_web(open_), await _linear_token(name, one, open_), one.url)


async def _linear_token(name: str, one: Linear, open_: AsyncExitStack) -> Callable[[], Awaitable[str]]:
    if client_id := secret(one.client_id_env):
        own = needed(name, one.client_secret_env)
        scope = "read,write,app:assignable,app:mentionable"
        return AppToken(await a_web(open_), client_id.get_secret_value(), own, scope, one.token_url)
    return api_key(needed(name, one.key_env, f"or {one.client_id_env} and {one.client_secret_env}"))


async def github_client(name: str, one: connections.GitHub, open_: AsyncExitStack) -> GitHub:
    """Open until `open_` ends. Raises Misused for a connection without its key."""
    web = await a_web(open_)
    url = one.url.rstrip("/")
    if app_id := secret(one.app_id_env):
        access = App(web, app_id.get_secret_value(), private_key(name, one.private_key_env), url)
    else:
        access = Token(needed(name, one.token_env, f"or {one.app_id_env} and {one.private_key_env}"))
    return GitHub(web, access, url, one.web_url.rstrip("/"), one.graphql)


async def a_web(open_: AsyncExitStack) -> httpx.AsyncClient:
    """A client of its own for each connection: what one of them hooks into it concerns no other."""
    return await open_.enter_async_context(httpx.AsyncClient(timeout=20, follow_redirects=False))
