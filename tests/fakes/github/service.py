"""A double of GitHub: its REST by the published contract, real git over HTTP, and the hands of people.

What it answers has the shape of GitHub's OpenAPI description, against which every request and reply is judged. What
that does not tell (texts of refusals, when a merge is known) follows GitHub's documentation and is otherwise a guess.
"""

import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from tests.fakes.github import ci_api, graphql, issues_api, pulls_api
from tests.fakes.github.app_api import Apps, Grant
from tests.fakes.github.calls import routes
from tests.fakes.github.git_http import GitServer
from tests.fakes.github.judge import Judge
from tests.fakes.github.world import PAWL, User, World
from tests.fakes.service import Faults, Refused, body_of, serving

TOKEN = "token-of-the-test"
APP_ID = "1"


class FakeGitHub:
    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.apps = Apps()
        self.apps.grants[TOKEN] = Grant()
        self.url = ""
        self.git = GitServer(folder, self._opens)
        self.leaks: list[str] = []
        """Where a token was shown that had no business there."""
        self.limits: list[tuple[int, dict[str, str], str]] = []
        """What the next calls are refused with: status, headers, message."""
        tables = {**ci_api.TABLE, **pulls_api.TABLE, **issues_api.TABLE, **self.apps.table}
        longest_first = dict(sorted(tables.items(), key=lambda entry: -len(entry[0][1])))
        self.judge = Judge(Starlette(routes=routes(longest_first, self.world, lambda: f"{self.url}/api", self._admit)))
        methods = ["GET", "POST"]
        app = Starlette(
            routes=[
                Mount("/api", self._as_if_at_the_root),
                Route("/graphql", self._graphql, methods=methods),
                Route("/-/logs/{owner}/{repo}/{job}", self._log),
                Route("/{path:path}", self.git.serve, methods=methods),
            ]
        )
        self.faults = Faults(app)
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def private_key(self) -> str:
        """Of the app, as GitHub hands it out."""
        form = serialization.PrivateFormat.TraditionalOpenSSL
        return self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["FakeGitHub"]:
        async with serving(self.faults) as self.url:
            yield self
        assert not self.judge.wrong, "\n".join(self.judge.wrong)
        assert not [asked for asked in self.faults.unforeseen if not asked.endswith("/merge")]  # which says 405, too
        assert not self.leaks + self.git.leaks

    async def _as_if_at_the_root(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix("/api")
        raw = scope["raw_path"].removeprefix(b"/api")
        if self.limits:
            status, headers, said = self.limits.pop(0)
            await JSONResponse({"message": said}, status, headers)(scope, receive, send)
            return
        await self.judge({**scope, "path": path, "raw_path": raw, "root_path": ""}, receive, send)

    def _opens(self, token: str, name: str) -> bool:
        grant = self.apps.grants.get(token)
        return grant is not None and not grant.revoked and (grant.repositories is None or name in grant.repositories)

    def _admit(self, request: Request, template: str) -> User:
        shown = request.headers.get("authorization", "")
        token = shown.partition(" ")[2]
        if template == "/app" or template.startswith("/app/") or template.endswith("/installation"):
            return self._admit_app(token)
        params = request.path_params
        if token not in self.apps.grants or self.apps.grants[token].revoked:
            raise Refused(401, "Bad credentials")
        if not self._opens(token, f"{params['owner']}/{params['repo']}"):
            raise Refused(404, "Not Found")
        return self.world.user(self.apps.grants[token].login)

    def _admit_app(self, token: str) -> User:
        try:
            claims: dict[str, Any] = jwt.decode(token, self._key.public_key(), algorithms=["RS256"])  # pyright: ignore[reportUnknownMemberType]
        except jwt.InvalidTokenError as error:
            raise Refused(401, "A JSON web token could not be decoded") from error
        if claims["iss"] != APP_ID or claims["exp"] - claims["iat"] > 600:
            raise Refused(401, "'Issuer' or 'Expiration time' claim is wrong")
        return self.world.user(PAWL)

    async def _graphql(self, request: Request) -> Response:
        grant = self.apps.grants.get(request.headers.get("authorization", "").partition(" ")[2])
        if grant is None:
            return JSONResponse({"message": "Bad credentials"}, 401)
        return JSONResponse(graphql.executed(self.world, await body_of(request), grant.login))

    async def _log(self, request: Request) -> Response:
        """The other place where logs are kept: it must never see a token."""
        if "authorization" in request.headers:
            self.leaks.append("a log was asked for with the token")
        wanted = int(request.path_params["job"])
        repo = self.world.repos[f"{request.path_params['owner']}/{request.path_params['repo']}"]
        job = next(job for run in repo.runs for job in run.jobs if job.id == wanted)
        return StreamingResponse((job.log.encode() for _ in range(job.times)), media_type="text/plain")


def signed(body: bytes, secret: str) -> str:
    """The value of `X-Hub-Signature-256`."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


async def send_webhook(http: httpx.AsyncClient, url: str, secret: str, event: str, guid: str, payload: Any) -> int:
    """Deliver as GitHub does: the status of the answer."""
    body = json.dumps(payload).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/0000000",
        "x-github-event": event,
        "x-github-delivery": guid,
        "x-hub-signature-256": signed(body, secret),
    }
    return (await http.post(url, content=body, headers=headers)).status_code
