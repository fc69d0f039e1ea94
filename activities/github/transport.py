"""gidgethub on the one HTTP client that is ours. It retries nothing: Temporal does."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import httpx
from gidgethub.abc import GitHubAPI

_MOVED = (301, 302, 307, 308)
_ACCEPT = "application/vnd.github+json"


class Transport(GitHubAPI):
    """Raises httpx.HTTPError, gidgethub's exceptions, and ValueError for an answer that cannot be read."""

    def __init__(self, http: httpx.AsyncClient, base_url: str) -> None:
        super().__init__("pawl", base_url=base_url)
        self._http = http

    async def call(
        self,
        method: str,
        url: str,
        data: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        jwt: str | None = None,
    ) -> tuple[Any, str | None]:
        """The answer, and the URL of the next page."""
        body = b"" if data is None else data
        answer, following, _ = await self._make_request(method, url, None, body, _ACCEPT, jwt=jwt, oauth_token=token)
        return answer, following

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        reply = await self._http.request(method, url, headers=dict(headers), content=body, follow_redirects=False)
        to = urljoin(url, reply.headers.get("location", url))
        if reply.status_code in _MOVED and method == "GET" and to.startswith(f"{self.base_url}/"):
            # A repository was renamed. Anywhere else the token does not go.
            reply = await self._http.get(to, headers=dict(headers), follow_redirects=False)
        return reply.status_code, reply.headers, reply.content

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
