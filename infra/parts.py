"""The parts of a stack, and what each of them sees of the environment: the settings, and only its own keys."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr
from temporalio.envconfig import ClientConfig

from infra import home
from infra.connections import USUAL, read_connections
from infra.connections_keys import is_heard
from infra.gateway.settings import GatewaySettings
from infra.settings import Settings

ROOT = Path(__file__).resolve().parent.parent

PROVIDER_KEYS = frozenset(
    str(field.validation_alias)
    for field in GatewaySettings.model_fields.values()
    if field.annotation is SecretStr and field.validation_alias
) | {"ANTHROPIC_AUTH_TOKEN", "PAWL_GATEWAY_DB_URL"}
"""Variables that only the gateway sees."""

SANDBOX_VENDORS = ("MODAL_", "E2B_", "DAYTONA_", "RUNLOOP_", "NORTHFLANK_")
"""What the names of sandbox vendors' own settings begin with, keys among them."""


class Part(StrEnum):
    SERVER = "server"
    GATEWAY = "gateway"
    WORKER = "worker"
    INGRESS = "ingress"


ARENAS = "2"
"""Of glibc's allocator. By default every thread may have its own, which keeps a good part of what others freed."""


def environment(settings: Settings, part: Part, inherited: Mapping[str, str]) -> dict[str, str]:
    """What one part sees: the settings by name, where this home's server and gateway are, and the keys it needs."""
    given = {
        f"PAWL_{name.upper()}": str(value)
        for name, value in settings.model_dump(exclude_unset=True).items()
        if value is not None
    }
    where = {"PAWL_HOME": str(settings.home.absolute()), "PAWL_GATEWAY_URL": settings.gateway_url}
    server = home.server_file(settings)
    if server is not None and not server_is_elsewhere():
        where["TEMPORAL_ADDRESS"] = server.address
    seen = {**inherited, **given, **where, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": ARENAS}
    hidden = _hidden(settings, part, inherited)
    return {name: value for name, value in seen.items() if name not in hidden and not name.startswith(_NOT_FOR[part])}


_NOT_FOR: Mapping[Part, tuple[str, ...]] = {part: () if part is Part.WORKER else SANDBOX_VENDORS for part in Part}


def _hidden(settings: Settings, part: Part, inherited: Mapping[str, str]) -> frozenset[str]:
    """Keys of models are the gateway's, those of trackers and forges the worker's, the secrets of webhooks the
    ingress's; nobody else gets any."""
    table = read_connections(settings, inherited)
    others = {Part.WORKER: table.variables("worker"), Part.INGRESS: table.variables("ingress")}
    secrets = PROVIDER_KEYS | USUAL | others[Part.WORKER] | others[Part.INGRESS]
    return secrets - (PROVIDER_KEYS if part is Part.GATEWAY else others.get(part, set()))


def takes_webhooks(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether any connection can be told anything: a secret is there that signs it."""
    return any(is_heard(one, environ) for one in read_connections(settings, environ).connections.values())


def server_is_elsewhere() -> bool:
    """Whether the environment names a Temporal server, so that none is started here."""
    return bool(ClientConfig.load_client_connect_config().get("target_host"))


def absolute(settings: Settings) -> Settings:
    """The settings with absolute folders: the parts run in another working directory than the caller."""
    paths = {
        name: value.absolute()
        for name, value in ((name, getattr(settings, name)) for name in settings.model_fields_set | {"home"})
        if isinstance(value, Path)
    }
    return settings.model_copy(update=paths)
