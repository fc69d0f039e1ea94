"""Calls to GitHub, each as whoever may do it in one repository."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx
from gidgethub import BadGraphQLRequest, GitHubException, HTTPException, QueryError
from pydantic import ValidationError

from activities.errors import again, from_response, from_transport
from activities.git import showing
from activities.github.access import Access
from activities.github.failures import Refused, failure_of, wait_for_limit
from activities.github.names import full_name
from activities.github.transport import Transport
from workflows.domain.model import Record

R = TypeVar("R", bound=Record)
T = TypeVar("T")
_A_PAGE = 100
_A_MINUTE = timedelta(minutes=1)


@dataclass
class GitHub:
    """GitHub or a server of GitHub Enterprise. Every method raises ApplicationError, and Refused for the other 4xx."""

    http: httpx.AsyncClient
    access: Access
    api_url: str = "https://api.github.com"
    web_url: str = "https://github.com"
    graphql_url: str = "https://api.github.com/graphql"
    known_as: set[str] = field(default_factory=set[str], init=False, repr=False)
    """Logins that were seen to be the key's own."""
    _transport: Transport = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._transport = Transport(self.http, self.api_url)

    async def get(self, repository: str, path: str, kind: type[R], **query: str | int) -> R:
        """One record. `path` begins behind the repository's: `/pulls/1`."""
        data = await self._call(repository, "GET", _with(path, query))
        return _read(kind.model_validate, path, data[0])

    async def every(
        self, repository: str, path: str, kind: type[R], *, inside: str = "", most: int = 2_000, **query: str | int
    ) -> list[R]:
        """The records of a list, page by page until there are `most`. `inside`: the key that holds the list."""
        url: str | None = _with(path, {**query, "per_page": _A_PAGE})
        found: list[R] = []
        while url is not None and len(found) < most:
            data, url = await self._call(repository, "GET", url)
            items = data[inside] if inside else data
            found += [_read(kind.model_validate, path, item) for item in items]
        return found

    async def send(self, repository: str, method: str, path: str, data: Mapping[str, Any] | None, kind: type[R]) -> R:
        """Write, and read what became of it."""
        answer = await self._call(repository, method, path, data)
        return _read(kind.model_validate, path, answer[0])

    async def do(self, repository: str, method: str, path: str, data: Mapping[str, Any] | None = None) -> None:
        """Write, whatever the answer says."""
        await self._call(repository, method, path, data)

    async def text(self, repository: str, path: str, most_bytes: int) -> str:
        """The end of a file that GitHub keeps elsewhere: the link is followed without the token."""

        async def ask(token: str) -> str:
            headers = {"authorization": f"Bearer {token}", "accept": "application/vnd.github+json"}
            url = f"{self.api_url}/repos/{repository}{path}"
            link = await self.http.get(url, headers=headers, follow_redirects=False)
            if link.status_code != 302:
                raise _unexpected(f"GET {path}", link)
            return link.headers["location"]

        location = await self._as_whoever_may(repository, f"GET {path}", ask)
        return await _understood("the download of a log", self._end_of(location, most_bytes))

    async def graphql(self, repository: str, document: str, **variables: Any) -> dict[str, Any]:
        """The `data` of an answer without errors."""

        async def ask(token: str) -> dict[str, Any]:
            transport = Transport(self.http, self.api_url)
            transport.oauth_token = token
            return await transport.graphql(document, endpoint=self.graphql_url, **variables)

        return await self._as_whoever_may(repository, "POST /graphql", ask)

    async def git_access(self, url: str) -> Mapping[str, str]:
        """For `activities.git`: what git shows this GitHub, and nobody else."""
        name = full_name(url, self.web_url) if url.startswith(f"{self.web_url}/") else ""
        if not name:
            return {}
        pair = f"x-access-token:{await self.access.token(name)}"
        return showing(f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}", f"{self.web_url}/")

    async def _call(
        self, repository: str, method: str, path: str, data: Mapping[str, Any] | None = None
    ) -> tuple[Any, str | None]:
        url = path if path.startswith(f"{self.api_url}/") else f"/repos/{repository}{path}"

        async def ask(token: str) -> tuple[Any, str | None]:
            return await self._transport.call(method, url, data, token=token)

        return await self._as_whoever_may(repository, f"{method} {url.partition('?')[0]}", ask)

    async def _as_whoever_may(self, repository: str, asked: str, ask: Callable[[str], Awaitable[T]]) -> T:
        """Once, or twice where the token was refused and another one can be had."""
        try:
            return await _understood(asked, ask(await self.access.token(repository)))
        except Refused as refused:
            if refused.status != 401 or not self.access.forget(repository):
                raise
        return await _understood(asked, ask(await self.access.token(repository)))

    async def _end_of(self, location: str, most_bytes: int) -> str:
        kept = bytearray()
        async with self.http.stream("GET", location, follow_redirects=True) as reply:
            if reply.status_code != 200:
                await reply.aread()
                raise _unexpected("the download of a log", reply)
            async for piece in reply.aiter_bytes():
                kept += piece
                del kept[:-most_bytes]
        return kept.decode(errors="replace")


def path_of(text: str) -> str:
    """A name as one part of a path."""
    return quote(text, safe="")


def _with(path: str, query: Mapping[str, str | int]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _read(read: Callable[[Any], T], path: str, data: Any) -> T:
    try:
        return read(data)
    except ValidationError as error:
        raise again(f"GitHub's answer to {path} is not what its contract says: {error.errors()[0]['loc']}.") from error


def _unexpected(asked: str, reply: httpx.Response) -> Exception:
    limit = wait_for_limit(reply.status_code, reply.headers, reply.text[:500])
    if limit is not None:
        return again("GitHub's rate limit is reached.", limit)
    if reply.status_code >= 500:
        return from_response("GitHub", reply)
    return Refused(asked, reply.status_code, reply.text[:300])


async def _understood(asked: str, answer: Awaitable[T]) -> T:
    try:
        return await answer
    except HTTPException as error:
        raise failure_of(asked, error) from error
    except BadGraphQLRequest as error:
        if wait := wait_for_limit(int(error.status_code), {}, str(error)):
            raise again("GitHub's rate limit is reached.", wait) from error
        raise Refused(asked, int(error.status_code), str(error)[:300]) from error
    except QueryError as error:
        if "RATE_LIMITED" in str(error.response.get("errors")):
            raise again("GitHub's rate limit is reached.", _A_MINUTE) from error
        raise Refused(asked, 422, str(error)[:300]) from error
    except httpx.HTTPError as error:
        raise from_transport("GitHub", error) from error
    except (GitHubException, ValueError) as error:
        raise again(f"GitHub's answer to {asked} cannot be read ({type(error).__name__}).") from error
