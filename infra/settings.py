"""Everything an operator can set, read once from the environment (`PAWL_...`)."""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.exits import Misused


class Settings(BaseSettings):
    """One place for configuration. Secrets of vendors are not here: only the gateway reads them."""

    model_config = SettingsConfigDict(env_prefix="PAWL_", env_ignore_empty=True, frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".pawl")
    """Where this machine's Pawl keeps its state: databases, objects, clones, sandboxes, logs."""
    board: Path | None = None
    """Folder of the local board. Default: `board` in home."""
    forge: Path | None = None
    """Folder of the local forge's bare repositories and pull requests. Default: `forge` in home."""
    triage: Path | None = None
    """Folder of what triage remembers of each repository. Default: `triage` in home."""
    connections: Path | None = None
    """The file with outside services and routes. Default: `connections.toml` in home, if there is one."""
    repository: str = ""
    """Where tickets of a tracker are worked on, path or URL, when the file of connections names no routes."""
    ui_url: str = ""
    """Where people open the Temporal UI, if they can: cards link there."""
    ingress_host: str = "127.0.0.1"
    """The address webhooks are taken at; a public one belongs behind a proxy that speaks TLS."""
    ingress_port: int = Field(default=8378, ge=1, le=65_535)
    """Default: for another home than the usual one, a port of its own."""
    model: str = ""
    """`provider:model` for every role a repository's WORKFLOW.md does not name."""
    reviewer_model: str = ""
    """`provider:model` for reviewers; empty: the same model, in a fresh context."""
    gateway_url: str = "http://127.0.0.1:8377"
    """Where the worker and the command line find the gateway."""
    gateway_secret: str = ""
    """Shared by gateway and worker. Default: made once and kept in home, readable by the owner only."""
    journal_url: str = ""
    """SQLAlchemy URL of the journal. Default: a SQLite file in home."""
    objects_url: str = ""
    """Where large bodies live: a URL obstore understands. Default: a folder in home."""
    gateway_db_url: str = ""
    """SQLAlchemy URL of the gateway's receipts. Default: a SQLite file in home."""
    temporal_bin: Path | None = None
    """The `temporal` program that serves this machine's workflows. Default: found on PATH or fetched once."""
    sandbox: str = "bubblewrap"
    """Where untrusted work runs: bubblewrap, podman, docker, modal, e2b, daytona, runloop, northflank; or unsafe-host,
    on this machine without any (see there)."""
    sandbox_image: str = ""
    """What sandboxes are made of where the repository names nothing, for providers that have images."""
    sandbox_registries: str = ""
    """Registries besides the well-known ones that a repository's `image` may be fetched from by podman and docker here:
    `registry.example.org[:port]`, separated by commas."""
    installation: str = ""
    """Tells this Pawl's sandboxes at a vendor from those of another. Default: made once and kept in home; workers on
    several machines need the same one."""
    sandbox_mounts: str = ""
    """Host folders shown read-only inside every sandbox: `/host/dir[:/inside/dir]`, separated by commas."""
    sandbox_path: str = ""
    """Folders put in front of PATH inside the sandbox, separated by colons."""
    unsafe_host: str = ""
    """The sentence with which an operator runs untrusted work without a sandbox, where `sandbox` is unsafe-host; see
    docs/operate/sandbox.md."""
    activity_slots: int = Field(default=100, ge=1)
    """How many steps one worker runs at once."""
    cached_workflows: int = Field(default=200, ge=1)
    """How many running workflows one worker keeps in memory: a ticket and its session for every step it runs at once.
    Parked tickets beyond that cost one replay when they move."""
    spare_worker: bool = True
    """Keep a second worker process loaded and waiting, so that the death of the first costs no loading time."""
    shutdown_seconds: int = Field(default=600, ge=0)
    """How long a worker that is told to stop lets running steps finish."""

    @property
    def board_folder(self) -> Path:
        return self.board or self.home / "board"

    @property
    def forge_folder(self) -> Path:
        return self.forge or self.home / "forge"

    @property
    def triage_folder(self) -> Path:
        return self.triage or self.home / "triage"

    def database(self, name: str, configured: str) -> str:
        return configured or f"sqlite:///{self.home / name}.db"


def unusable(error: ValidationError) -> Misused:
    """What is wrong with the first setting that cannot be used, by the name of its variable."""
    first = error.errors()[0]
    name, *inside = (str(part) for part in first["loc"])
    variable = ".".join([name if name.isupper() else f"PAWL_{name.upper()}", *inside])
    reason = first["msg"].removeprefix("Value error, ")
    return Misused(f"{variable} cannot be used: {reason}.", "Correct it in the environment.")
