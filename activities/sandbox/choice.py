"""Which provider runs the sandboxes of this installation. A vendor's library is loaded only where it is chosen."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.mounts import Mount, parse_mounts
from activities.sandbox.remote.sandbox import RemoteSandbox
from activities.sandbox.remote.vendor import Vendor
from infra.secrets import installation
from infra.settings import Settings
from workflows.domain.model import Record
from workflows.ports.sandbox import BadSpec, Sandbox


class Choice(Record):
    """What an operator has set about sandboxes."""

    settings: Settings
    installation: str
    """Tells this Pawl's sandboxes at a vendor from those of another."""
    environ: Mapping[str, str]
    """Where vendors' own settings are: keys, regions, projects."""

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


def chosen_sandbox(settings: Settings) -> Sandbox:
    """Raises BadSpec, in words for operators, for a provider that is unknown or lacks its settings or its library."""
    make = _PROVIDERS.get(settings.sandbox)
    if make is None:
        raise BadSpec(f"PAWL_SANDBOX={settings.sandbox} names no provider. There are: {', '.join(_PROVIDERS)}.")
    return make(Choice(settings=settings, installation=installation(settings), environ=dict(os.environ)))


def _bubblewrap(choice: Choice) -> Sandbox:
    settings = choice.settings
    return BubblewrapSandbox(settings.home / "sandboxes", choice.mounts, settings.sandbox_path)


def _podman(choice: Choice) -> Sandbox:
    adapter = _adapter(choice, "container_cli")
    return _remote(choice, adapter.ContainerVendor(choice.name, choice.installation, image=choice.image))


def _modal(choice: Choice) -> Sandbox:
    choice.needed("MODAL_TOKEN_ID")
    choice.needed("MODAL_TOKEN_SECRET")
    return _remote(choice, _adapter(choice, "modal_vendor").ModalVendor(choice.installation))


def _e2b(choice: Choice) -> Sandbox:
    adapter = _adapter(choice, "e2b_vendor")
    vendor = adapter.E2BVendor(
        choice.needed("E2B_API_KEY"), template=choice.image or "base", installation=choice.installation
    )
    return _remote(choice, vendor)


def _runloop(choice: Choice) -> Sandbox:
    adapter = _adapter(choice, "runloop_vendor")
    vendor = adapter.RunloopVendor(choice.needed("RUNLOOP_API_KEY"), choice.installation, image=choice.image)
    return _remote(choice, vendor)


def _remote(choice: Choice, vendor: Vendor) -> Sandbox:
    return RemoteSandbox(vendor, choice.mounts, choice.settings.sandbox_path)


def _adapter(choice: Choice, module: str) -> Any:
    """A module below activities.sandbox, with its vendor's library."""
    try:
        return import_module(f"activities.sandbox.{module}")
    except ModuleNotFoundError as error:
        raise BadSpec(
            f"PAWL_SANDBOX={choice.name} needs the library {error.name}. Install it: `uv sync --extra {choice.name}`."
        ) from error


_PROVIDERS: Mapping[str, Callable[[Choice], Sandbox]] = {
    "bubblewrap": _bubblewrap,
    "modal": _modal,
    "podman": _podman,
    "docker": _podman,
    "e2b": _e2b,
    "runloop": _runloop,
}
