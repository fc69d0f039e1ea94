"""The outside services of this installation, and which of their tickets go where: `connections.toml` and variables.

The file names variables, never secrets. What it says and what the environment holds make one table, read by the worker,
the ingress and commands alike; each then asks only for the secrets it needs.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from infra.exits import Misused
from infra.settings import Settings
from infra.variables import Variable
from workflows.domain.chat import SlackChannel
from workflows.domain.intake import Terms
from workflows.domain.labels import Trigger, as_trigger
from workflows.domain.routes import Route

LINEAR_URL = "https://api.linear.app/graphql"
GITHUB_URL = "https://api.github.com"
SLACK_URL = "https://slack.com/api/"


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Connection(_Told):
    """What all kinds have. Fields that end in `_env` name a variable; `secret` reads it."""

    WORKER: ClassVar[tuple[str, ...]] = ()
    """The fields whose variables only workers see."""
    INGRESS: ClassVar[tuple[str, ...]] = ()
    """Those that only the ingress sees."""
    HEARD_BY: ClassVar[tuple[str, ...]] = ("webhook_secret_env",)
    """Those of them without which nothing that comes from there is believed; one is enough."""

    def variables(self, fields: tuple[str, ...]) -> set[str]:
        return {name for field in fields if (name := getattr(self, field))}


K = TypeVar("K", bound=Connection)


class Linear(Connection):
    WORKER = ("key_env", "client_id_env", "client_secret_env")
    INGRESS = ("webhook_secret_env", "client_id_env")

    kind: Literal["linear"] = "linear"
    url: str = LINEAR_URL
    key_env: Variable = "LINEAR_API_KEY"
    client_id_env: Variable = "LINEAR_CLIENT_ID"
    client_secret_env: Variable = "LINEAR_CLIENT_SECRET"  # noqa: S105  # a variable's name
    """Of the OAuth app, which acts as itself (actor=app); with it no key is needed."""
    token_url: str = "https://api.linear.app/oauth/token"  # noqa: S105
    uploads_url: str = "https://uploads.linear.app"
    """Where files on tickets are; nothing is fetched from elsewhere."""
    webhook_secret_env: Variable = "LINEAR_WEBHOOK_SECRET"  # noqa: S105
    app_user: str = ""
    """The id of Pawl's own user: mentions of it are for us, and what it does is an echo."""


class GitHub(Connection):
    WORKER = ("token_env", "app_id_env", "private_key_env")
    INGRESS = ("webhook_secret_env",)

    kind: Literal["github"] = "github"
    url: str = GITHUB_URL
    web_url: str = "https://github.com"
    """What URLs of repositories begin with: those are pushed to and get pull requests there."""
    graphql_url: str = ""
    """Empty: beside `url`, as at github.com and GitHub Enterprise."""
    merge_method: Literal["merge", "squash", "rebase"] = "merge"
    label: Trigger = "pawl"
    """On an issue: Pawl is to work on it."""
    token_env: Variable = "PAWL_GITHUB_TOKEN"  # noqa: S105  # not GITHUB_TOKEN, which many shells hold for other ends
    app_id_env: Variable = "PAWL_GITHUB_APP_ID"
    private_key_env: Variable = "PAWL_GITHUB_PRIVATE_KEY"
    """Holds the App's key as PEM text, or the path of its file."""
    webhook_secret_env: Variable = "PAWL_GITHUB_WEBHOOK_SECRET"  # noqa: S105
    login: str = "pawl"
    """Pawl's own: exactly `NAME[bot]` for an App. It hears `@NAME`; what it says is an echo."""

    @property
    def host(self) -> str:
        return urlsplit(self.web_url).netloc.lower()

    @property
    def graphql(self) -> str:
        server = self.url.removesuffix("/v3") if self.url.endswith("/api/v3") else self.url
        return self.graphql_url or f"{server}/graphql"


