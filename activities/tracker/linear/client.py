"""Asking Linear: one HTTP call for each question, and what an answer means for whoever retries."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from gql import GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportError, TransportServerError
from gql.transport.httpx import HTTPXAsyncTransport
from graphql import DocumentNode
from temporalio.exceptions import ApplicationError

from activities.errors import again, stop
from workflows.domain.failures import Failure

API = "https://api.linear.app/graphql"
MOST_PAGES = 8
"""Of one list in one look."""
Token = Callable[[], Awaitable[str]]
"""Gives what the Authorization header must say now: an API key bare, an OAuth token after `Bearer `."""
Reply = dict[str, Any]

_LEAST_WAIT, _MOST_WAIT = timedelta(seconds=1), timedelta(hours=2)
_PASSING = {"lock timeout", "internal error", "network error", "internal server error"}


class Missing(Exception):
    """Linear knows nothing by that id."""


class TooMany(Exception):
    """The list is longer than `MOST_PAGES`."""


@dataclass
class _Answer:
    status: int = 0
    headers: Mapping[str, str] | None = None


_answer: ContextVar[_Answer] = ContextVar("linear_answer")
"""The reply of this very call: the transport keeps one for all that are under way. Held by reference, since a hook of
httpx may run where a new value would not be seen."""


class LinearClient:
    """One workspace, as one user of it. `http` is the caller's to close."""

    def __init__(self, http: httpx.AsyncClient, token: Token, url: str = API) -> None:
        self.http = http
        self.token = token
        http.event_hooks["response"].append(_remember)
        self._transport = HTTPXAsyncTransport(url)
        self._transport.client = cast(
            Any, http
        )  # gql would make one itself, and of another library where that is there

    async def ask(self, document: DocumentNode, **variables: Any) -> Reply:
        """The data of the answer. Raises Missing, and ApplicationErrors that say whether to try again."""
        answer = _Answer()
        _answer.set(answer)
        extra = {"headers": {"Authorization": await self.token()}}
        try:
            result = await self._transport.execute(
                GraphQLRequest(document, variable_values=variables), extra_args=extra
            )
        except TransportServerError as error:
            raise _by_status(error.code or 0) from error
        except httpx.HTTPStatusError as error:  # what gql does not catch where it takes another httpx for its own
            raise _by_status(error.response.status_code) from error
        except TransportConnectionFailed as error:
            raise again(f"Linear cannot be reached ({type(error.__cause__).__name__}).") from error
        except TransportError as error:
            raise again("Linear's answer cannot be read.") from error
        if result.errors:
            raise _meaning(cast(list[Reply], result.errors), answer)
        return cast(Reply, result.data)

    async def pages(self, document: DocumentNode, name: str, **variables: Any) -> AsyncIterator[Reply]:
        """What a list holds, page by page. Raises TooMany, and as `ask`."""
        after: str | None = None
        for _ in range(MOST_PAGES):
            found = (await self.ask(document, **variables, after=after))[name]
            for node in found["nodes"]:
                yield node
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]
        raise TooMany

    async def create(self, document: DocumentNode, look: DocumentNode, fields: Reply) -> None:
        """Create what `fields` name by `id`, once: on any doubt, look whether it is there."""
        try:
            await self.ask(document, input=fields)
        except ApplicationError as error:
            try:
                await self.ask(look, id=fields["id"])
            except (Missing, ApplicationError):
                raise error from None


async def _remember(response: httpx.Response) -> None:
    if answer := _answer.get(None):
        answer.status, answer.headers = response.status_code, response.headers


def _meaning(errors: list[Reply], answer: _Answer) -> Exception:
    """The first error decides: Linear sends one."""
    first = errors[0]
    message = str(first.get("message", ""))[:500]
    details: Reply = first.get("extensions") or {}
    kinds = {str(details.get(name, "")).casefold().replace("_", " ") for name in ("code", "type")}
    said = f"Linear: {details.get('userPresentableMessage') or message}"[:600]
    if "ratelimited" in kinds:
        return again(f"{said} (rate limit)", _until_reset(answer.headers or {}))
    if kinds & _PASSING or answer.status >= 500:
        return again(said)
    if kinds & {"authentication error", "forbidden"} or answer.status in (401, 403):
        return stop(Failure.BAD_CREDENTIALS, said, "Check the key or the app's access, then resume.")
    if message.startswith("Entity not found"):
        return Missing(message)
    return stop(Failure.BAD_REQUEST, said)


def _by_status(status: int) -> ApplicationError:
    """An answer that is no GraphQL: of a proxy, say."""
    if status == 429 or status >= 500:
        return again(f"Linear answered {status}.")
    if status in (401, 403):
        return stop(Failure.BAD_CREDENTIALS, f"Linear answered {status}.", "Check the key, then resume.")
    return stop(Failure.BAD_REQUEST, f"Linear answered {status}.")


def _until_reset(headers: Mapping[str, str]) -> timedelta:
    """How long Linear asks to wait: until the last of the limits that are used up is counted anew, in epoch
    milliseconds; a minute where it names none."""
    limits = ("requests", "complexity", "endpoint-requests")
    spent = [kind for kind in limits if headers.get(f"x-ratelimit-{kind}-remaining", "") == "0"]
    resets = [headers.get(f"x-ratelimit-{kind}-reset", "") for kind in spent or limits]
    known = [int(reset) for reset in resets if reset.isdigit()]
    if not known:
        return timedelta(minutes=1)
    wait = datetime.fromtimestamp(max(known) / 1000, UTC) - datetime.now(UTC)
    return min(max(wait, _LEAST_WAIT), _MOST_WAIT)
