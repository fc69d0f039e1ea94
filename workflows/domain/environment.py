"""How a repository's commands find what they need: what is installed before, what is put in front of each."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum

from pydantic import Field, field_validator

from workflows.domain.dependencies import deciding
from workflows.domain.egress import parse
from workflows.domain.model import Record
from workflows.domain.shown import code

FLAKE = "flake.nix"
DEVCONTAINERS = (".devcontainer/devcontainer.json", ".devcontainer.json")
PACKAGE_INDEXES = (
    "pypi.org",
    "files.pythonhosted.org",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "proxy.golang.org",
    "sum.golang.org",
    "crates.io",
    "index.crates.io",
    "static.crates.io",
    "rubygems.org",
    "index.rubygems.org",
    "repo.maven.apache.org",
    "repo1.maven.org",
    "plugins.gradle.org",
    "repo.packagist.org",
)
NIX_CACHES = ("cache.nixos.org", "github.com", "api.github.com", "codeload.github.com", "*.githubusercontent.com")
_MAKE_STORE = """mkdir -p /work/nix && echo '{"version": 2, "flakes": []}' > /work/nix/registry.json"""
"""The folder is shown at /nix in every sandbox that has it."""
_NIX = {
    "NIX_CONFIG": "experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\n",
    "NIX_REMOTE": "local",
}
"""Nix's own sandbox is off because ours is on, and one user owns the store."""
_ENTER = ("nix", "develop", "--no-write-lock-file")
_REGISTRY = "/nix/registry.json"
"""An empty list of flakes known by name, so that no command asks the network for the usual one."""
_OFFLINE = (*_ENTER, "--offline", "--option", "flake-registry", _REGISTRY, "--command")


class EnvironmentKind(StrEnum):
    AUTO = "auto"
    """The first that fits: what WORKFLOW.md says, flake.nix, devcontainer.json, plain."""
    NIX = "nix"
    DEVCONTAINER = "devcontainer"
    PLAIN = "plain"


class Prepare(Record):
    """What is installed before an agent comes: once for each state of the lock files, with a network of its own."""

    run: tuple[str, ...] = ()
    """Shell lines, run at the root of the checkout of the base commit."""
    network: tuple[str, ...] | None = None
    """The allowlist while they run; None: the well-known package indexes."""
    seconds: int = Field(default=1_800, ge=1, le=7_200)
    """Wall time of each line."""
    lock_files: tuple[str, ...] = ()
    """Globs of further files that ask for a new preparation when they change."""

    @field_validator("network")
    @classmethod
    def _holds_rules(cls, rules: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return readable(rules or ()) if rules is not None else None


class Devcontainer(Record):
    """The part of a devcontainer.json that is honoured."""

    image: str = ""
    variables: dict[str, str] = Field(default_factory=dict)
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out and why, a sentence each."""


class Environment(Record):
    """How commands are run in a repository's sandboxes."""

    kind: EnvironmentKind = EnvironmentKind.PLAIN
    image: str = ""
    """Asked for by the repository's files, and used where the provider has images."""
    variables: dict[str, str] = Field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    """Words in front of every command of agents and checks."""
    install: tuple[str, ...] = ()
    """Shell lines that make the wrapper work, without it."""
    prepare: tuple[str, ...] = ()
    """Shell lines behind the wrapper."""
    network: tuple[str, ...] = ()
    """The allowlist while `install` and `prepare` run."""
    seconds: int = 1_800
    digest: str = ""
    """Differs whenever another preparation is due; empty: there is nothing to prepare."""
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For people: nix, devcontainer (image `python:3.13`), plain."""
        return f"{self.kind} (image {code(self.image)})" if self.image else str(self.kind)


def readable(rules: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError, in words, for what is no rule of an allowlist."""
    for rule in rules:
        parse(rule)
    return rules


def chosen(asked: EnvironmentKind, says_itself: bool, paths: Iterable[str]) -> EnvironmentKind:
    """The kind that holds. `says_itself`: WORKFLOW.md names an image or commands, which goes before what other files
    say."""
    if asked is not EnvironmentKind.AUTO:
        return asked
    there = set(paths)
    if says_itself:
        return EnvironmentKind.PLAIN
    if FLAKE in there:
        return EnvironmentKind.NIX
    return EnvironmentKind.DEVCONTAINER if there.intersection(DEVCONTAINERS) else EnvironmentKind.PLAIN


def environment(
    kind: EnvironmentKind, prepare: Prepare, blobs: Mapping[str, str], devcontainer: Devcontainer | None = None
) -> Environment:
    """`blobs`: every path of the base commit with the id of its content."""
    container = devcontainer or Devcontainer()
    nix = kind is EnvironmentKind.NIX
    default = (*PACKAGE_INDEXES, *NIX_CACHES) if nix else PACKAGE_INDEXES
    made = Environment(
        kind=kind,
        image=container.image,
        variables=container.variables | (_NIX if nix else {}),
        wrapper=_OFFLINE if nix else (),
        install=(_MAKE_STORE, f"{' '.join(_ENTER)} --command true") if nix else (),
        prepare=(*container.commands, *prepare.run),
        network=default if prepare.network is None else prepare.network,
        seconds=prepare.seconds,
        notes=container.notes,
    )
    if not (made.install or made.prepare):
        return made
    lines = [made.model_dump_json(exclude={"notes", "seconds"}), *deciding(blobs, made.prepare, prepare.lock_files)]
    return made.model_copy(update={"digest": hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:32]})
