"""A repository's policy: what its WORKFLOW.md says under `pawl:`, with safe defaults where it is silent."""

import re

from pydantic import Field, field_validator

from workflows.domain.budget import Budget
from workflows.domain.change import Check
from workflows.domain.environment import EnvironmentKind, Prepare, readable
from workflows.domain.gates import Gates
from workflows.domain.globs import require_globs
from workflows.domain.model import Record
from workflows.domain.triage import TriagePolicy


class SandboxLimits(Record):
    """What one command in the sandbox may use."""

    memory_mb: int = Field(default=2_048, ge=64)
    processes: int = Field(default=512, ge=8)
    disk_mb: int = Field(default=2_048, ge=16)
    cpus: float | None = Field(default=None, gt=0, le=64)
    """Processors of CPU time; None: a fair share of what is there."""
    seconds: int = Field(default=600, ge=1, le=7_200)
    """Wall time of one command, unless the call asks for less."""


MOST = {"memory_mb": 1_048_576, "processes": 65_536, "disk_mb": 1_048_576}
"""What a WORKFLOW.md may ask for at most. No bounds of the model: what a ticket under way has stored stays readable."""


class SandboxPolicy(SandboxLimits):
    """What a repository asks of the sandboxes its work runs in."""

    image: str = ""
    """A provider's image by name; empty: its default."""
    environment: EnvironmentKind = EnvironmentKind.AUTO
    network: tuple[str, ...] = ()
    """The allowlist of agents and checks, rules as `workflows.domain.egress` reads them; empty: nothing."""
    lifetime_seconds: int = Field(default=86_400, ge=300, le=86_400)
    """How old a sandbox gets at most."""
    idle_seconds: int = Field(default=3_600, ge=60, le=86_400)
    """How long a sandbox lives without being asked for anything."""
    require_hard_limits: bool = False
    """Refuse sandboxes whose memory, processes and CPU the kernel does not cap."""
    prepare: Prepare = Prepare()
    propose_flake: bool = False
    """Whether pull requests of a repository without an environment of its own propose a flake.nix to paste."""

    @field_validator("network")
    @classmethod
    def _holds_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        return readable(rules)


class ChangeLimits(Record):
    """How large a change may be that is pushed. What is larger goes back to the agent."""

    max_files: int = Field(default=500, ge=1, le=20_000)
    max_lines: int = Field(default=20_000, ge=1)
    """Added and deleted lines of text files."""
    max_file_mb: int = Field(default=5, ge=1, le=50)
    """MiB of one new or changed file."""
    max_mb: int = Field(default=25, ge=1, le=256)
    """MiB of all new and changed files together."""


class ProtectedPaths(Record):
    """Which files a person must approve before they are pushed, beside those of `workflows.domain.protected`."""

    paths: tuple[str, ...] = Field(default=(), max_length=200)
    """Further globs."""
    allow: tuple[str, ...] = Field(default=(), max_length=200)
    """Globs of exceptions, which win."""
    lock_files: bool = False
    """Whether lock files of package managers are protected, too."""

    @field_validator("paths", "allow")
    @classmethod
    def _hold_globs(cls, globs: tuple[str, ...]) -> tuple[str, ...]:
        return require_globs(globs)


class SecretScan(Record):
    """What the scan of the added lines passes over."""

    allow: tuple[str, ...] = Field(default=(), max_length=200)
    """Globs of files that are not scanned, such as test keys."""
    allow_markers: bool = False
    """Whether a scanner's marker on a line settles it. Else a person decides on lines that an agent has marked."""

    @field_validator("allow")
    @classmethod
    def _hold_globs(cls, globs: tuple[str, ...]) -> tuple[str, ...]:
        return require_globs(globs)


_WORD = r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*"
_BRANCH_PREFIX = re.compile(rf"({_WORD}/)*({_WORD}[.-]?)?")

PROVIDERS = ("anthropic", "openai", "openai-chat", "tape")
"""What stands before the colon of a model's name."""


class Models(Record):
    """Model per role, as `provider:model`. A role that is not named uses the ticket's model."""

    planner: str = ""
    builder: str = ""
    reviewer: str = ""
    fixer: str = ""


class PullRequestPolicy(Record):
    """How pull requests are opened."""

    draft: bool = True
    """As a draft until Pawl's own review is done: nobody is asked to read what a fixer may still change."""
    labels: tuple[str, ...] = Field(default=("pawl",), max_length=20)


class MergePolicy(Record):
    """What a merge waits for beside a person's approval."""

    require_ci: bool = True
    """Green CI, where any has reported."""


class Policy(Record):
    checks: tuple[Check, ...] = ()
    budget: Budget = Budget()
    models: Models = Models()
    sandbox: SandboxPolicy = SandboxPolicy()
    change: ChangeLimits = ChangeLimits()
    protected: ProtectedPaths = ProtectedPaths()
    secrets: SecretScan = SecretScan()
    gates: Gates = Gates()
    pull_request: PullRequestPolicy = PullRequestPolicy()
    merge: MergePolicy = MergePolicy()
    triage: TriagePolicy = TriagePolicy()
    branch_prefix: str = Field(default="pawl/", max_length=40)
    source: str = "defaults (the repository has no WORKFLOW.md)"
    """Where the policy came from, for people."""

    @field_validator("branch_prefix")
    @classmethod
    def _begins_a_branch(cls, prefix: str) -> str:
        """What git takes as the beginning of a branch's name (git-check-ref-format), and shells take unquoted."""
        if not _BRANCH_PREFIX.fullmatch(prefix) or ".lock/" in prefix:
            raise ValueError(
                f"{prefix!r} cannot begin the name of a branch: use words of letters, digits, dashes, underscores and "
                "single dots, separated by slashes, such as 'pawl/'"
            )
        return prefix
