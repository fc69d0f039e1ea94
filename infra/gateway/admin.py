"""The routes for worker and command line: accounts, runs, receipts, tapes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.gateway.accounts import Accounts, Conflict, RunOrder, UnknownAccount
from infra.gateway.player import TAPE, Tapes
from infra.gateway.prices import PriceList
from infra.gateway.providers import Provider
from infra.gateway.tape import TapeError
from infra.gateway.tokens import is_admin
from infra.gateway.writer import Writer

_TAPE_BYTES = 20_000_000
_MOST_TOKENS = 10**18
"""What the ledger's column holds."""
_Handler = Callable[[Request], Awaitable[Response]]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AccountOrder(_Order):
    models: tuple[str, ...] = ()
    usd: Decimal | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0, le=_MOST_TOKENS)


class TopUpOrder(_Order):
    usd: Decimal | None = Field(ge=0)
    tokens: int | None = Field(default=None, ge=0, le=_MOST_TOKENS)


class Unfit(Exception):
    """A model cannot be used as things are; the message says what to set."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Admin:
    """Every route needs the shared secret; every write may be repeated."""

    def __init__(
        self,
        writer: Writer,
        accounts: Accounts,
        providers: Mapping[str, Provider],
        prices: PriceList,
        tapes: Tapes,
        secret: str,
    ) -> None:
        self._writer = writer
        self._accounts = accounts
        self._providers = providers
        self._prices = prices
        self._tapes = tapes
        self._secret = secret

    def routes(self) -> list[Route]:
        account, run = "/v1/accounts/{account:path}", "/v1/runs/{session:path}"
        table: list[tuple[str, str, _Handler]] = [
            ("GET", f"{account}/bill", self._bill),
            ("GET", f"{account}/sessions", self._sessions),
            ("GET", f"{account}/calls", self._account_calls),
            ("PUT", account, self._open_account),
            ("PATCH", account, self._top_up),
            ("GET", f"{run}/calls", self._run_calls),
            ("PUT", run, self._open_run),
            ("DELETE", run, self._close_run),
            ("PUT", "/v1/tapes", self._keep_tape),
        ]
        return [Route(path, self._guarded(handler), methods=[method]) for method, path, handler in table]

    def _guarded(self, handler: _Handler) -> _Handler:
        async def guarded(request: Request) -> Response:
            if not is_admin(request.headers, self._secret):
                return _problem(
                    401, "bad_secret", "This is not the gateway's secret. Use PAWL_GATEWAY_SECRET or home's file."
                )
            try:
                return await handler(request)
            except Unfit as error:
                return _problem(422, error.kind, str(error))
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                place = ".".join(str(part) for part in first["loc"])
                return _problem(422, "bad_request", f"{place + ': ' if place else ''}{first['msg']}.")
            except TapeError as error:
                return _problem(422, "bad_tape", str(error))
            except UnknownAccount as error:
                return _problem(404, "unknown_account", f"The gateway has no account {str(error)!r}. Open it first.")
            except Conflict as error:
                return _problem(409, "conflict", str(error))

        return guarded

    async def _open_account(self, request: Request) -> Response:
        order = AccountOrder.model_validate_json(await request.body())
        for model in order.models:
            await asyncio.to_thread(self._check, model, order.usd is not None)
        account = request.path_params["account"]
        await self._writer.write(
            partial(self._accounts.open_account, account=account, ceiling=order.usd, tokens=order.tokens)
        )
        return JSONResponse({"account": account})

    async def _top_up(self, request: Request) -> Response:
        order = TopUpOrder.model_validate_json(await request.body())
        account = request.path_params["account"]
        top_up = partial(self._accounts.top_up, account=account, ceiling=order.usd, tokens=order.tokens)
        await self._writer.write(top_up)
        return JSONResponse({"account": account})

    async def _bill(self, request: Request) -> Response:
        bill = await asyncio.to_thread(self._accounts.bill, request.path_params["account"])
        return JSONResponse(bill.model_dump(mode="json"))

    async def _sessions(self, request: Request) -> Response:
        spent = await asyncio.to_thread(self._accounts.spend_by_session, request.path_params["account"])
        return JSONResponse({session: spend.model_dump(mode="json") for session, spend in spent.items()})

    async def _account_calls(self, request: Request) -> Response:
        return await self._receipts(account=request.path_params["account"])

    async def _run_calls(self, request: Request) -> Response:
        return await self._receipts(session=request.path_params["session"])

    async def _receipts(self, **of: str) -> Response:
        receipts = await asyncio.to_thread(self._accounts.receipts, **of)
        return JSONResponse([receipt.model_dump(mode="json") for receipt in receipts])

    async def _open_run(self, request: Request) -> Response:
        order = RunOrder.model_validate_json(await request.body())
        session = request.path_params["session"]
        ceiling = await asyncio.to_thread(self._accounts.usd_ceiling, order.account)
        await asyncio.to_thread(self._check, order.model, order.usd is not None or ceiling is not None)
        await self._writer.write(partial(self._accounts.open_run, session=session, order=order))
        return JSONResponse({"session": session})

    async def _close_run(self, request: Request) -> Response:
        session = request.path_params["session"]
        await self._writer.write(partial(self._accounts.close_run, session=session))
        return JSONResponse({"session": session})

    async def _keep_tape(self, request: Request) -> Response:
        data = await request.body()
        if len(data) > _TAPE_BYTES:
            return _problem(413, "bad_tape", f"The tape is larger than {_TAPE_BYTES:,} bytes.")
        tape = await asyncio.to_thread(self._tapes.keep, data)
        said: dict[str, Any] = {"manifest": tape.manifest.model_dump(mode="json"), "answers": len(tape.answers)}
        return JSONResponse({"tape": tape.digest, "model": f"{TAPE}:{tape.digest}", **said})

    def _check(self, model: str, dollars: bool) -> None:
        """Raises Unfit unless the model's provider, key, tape and (under a dollar ceiling) price are all here."""
        vendor, _, name = model.partition(":")
        if vendor == TAPE and name:
            if self._tapes.find(name) is None:
                raise Unfit("unknown_tape", f"The gateway has no tape {name!r}. Hand it in with PUT /v1/tapes first.")
            return
        provider = self._providers.get(vendor)
        if provider is None or not name:
            known = ", ".join([*(f"{vendor}:..." for vendor in self._providers), f"{TAPE}:..."])
            raise Unfit("unknown_model", f"The model {model!r} is not known. Name it as provider:model ({known}).")
        if not provider.key:
            raise Unfit(
                "no_credentials",
                f"The gateway has no key for {vendor}. Set {provider.key_variable} in its environment and restart it.",
            )
        if dollars and not self._prices.knows(model):
            raise Unfit(
                "unknown_price",
                f"The price of {model} is not known, so a dollar ceiling cannot hold. Set PAWL_PRICES at the gateway, "
                f'for example {{"{model}": {{"input_mtok": 3, "output_mtok": 15}}}}, or drop the dollar ceiling '
                "and set one in tokens.",
            )


def _problem(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"type": kind, "message": message}, status)
