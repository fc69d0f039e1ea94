"""Where the Authorization header comes from: a key, or an app's own tokens that are got anew in time."""

import asyncio
import time
from typing import Any

import httpx

from activities.errors import again, from_transport, stop
from activities.tracker.linear.client import Token
from workflows.domain.failures import Failure

TOKENS = "https://api.linear.app/oauth/token"
_EARLY = 300
"""Seconds before its end in which a token is not used any more."""


def api_key(key: str) -> Token:
    """A personal key or that of a service account: bare in the header."""

    async def given() -> str:
        return key

    return given


class AppToken:
    """An OAuth app that acts as itself (client credentials): it needs no person and no redirect. One request for all
    callers that find the token old at once."""

    def __init__(
        self, http: httpx.AsyncClient, client_id: str, secret: str, scope: str = "read,write", url: str = TOKENS
    ) -> None:
        self._http, self._url = http, url
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self._form |= {"scope": scope, "actor": "app"}
        self._token, self._until = "", 0.0
        self._turn = asyncio.Lock()

    async def __call__(self) -> str:
        async with self._turn:
            if time.monotonic() >= self._until:
                await self._renew()
        return f"Bearer {self._token}"

    async def _renew(self) -> None:
        try:
            response = await self._http.post(self._url, data=self._form)
        except httpx.HTTPError as error:
            raise from_transport("Linear's token service", error) from error
        if response.status_code == 429 or response.status_code >= 500:
            raise again(f"Linear's token service answered {response.status_code}.")
        if response.status_code != 200:  # its words may repeat what was sent
            cause = f"Linear gives the app no token: it answered {response.status_code}."
            raise stop(Failure.BAD_CREDENTIALS, cause, "Check the app's id, secret and scopes, then resume.")
        said: dict[str, Any] = response.json()
        self._token = str(said["access_token"])
        self._until = time.monotonic() + max(float(said.get("expires_in", 3600)) - _EARLY, 1)
