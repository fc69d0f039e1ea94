"""The vendors whose services have a double of HTTP here."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from activities.sandbox.daytona_calls import DaytonaCalls
from activities.sandbox.daytona_vendor import DaytonaVendor
from activities.sandbox.e2b_vendor import E2BVendor
from activities.sandbox.remote.sandbox import RemoteSandbox
from activities.sandbox.remote.vendor import Vendor
from tests.fakes import daytona, e2b
from tests.fakes.service import Faults
from workflows.ports.sandbox import Sandbox


@dataclass
class Double:
    """A service that runs, as tests of any vendor see it."""

    url: str
    http: Faults
    sandboxes: Callable[[], int]
    lose: Callable[[str], Awaitable[None]]
    """End a sandbox behind our back."""


@dataclass
class WebVendor:
    vendor: Callable[[str, str, str], Vendor]
    """The adapter as a worker has it: the service's URL, the key, the installation's name."""
    key: str
    creation: str
    """What is asked of the service for a sandbox."""
    double: Callable[[Path], AbstractAsyncContextManager[Double]]

    def open(self, root: Path) -> Sandbox:
        """What any process has of the service that is `serving` this folder."""
        return RemoteSandbox(self.vendor((root / "url").read_text(), self.key, "pawl"))

    @asynccontextmanager
    async def serving(self, root: Path) -> AsyncGenerator[None]:
        root.mkdir()
        async with self.double(root) as double:
            (root / "url").write_text(double.url)
            yield


def _e2b_vendor(url: str, key: str, installation: str) -> Vendor:
    return E2BVendor(key, installation=installation, api_url=url, sandbox_url=url)


@asynccontextmanager
async def _e2b_double(folder: Path) -> AsyncGenerator[Double]:
    async with e2b.running(folder) as service:

        async def lose(instance: str) -> None:
            service.sandboxes[instance].ends = 0

        yield Double(service.url, service.http, lambda: len(service.sandboxes), lose)


def _daytona_vendor(url: str, key: str, installation: str) -> Vendor:
    nothing_to_close = httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0))
    return DaytonaVendor(DaytonaCalls(nothing_to_close, key, f"{url}/api"), installation=installation)


@asynccontextmanager
async def _daytona_double(folder: Path) -> AsyncGenerator[Double]:
    async with daytona.running(folder) as service:
        yield Double(service.url, service.http, lambda: len(service.sandboxes), service.stop)


WEB_VENDORS = {
    "e2b": WebVendor(_e2b_vendor, e2b.KEY, "POST /v2/sandboxes", _e2b_double),
    "daytona": WebVendor(_daytona_vendor, daytona.KEY, "POST /api/sandbox", _daytona_double),
}
