"""Every request and reply held against GitHub's published contract; a test ends by asking what was wrong."""

from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.paths.exceptions import PathNotFound
from openapi_core.templating.responses.exceptions import ResponseNotFound
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.fakes.github.shapes import contract

_HOST = "https://api.github.com"
_ANYWHERE = {401, 403, 404, 429, 500, 502, 503}
"""What GitHub answers everywhere, listed in the contract or not."""


@cache
def _rules() -> OpenAPI:
    unchecked = Config(spec_validator_cls=None)  # pyright: ignore[reportArgumentType]  # GitHub's, and it takes seconds
    return OpenAPI.from_dict(contract(), unchecked)


class _Asked:
    def __init__(self, scope: Scope, body: bytes) -> None:
        headers = Headers([(name.decode(), value.decode()) for name, value in scope["headers"]])
        self.host_url = _HOST
        self.path: str = scope["raw_path"].decode()
        self.method: str = scope["method"].lower()
        self.content_type = headers.get("content-type", "application/json")
        self.body = body or None
        query = parse_qsl(scope["query_string"].decode())
        self.parameters = RequestParameters(
            path={}, query=ImmutableMultiDict(query), header=headers, cookie=ImmutableMultiDict()
        )


class _Answered:
    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], data: bytes) -> None:
        self.status_code = status
        self.headers = Headers([(name.decode(), value.decode()) for name, value in headers])
        self.content_type = self.headers.get("content-type", "")
        self.data = data


class Judge:
    """Around the part of a double that speaks REST."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.wrong: list[str] = []
        self.judged = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole(receive)
        head: dict[str, Any] = {}
        data = bytearray()

        async def hear(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                data.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, _given(body), hear)
        asked = _Asked(scope, body)
        answered = _Answered(head["status"], head["headers"], bytes(data))
        self._judge(f"{scope['method']} {asked.path}", asked, answered)

    def _judge(self, name: str, asked: _Asked, answered: _Answered) -> None:
        self.judged += 1
        try:
            if answered.status_code not in (400, 404, 422):  # a test may well ask for what cannot be
                _rules().validate_request(asked)
            _rules().validate_response(asked, answered)
        except (ResponseNotFound, PathNotFound) as error:
            if answered.status_code not in _ANYWHERE:
                self.wrong.append(f"{name}: {error}")
        except Exception as error:  # whatever it is, the test shall tell it
            self.wrong.append(f"{name} -> {answered.status_code}: {_reason(error)}"[:2_000])


def _reason(error: Exception) -> str:
    """Where a value does not fit, without the whole of it."""
    found: list[Any] = list(getattr(error.__cause__, "schema_errors", ()))
    places = [f"{'.'.join(str(part) for part in one.absolute_path)}: {one.message[:300]}" for one in found]
    return "; ".join(places) or f"{error!r} {error.__cause__!r}"


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _given(body: bytes) -> Callable[[], Any]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
