"""A repository's policy: what its WORKFLOW.md says under `pawl:`, with safe defaults where it is silent."""

import re

from pydantic import Field, field_validator

from workflows.domain.budget import Budget
from workflows.domain.change import Check
from workflows.domain.environment import EnvironmentKind, Prepare, readable
from workflows.domain.model import Record


class SandboxLimits(Record):
    """What one command in the sandbox may use."""

    memory_mb: int = Field(default=2_048, ge=64)
    processes: int = Field(default=512, ge=8)
    disk_mb: int = Field(default=2_048, ge=16)
    cpus: float | None = Field(default=None, gt=0, le=64)
    """Processors of CPU time; None: a fair share of what is there."""
    seconds: int = Field(default=600, ge=1, le=7_200)
    """Wall time of one command, unless the call asks for less."""


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

    @field_validator("network")
    @classmethod
    def _holds_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        return readable(rules)


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


class Policy(Record):
    checks: tuple[Check, ...] = ()
    budget: Budget = Budget()
    models: Models = Models()
    sandbox: SandboxPolicy = SandboxPolicy()
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