class OpenProject(Connection):
    WORKER = ("key_env",)
    INGRESS = ("webhook_secret_env",)

    kind: Literal["openproject"] = "openproject"
    url: str
    field: str
    """The custom field that is Pawl's, `customField7`: docs/operate/openproject.md says how it is made."""
    user: int
    """The id of Pawl's own user."""
    statuses: dict[str, str] = Field(default_factory=dict[str, str])
    """What a phase is called there, where it has another name: `{"Todo" = "New"}`."""
    members: tuple[str, ...] = ()
    """Ids of users whose words in webhooks are acted on at once; others' wait for the next look."""
    key_env: Variable = "OPENPROJECT_API_KEY"
    webhook_secret_env: Variable = "OPENPROJECT_WEBHOOK_SECRET"  # noqa: S105
    login: str = "pawl"


class Slack(Connection):
    WORKER = ("bot_token_env",)
    INGRESS = ("signing_secret_env", "app_token_env", "bot_token_env")
    HEARD_BY = ("signing_secret_env", "app_token_env")

    kind: Literal["slack"] = "slack"
    url: str = SLACK_URL
    bot_token_env: Variable = "SLACK_BOT_TOKEN"  # noqa: S105
    signing_secret_env: Variable = "SLACK_SIGNING_SECRET"  # noqa: S105
    app_token_env: Variable = "SLACK_APP_TOKEN"  # noqa: S105
    """For socket mode, where there is no public URL."""
    ops_channel: str = ""
    """Hears of failures and of what waits too long."""
    news_channel: str = ""
    """Hears of tickets that began elsewhere; empty: nobody does."""
    team: str = ""
    """The workspace's id, T012AB3CD, and Pawl's own user there; empty: the bot token is asked."""
    bot_user: str = ""
    channels: tuple[SlackChannel, ...] = ()


AnyConnection = Annotated[Linear | GitHub | OpenProject | Slack, Field(discriminator="kind")]
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PAGE = "docs/operate/connections.md"
_TRACKERS = ("linear", "openproject")
"""Kinds that have tickets of their own without being told where."""
_IMPLIED = {"linear": ("LINEAR_API_KEY", "LINEAR_CLIENT_ID"), "github": ("PAWL_GITHUB_TOKEN", "PAWL_GITHUB_APP_ID")}
"""Kinds that a variable brings about by itself, without a file."""


class Connections(_Told):
    """The whole table."""

    connections: dict[str, AnyConnection] = Field(default_factory=dict[str, AnyConnection])
    routes: tuple[Route, ...] = ()
    poll_seconds: int = Field(default=60, ge=5, le=86_400)
    """How often every tracker is looked at for what no webhook has told."""
    digest: str = "0 9 * * 1-5"
    """When Slack's ops channel is told what waits for people, as cron has it; empty: never."""
    timezone: str = "UTC"
    author_name: str = Field(default="Pawl", min_length=1, max_length=100)
    author_email: str = Field(default="pawl@localhost", pattern=r"[^<>@\s]+@[^<>@\s]+")
    """Who changes are by, as histories of repositories show it. Pawl stays the committer."""

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name != "UTC" and name not in available_timezones():  # not every machine has a list of them
            raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin")
        return name

    @field_validator("connections")
    @classmethod
    def _have_usable_names(cls, named: dict[str, AnyConnection]) -> dict[str, AnyConnection]:
        """They stand in workflow ids, schedules and the paths of webhooks."""
        for name in named:
            if name == "board" or not _NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} cannot be the name of a connection: use small letters, digits and dashes, and not "
                    "board, which is the local one"
                )
        return named

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        known = sorted({*self.connections, "board"})
        for route in self.routes:
            as_trigger(route.label)
            if route.tracker not in known:
                raise ValueError(f"no connection is called {route.tracker!r}, as a route has it; there is: {known}")
        return self

    def of(self, kind: type[K]) -> Iterator[tuple[str, K]]:
        for name, connection in self.connections.items():
            if isinstance(connection, kind):
                yield name, connection

    def variables(self, process: Literal["worker", "ingress"]) -> set[str]:
        """The variables with secrets that a process of this kind may see."""
        found: set[str] = set()
        for one in self.connections.values():
            found |= one.variables(one.WORKER if process == "worker" else one.INGRESS)
        return found

    @property
    def trackers(self) -> set[str]:
        """What is looked at by polling: whatever a route names."""
        return {route.tracker for route in self.all_routes}

    @property
    def looked_at(self) -> set[str]:
        """What a schedule looks at: those, and every GitHub that lets us in as an app, for it can be asked to send
        again what was lost."""
        return self.trackers | {name for name, one in self.of(GitHub) if secret(one.app_id_env)}

    @property
    def all_routes(self) -> tuple[Route, ...]:
        """Those of the file, and those of Slack's channels in which tickets are kept."""
        kept = [channel.route(name) for name, slack in self.of(Slack) for channel in slack.channels]
        followed = {name for name, connection in self.connections.items() if isinstance(connection, Linear | Slack)}
        routes = (*self.routes, *(route for route in kept if route))
        return tuple(route.model_copy(update={"follow": route.tracker in followed}) for route in routes)

    def terms(self, settings: Settings) -> Terms:
        return Terms(
            routes=self.all_routes, model=settings.model, reviewer_model=settings.reviewer_model, ui=settings.ui_url
        )


