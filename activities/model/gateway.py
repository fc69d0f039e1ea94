"""The paid side behind Pawl's own gateway."""

from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import errors
from workflows.domain.budget import Bill
from workflows.domain.failures import Failure
from workflows.domain.session import Role
from workflows.domain.tokens import run_token
from workflows.ports.model import Model, OpenAccount, ReadBill, TopUpAccount

_UNFIT = {
    "unknown_model": Failure.UNKNOWN_MODEL,
    "unknown_tape": Failure.UNKNOWN_MODEL,
    "unknown_price": Failure.UNKNOWN_PRICE,
    "no_credentials": Failure.BAD_CREDENTIALS,
}
"""What the gateway calls a model that cannot be used; its message says what to set."""


class _Admin:
    """The gateway's admin routes. `http` has the gateway's address as its base URL."""

    def __init__(self, http: httpx.AsyncClient, secret: str) -> None:
        self._http = http
        self._headers = {"authorization": f"Bearer {secret}"}

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=body, headers=self._headers)
        except httpx.HTTPError as error:
            raise errors.from_transport("The gateway", error) from error
        if response.is_success:
            return response
        raise _unfit(response) or errors.from_response("The gateway", response)


class GatewayModel(Model):
    def __init__(self, http: httpx.AsyncClient, secret: str) -> None:
        self._admin = _Admin(http, secret)

    @activity.defn
    async def open_account(self, request: OpenAccount) -> None:
        body = {"models": list(request.models), "usd": _text(request.usd), "tokens": request.tokens}
        await self._admin.ask("PUT", _account(request.account), body)

    @activity.defn
    async def top_up_account(self, request: TopUpAccount) -> None:
        body = {"usd": _text(request.usd_ceiling), "tokens": request.tokens_ceiling}
        await self._admin.ask("PATCH", _account(request.account), body)

    @activity.defn
    async def read_bill(self, request: ReadBill) -> Bill:
        response = await self._admin.ask("GET", f"{_account(request.account)}/bill")
        return Bill.model_validate_json(response.content)


class GatewayRuns:
    """Which sessions may call the gateway. Used by agents inside their activities; every method may be repeated."""

    def __init__(self, http: httpx.AsyncClient, secret: str) -> None:
        self._admin = _Admin(http, secret)
        self._secret = secret

    async def open_run(
        self,
        session: str,
        account: str,
        role: Role,
        part: int,
        model: str,
        usd: Decimal | None = None,
        tokens: int | None = None,
    ) -> None:
        """Let the session call with this model, under ceilings of its own besides its account's.

        Raises UnknownModel, UnknownPrice, BadCredentials, each saying what to set.
        """
        body = {"account": account, "role": role.value, "part": part, "model": model}
        await self._admin.ask("PUT", _run(session), {**body, "usd": _text(usd), "tokens": tokens})

    async def close_run(self, session: str) -> None:
        """Refuse the session's further calls; what is in flight still lands and is kept."""
        await self._admin.ask("DELETE", _run(session))

    def token(self, session: str) -> str:
        """What the session shows the gateway as its API key."""
        return run_token(self._secret, session)


def _account(account: str) -> str:
    return f"/v1/accounts/{quote(account, safe='')}"


def _run(session: str) -> str:
    return f"/v1/runs/{quote(session, safe='')}"


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _unfit(response: httpx.Response) -> ApplicationError | None:
    if response.status_code != 422:
        return None
    said = cast("dict[str, str]", response.json())
    failure = _UNFIT.get(said.get("type", ""))
    return errors.stop(failure, said.get("message", "")) if failure else None
