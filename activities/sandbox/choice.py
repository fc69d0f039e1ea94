"""Which provider runs the sandboxes of this installation. A vendor's library is loaded only where it is chosen."""

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any

import httpx

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.container_images import ContainerImages
from activities.sandbox.mounts import Mount, parse_mounts
from activities.sandbox.remote.sandbox import RemoteSandbox
from activities.sandbox.remote.vendor import Vendor
from activities.sandbox.unsafe_host import UnsafeHost
from infra.secrets import installation
from infra.settings import Settings
from workflows.domain.images import REGISTRIES
from workflows.domain.model import Record
from workflows.ports.sandbox import BadSpec, Sandbox, Witness


class Choice(Record):
    """What an operator has set about sandboxes."""

    settings: Settings
    installation: str
    """Tells this Pawl's sandboxes at a vendor from those of another."""
    environ: Mapping[str, str]
    """Where vendors' own settings are: keys, regions, projects."""
    witness: Witness | None = None

    @property
    def name(self) -> str:
        return self.settings.sandbox

    @property
    def image(self) -> str:
        return self.settings.sandbox_image

    @property
    def mounts(self) -> tuple[Mount, ...]:
        try:
            return parse_mounts(self.settings.sandbox_mounts)
        except BadSpec as error:
            raise BadSpec(f"PAWL_SANDBOX_MOUNTS cannot be used. {error}") from error

    def needed(self, variable: str) -> str:
        """Raises BadSpec when it is not set."""
        if value := self.environ.get(variable, ""):
            return value
        raise BadSpec(f"PAWL_SANDBOX={self.name} needs {variable}. Set it, or choose another provider.")

    def accepts(self, variable: str) -> bool:
        """Whether it says `yes`; unset is no. Raises BadSpec for any other word."""
        value = self.environ.get(variable, "")
        if value not in ("", "yes", "no"):
            raise BadSpec(f"{variable}={value} says neither yes nor no. Write one of them, or leave it away.")
        return value == "yes"


async def chosen_sandbox(settings: Settings, witness: Witness | None = None) -> Sandbox:
    """`witness` is told of decisions before they are removed, where the provider tells any.

    Raises BadSpec, in words for operators, for a provider that is unknown or lacks its settings or its library, and
    Refused for one that does not work on this machine.
    """
    make = _PROVIDERS.get(settings.sandbox)
    if make is None:
        raise BadSpec(f"PAWL_SANDBOX={settings.sandbox} names no provider. There are: {', '.join(_PROVIDERS)}.")
    choice = Choice(settings=settings, installation=installation(settings), environ=dict(os.environ), witness=witness)
    made = await make(choice)
    sandbox = made if isinstance(made, Sandbox) else RemoteSandbox(made, choice.mounts, settings.sandbox_path)
    sandbox.surroundings = json.dumps([settings.sandbox_image, settings.sandbox_mounts, settings.sandbox_path])
    return sandbox


async def _bubblewrap(choice: Choice) -> Sandbox:
    settings = choice.settings
    root = settings.home / "sandboxes"
    return BubblewrapSandbox(root, choice.mounts, settings.sandbox_path, witness=choice.witness)


async def _unsafe_host(choice: Choice) -> Sandbox:
    settings = choice.settings
    root, audit = settings.home / "sandboxes", settings.home / "unsafe-host.jsonl"
    return UnsafeHost(root, audit, settings.unsafe_host, settings.sandbox_path)


async def _container(choice: Choice) -> Vendor:
    if not choice.image:
        raise BadSpec(
            f"PAWL_SANDBOX={choice.name} needs PAWL_SANDBOX_IMAGE: an image with sh, git and python3, such as "
            "docker.io/library/python:3.13-bookworm."
        )
    registries = (*REGISTRIES, *choice.settings.sandbox_registries.replace(",", " ").split())
    images = ContainerImages(choice.image, choice.installation, registries)
    return await _adapter(choice, "container_cli").connected(choice.name, images)


async def _modal(choice: Choice) -> Vendor:
    choice.needed("MODAL_TOKEN_ID")
    choice.needed("MODAL_TOKEN_SECRET")
    every_port = choice.accepts("MODAL_EVERY_PORT")
    return _adapter(choice, "modal_vendor").ModalVendor(choice.installation, image=choice.image, every_port=every_port)


async def _e2b(choice: Choice) -> Vendor:
    return _adapter(choice, "e2b_vendor").E2BVendor(
        choice.needed("E2B_API_KEY"),
        template=choice.image or "base",
        installation=choice.installation,
        domain=choice.environ.get("E2B_DOMAIN"),
    )


async def _daytona(choice: Choice) -> Vendor:
    calls = _adapter(choice, "daytona_calls")
    url = choice.environ.get("DAYTONA_API_URL", calls.URL)
    return _adapter(choice, "daytona_vendor").DaytonaVendor(
        calls.DaytonaCalls(httpx.AsyncClient(), choice.needed("DAYTONA_API_KEY"), url),
        image=choice.image,
        target=choice.environ.get("DAYTONA_TARGET", ""),
        installation=choice.installation,
    )


async def _runloop(choice: Choice) -> Vendor:
    key = choice.needed("RUNLOOP_API_KEY")
    every_port = choice.accepts("RUNLOOP_EVERY_PORT")
    return _adapter(choice, "runloop_vendor").RunloopVendor(
        key, choice.installation, image=choice.image, every_port=every_port
    )


async def _northflank(choice: Choice) -> Vendor:
    if not choice.image:
        raise BadSpec("PAWL_SANDBOX=northflank needs PAWL_SANDBOX_IMAGE: an image with sh, git and python3.")
    return _adapter(choice, "northflank_vendor").NorthflankVendor(
        choice.needed("NORTHFLANK_API_TOKEN"),
        choice.installation,
        project=choice.needed("NORTHFLANK_PROJECT"),
        policy=choice.needed("NORTHFLANK_POLICY"),
        image=choice.image,
        tags=tuple(choice.environ.get("NORTHFLANK_TAGS", "").split()),
    )


def _adapter(choice: Choice, module: str) -> Any:
    """A module below activities.sandbox, with its vendor's library."""
    try:
        return import_module(f"activities.sandbox.{module}")
    except ModuleNotFoundError as error:
        raise BadSpec(
            f"PAWL_SANDBOX={choice.name} needs the library {error.name}. `make setup` installs it; into another Python "
            f"environment: `pip install -e '.[{choice.name}]'` in Pawl's folder."
        ) from error


_PROVIDERS: Mapping[str, Callable[[Choice], Awaitable[Sandbox | Vendor]]] = {
    "bubblewrap": _bubblewrap,
    "modal": _modal,
    "podman": _container,
    "docker": _container,
    "e2b": _e2b,
    "daytona": _daytona,
    "runloop": _runloop,
    "northflank": _northflank,
    "unsafe-host": _unsafe_host,
}