class _File(_Told):
    """As it is written: what each connection says is read once its kind is known."""

    connections: dict[str, dict[str, Any]] = Field(default_factory=dict[str, dict[str, Any]])
    routes: list[dict[str, Any]] | None = None
    poll_seconds: Any = None
    digest: Any = None
    timezone: Any = None
    author_name: Any = None
    author_email: Any = None

    def kinds(self) -> dict[str, str]:
        """By connection: one that is called like a kind need not say it."""
        return {name: str(said.get("kind", name)) for name, said in self.connections.items()}


USUAL = {
    str(kind.model_fields[field].default)
    for kind in (Linear, GitHub, OpenProject, Slack)
    for field in (*kind.WORKER, *kind.INGRESS)
}
"""The variables with secrets as they are called where a file names no others."""


def secret(variable: str, environ: Mapping[str, str] = os.environ) -> SecretStr | None:
    """What a variable holds; None when it is empty or has no name."""
    value = environ.get(variable, "").strip() if variable else ""
    return SecretStr(value) if value else None


def secrets_in(variable: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Those of one webhook: several, separated by commas, are in force while one replaces another."""
    held = secret(variable, environ)
    return [one.strip() for one in held.get_secret_value().split(",") if one.strip()] if held else []


def connections_file(settings: Settings) -> Path:
    return settings.connections or settings.home / "connections.toml"


def read_connections(settings: Settings, environ: Mapping[str, str] = os.environ) -> Connections:
    """The table. Raises Misused with the file and the key that is wrong."""
    path = connections_file(settings)
    try:
        file = _File.model_validate(_toml(path, required=settings.connections is not None))
        return Connections.model_validate(_completed(file, settings, environ))
    except ValidationError as error:
        raise _misused(path, error) from error


def _completed(file: _File, settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """With what the environment brings about by itself."""
    kinds = file.kinds()
    for kind, variables in _IMPLIED.items():
        if kind not in kinds.values() and any(secret(variable, environ) for variable in variables):
            kinds[kind] = kind
    routes = file.routes
    if routes is None and settings.repository:
        trackers = [name for name, kind in kinds.items() if kind in _TRACKERS]
        routes = [{"tracker": name, "repository": settings.repository} for name in trackers]
    more = file.model_dump(exclude={"connections", "routes"}, exclude_none=True)
    told = {name: {**file.connections.get(name, {}), "kind": kind} for name, kind in kinds.items()}
    return {"connections": told, "routes": routes or [], **more}


def _toml(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise Misused(f"There is no file {path}.", "Correct PAWL_CONNECTIONS.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misused(f"{path} is not TOML: {error}.", f"{_PAGE} shows how it is written.") from error
    except OSError as error:
        raise Misused(f"{path} cannot be read ({error.strerror}).", "Check the file and its permissions.") from error


def _misused(path: Path, error: ValidationError) -> Misused:
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"]]
    if parts[:1] == ["connections"]:  # pydantic names the kind between the connection and its key
        del parts[2:3]
    where = f"{path}, key {'.'.join(parts)}" if parts else str(path)
    return Misused(f"{where}: {first['msg'].removeprefix('Value error, ')}.", f"{_PAGE} lists the keys.")
