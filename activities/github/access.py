"""Ways to be let in at GitHub: a token, or an app's installation that is good for one repository and for an hour."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from gidgethub import GitHubException, HTTPException
from gidgethub.apps import get_jwt
from jwt import PyJWTError
from pydantic import BaseModel

from activities.errors import again, from_transport, stop
from activities.github.failures import Refused, failure_of
from activities.github.transport import Transport
from workflows.domain.failures import Failure

NEEDED: Mapping[str, str] = {
    "actions": "write",
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "read",
}
"""What an installation token may do. An app whose changes may touch `.github/workflows` needs `workflows` as well."""
_RENEW_SECONDS = 300


class Access(ABC):
    """Raises ApplicationError from every method."""

    @abstractmethod
    async def token(self, repository: str) -> str:
        """What opens `owner/name`."""

    @abstractmethod
    def forget(self, repository: str) -> bool:
        """The token was refused. Whether asking again could bring another one."""


@dataclass
class Token(Access):
    """A personal or a machine user's token."""

    secret: str = field(repr=False)

    async def token(self, repository: str) -> str:
        return self.secret

    def forget(self, repository: str) -> bool:
        return False


class _Installation(BaseModel):
    id: int


class _Granted(BaseModel):
    token: str
    expires_at: datetime


@dataclass
class App(Access):
    """A GitHub App, by the installation of each repository."""

    http: httpx.AsyncClient
    app_id: str
    private_key: str = field(repr=False)
    """PEM, as GitHub hands it out."""
    api_url: str = "https://api.github.com"
    permissions: Mapping[str, str] = field(default_factory=lambda: NEEDED)
    _granted: dict[str, _Granted] = field(default_factory=dict[str, _Granted], repr=False)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock], repr=False)

    async def token(self, repository: str) -> str:
        async with self._locks.setdefault(repository, asyncio.Lock()):
            granted = self._granted.get(repository)
            if granted is None or granted.expires_at.timestamp() - time.time() < _RENEW_SECONDS:
                granted = self._granted[repository] = await self._grant(repository)
            return granted.token

    def forget(self, repository: str) -> bool:
        return self._granted.pop(repository, None) is not None

    async def call(self, method: str, path: str, data: Mapping[str, Any] | None = None) -> tuple[Any, str | None]:
        """Call as the app itself: the answer, and the URL of the next page. Raises Refused."""
        transport = Transport(self.http, self.api_url)
        try:
            signed = get_jwt(app_id=self.app_id, private_key=self.private_key)
        except (ValueError, TypeError, PyJWTError) as error:  # TypeError: it has a passphrase
            cause = f"The private key of GitHub App {self.app_id} cannot be read: {type(error).__name__}."
            raise stop(Failure.BAD_CREDENTIALS, cause, "Give the PEM file GitHub handed out, then resume.") from None
        try:
            return await transport.call(method, path, data, jwt=signed)
        except HTTPException as error:
            raise failure_of(f"{method} {path}", error) from error
        except httpx.HTTPError as error:
            raise from_transport("GitHub", error) from error
        except (GitHubException, ValueError) as error:
            raise again(f"GitHub's answer to {method} {path} cannot be read ({type(error).__name__}).") from error

    async def _grant(self, repository: str) -> _Granted:
        try:
            found, _ = await self.call("GET", f"/repos/{repository}/installation")
            path = f"/app/installations/{_Installation.model_validate(found).id}/access_tokens"
            wanted = {"repositories": [repository.partition("/")[2]], "permissions": dict(self.permissions)}
            granted, _ = await self.call("POST", path, wanted)
            return _Granted.model_validate(granted)
        except Refused as refused:
            if refused.status == 404:
                cause = f"GitHub App {self.app_id} is not installed on {repository}, or there is no such repository."
                raise stop(Failure.BAD_CREDENTIALS, cause, "Install the app there, then resume.") from refused
            cause = f"GitHub does not let app {self.app_id} in at {repository}: {refused}"
            raise stop(Failure.BAD_CREDENTIALS, cause, "Check the app's id, key and permissions.") from refused
