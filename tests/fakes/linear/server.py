"""The double of Linear over HTTP: keys, limits, faults by operation, and what people do in the middle."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, parse, validate
from graphql.execution import execute_sync  # pyright: ignore[reportUnknownVariableType]
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.fakes.linear.costs import MOST, cost_of
from tests.fakes.linear.deliveries import Telling
from tests.fakes.linear.rows import Refused, Row
from tests.fakes.linear.schema import linear_schema, resolve
from tests.fakes.service import Faults

KEY = "the-key-of-the-test"
TOKEN = "the-token-of-the-test"
_TYPES = {
    "AUTHENTICATION_ERROR": "authentication error",
    "INPUT_ERROR": "invalid input",
    "RATELIMITED": "ratelimited",
    "GRAPHQL_VALIDATION_FAILED": "graphql error",
}
"""What Linear's own client knows errors by."""


class FakeLinear(Telling):
    """`asked` are the operations in order. `meanwhile` has somebody do something before or after the next one of a
    name. `faults` are those of tests/fakes/service.py, with `graphql <operation>` as the place."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.costs: dict[str, float] = {}
        self.unforeseen: list[str] = []
        self.requests_left = 5000
        self.reset_in = timedelta(hours=1)
        self.limited = ""
        """The operation that is over its own limit."""
        self.lifetime = 3600
        self.files: dict[str, tuple[str, bytes]] = {}
        self._meanwhile: list[tuple[str, bool, Callable[[], Any]]] = []
        self.tokens = {KEY, f"Bearer {TOKEN}"}
        self.http = Faults(
            Starlette(
                routes=[
                    Route("/graphql", self._graphql, methods=["POST"]),
                    Route("/files/{name}", self._file, methods=["GET"]),
                    Route("/oauth/token", self._token, methods=["POST"]),
                ]
            )
        )
        self.grants: list[Row] = []

    def meanwhile(self, operation: str, hand: Callable[[], Any], *, after: bool = False) -> None:
        self._meanwhile.append((operation, after, hand))

    async def _graphql(self, request: Request) -> Response:
        if request.headers.get("authorization") not in self.tokens:
            return self._no(401, "Authentication required, not authenticated", "AUTHENTICATION_ERROR")
        if self.requests_left <= 0:
            return self._no(400, "Rate limit exceeded", "RATELIMITED")
        self.requests_left -= 1
        body: Row = json.loads(await request.body())
        document = _parsed(body["query"])
        name = _operation(document)
        self.asked.append(name)
        fault = self.http.due(f"graphql {name}")
        if name == self.limited:
            return self._no(400, "Rate limit exceeded", "RATELIMITED")
        if fault and not fault.after:
            return Response(fault.body, fault.status) if fault.status else Cut()
        self._others(name, after=False)
        response = self._answer(name, document, body.get("variables") or {})
        self._others(name, after=True)
        if fault:
            return Response(fault.body, fault.status) if fault.status else Cut()
        return response

    def _answer(self, name: str, document: DocumentNode, variables: Row) -> Response:
        if wrong := _wrong_with(document):
            return self._no(400, wrong, "GRAPHQL_VALIDATION_FAILED")
        self.costs[name] = cost = cost_of(document, variables)
        if cost > MOST:
            return self._no(400, f"Query too complex: {cost}", "INPUT_ERROR")
        result = execute_sync(linear_schema(), document, self.root, self, variables, field_resolver=resolve)
        body: Row = {"data": result.data}
        if result.errors:
            body["errors"] = [self._error(error) for error in result.errors]
        return JSONResponse(body, headers={**self._limits(), "X-Complexity": f"{cost:.0f}"})

    def _error(self, error: GraphQLError) -> Row:
        code = error.original_error.code if isinstance(error.original_error, Refused) else "INTERNAL"
        if code in ("UNFORESEEN", "INTERNAL"):
            self.unforeseen.append(str(error))
        return {"message": error.message, "path": error.path, "extensions": _extensions(code)}

    def _others(self, name: str, *, after: bool) -> None:
        for each in [each for each in self._meanwhile if each[:2] == (name, after)]:
            self._meanwhile.remove(each)
            each[2]()

    def _no(self, status: int, message: str, code: str) -> Response:
        body = {"errors": [{"message": message, "extensions": _extensions(code)}]}
        return JSONResponse(body, status, headers=self._limits())

    def _limits(self) -> dict[str, str]:
        left = {"X-RateLimit-Requests-Limit": "5000", "X-RateLimit-Requests-Remaining": str(self.requests_left)}
        reset = f"{(datetime.now(UTC) + self.reset_in).timestamp() * 1000:.0f}"
        return {**left, "X-RateLimit-Requests-Reset": reset, "X-RateLimit-Complexity-Remaining": "2000000"}

    async def _file(self, request: Request) -> Response:
        if request.headers.get("authorization") not in self.tokens:
            return Response(status_code=401)
        kind, data = self.files.get(request.path_params["name"], ("", b""))
        return Response(data, media_type=kind) if kind else Response(status_code=404)

    async def _token(self, request: Request) -> Response:
        form: Row = dict(parse_qsl((await request.body()).decode()))
        self.grants.append(form)
        if form.get("client_secret") != "the-secret-of-the-test":
            return JSONResponse({"error": "invalid_client"}, 401)
        token = f"token-{len(self.grants)}"
        self.tokens.add(f"Bearer {token}")
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime})


def _extensions(code: str) -> Row:
    return {"code": code, "type": _TYPES.get(code, "other"), "userError": code == "INPUT_ERROR"}


class Cut(Response):
    """A connection that breaks in the middle of the reply."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionResetError("cut on purpose")


_parsed = cache(parse)


@cache
def _wrong_with(document: DocumentNode) -> str:
    return "; ".join(map(str, validate(linear_schema(), document)))


def _operation(document: DocumentNode) -> str:
    """The first field it asks for: documents are known by what they do, not by what somebody calls them."""
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return operation.selection_set.selections[0].name.value  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
