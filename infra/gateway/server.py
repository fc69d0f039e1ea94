"""The gateway as a process: what it is made of, where it listens, how it ends."""

import logging
import os
import signal
import socket
import time
from types import FrameType
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
import uvicorn
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from starlette.applications import Starlette

from infra.exits import Misused, OutOfReach, Refused
from infra.gateway.accounts import Accounts
from infra.gateway.admin import Admin
from infra.gateway.app import create_app
from infra.gateway.calls import Calls
from infra.gateway.ledger import Ledger
from infra.gateway.meter import Meter
from infra.gateway.player import Tapes
from infra.gateway.prices import PriceList
from infra.gateway.providers import providers
from infra.gateway.settings import GatewaySettings
from infra.gateway.tables import TABLES
from infra.gateway.upstream import Upstream
from infra.gateway.writer import Writer
from infra.secrets import gateway_secret
from infra.settings import Settings
from infra.storage import Objects, open_engine
from workflows.domain.words import counted

_LOG = logging.getLogger("pawl.gateway")


class Patience:
    """How long the calls in flight may still take to land once the gateway was told to end."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._told_at = seconds, 0.0

    def told(self) -> None:
        self._told_at = self._told_at or time.monotonic()

    def left(self) -> float:
        gone = time.monotonic() - self._told_at if self._told_at else 0.0
        return max(0.0, self._seconds - gone)


def build(settings: Settings, own: GatewaySettings, owner: str, patience: Patience) -> Starlette:
    """The app on its ledger. Calls that an earlier gateway of this name left in flight are written off."""
    engine = _database(settings.database("gateway", settings.gateway_db_url))
    objects = Objects(settings.objects_url or settings.home / "objects")
    ledger, writer = Ledger(objects, owner), Writer(engine)
    with engine.begin() as connection:
        lost = ledger.recover(connection)
    if lost:
        _LOG.warning("In flight when the gateway died: %s, charged at the worst case.", counted(lost, "call"))
    prices = PriceList(own.prices)
    meter, tapes, vendors = Meter(prices), Tapes(objects, prices), providers(own)
    http = _client(own)
    calls = Calls(writer, ledger, Upstream(http, meter, own), vendors, tapes, meter)
    secret = gateway_secret(settings)

    async def close() -> None:
        await http.aclose()
        writer.close()
        engine.dispose()

    admin = Admin(writer, Accounts(engine), vendors, prices, tapes, secret)
    return create_app(calls, admin, secret, patience.left, close)


def serve(settings: Settings, own: GatewaySettings) -> None:
    """Listen at `gateway_url` until SIGTERM or SIGINT, then let the calls in flight land. Raises PawlError."""
    listener = _listen(settings.gateway_url)
    host, port = listener.getsockname()[:2]
    patience = Patience(settings.shutdown_seconds)
    app = build(settings, own, f"{socket.gethostname()}:{port}", patience)
    keys = ", ".join(f"{name} {'yes' if vendor.key else 'no'}" for name, vendor in providers(own).items())
    _LOG.info("Pawl's gateway listens at http://%s:%d. Keys: %s. State: %s.", host, port, keys, settings.home)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)
    _Server(config, patience).run(sockets=[listener])
    _LOG.info("Pawl's gateway has ended.")


class _Server(uvicorn.Server):
    """Waits for its callers and then for calls nobody waits for any more, both together no longer than it may."""

    def __init__(self, config: uvicorn.Config, patience: Patience) -> None:
        super().__init__(config)
        self._patience = patience

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._patience.told()
        await super().shutdown(sockets)


def _database(url: str) -> sa.Engine:
    """The ledger's engine, its tables made. Raises PawlError."""
    try:
        engine = open_engine(url)
        with engine.begin() as connection:
            TABLES.create_all(connection)
    except (ImportError, ArgumentError) as error:
        raise Misused(
            f"PAWL_GATEWAY_DB_URL cannot be used ({error}).",
            "It must be a SQLAlchemy URL, and its driver must be installed.",
        ) from error
    except (SQLAlchemyError, OSError) as error:
        place = sa.make_url(url).render_as_string(hide_password=True)
        reason = str(error).partition("\n")[0]
        raise OutOfReach(
            f"The receipts at {place} cannot be opened ({reason}).", "Check PAWL_GATEWAY_DB_URL and PAWL_HOME."
        ) from error
    return engine


def _ended(_number: int, _frame: FrameType | None) -> None:
    """uvicorn raises the signal again when it is done. Being told to end is not a failure."""


def _client(own: GatewaySettings) -> httpx.AsyncClient:
    limits = httpx.Limits(
        max_connections=own.connections, max_keepalive_connections=own.connections, keepalive_expiry=20
    )
    return httpx.AsyncClient(limits=limits, follow_redirects=False)


def _listen(url: str) -> socket.socket:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise Misused(f"PAWL_GATEWAY_URL is {url!r}.", "It must read http://host:port.")
    address = (parts.hostname, parts.port or 80)
    try:
        return socket.create_server(address, backlog=1_024)
    except OSError as error:
        raise Refused(
            f"The gateway cannot listen at {url} ({os.strerror(error.errno or 0)}).",
            "Another gateway may run there: stop it, or set PAWL_GATEWAY_URL to a free port.",
        ) from error
