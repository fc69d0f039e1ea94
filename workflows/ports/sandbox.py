"""Where untrusted work runs: nine methods every provider offers in the same meaning, and one to clean up after them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from workflows.domain.egress import parse
from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits

OURS: Mapping[str, str] = {"owner": "pawl"}
"""Labels of every sandbox that a ticket's work runs in."""


class Network(StrEnum):
    NONE = "none"
    CIDR = "cidr"
    DOMAIN = "domain"


class Capabilities(Record):
    """What a provider can enforce. A spec that asks for more is refused with PolicyUnsupported, never weakened."""

    network: Network
    kill: bool
    snapshot: bool
    hard_limits: bool
    """Whether memory, processes and CPU are capped by the kernel for the whole tree."""
    images: bool = False
    """Whether it has images that `spec.image` may name."""
    cost: bool = False
    """Whether `list` says what a sandbox has cost."""
    tier: str
    """The protection in force, in words: `bubblewrap, spare uid, cgroup`."""


class SandboxSpec(Record):
    key: str = Field(pattern=r"^[A-Za-z0-9._-]{1,120}$")
    """The same key is the same sandbox."""
    limits: SandboxLimits = SandboxLimits()
    labels: dict[str, str] = Field(default_factory=dict)
    image: str = ""
    """By name, as the repository writes it; empty: the provider's default. No reference of a snapshot is read here."""
    snapshot: str = ""
    """A reference that `snapshot` has given out, as the journal has it: it goes before the image."""
    egress: tuple[str, ...] = ()
    """The allowlist of what the sandbox may reach, rules as `workflows.domain.egress` reads them; empty: nothing."""
    lifetime_seconds: int = 86_400
    idle_seconds: int = 3_600
    """Without being asked for anything, and without a running job."""
    require_hard_limits: bool = False


class SandboxRef(Record):
    key: str
    instance: str
    """Differs for every sandbox ever made: a new instance under an old key has lost the old one's files."""


class Command(Record):
    argv: tuple[str, ...]
    cwd: str = "/work"
    env: dict[str, str] = Field(default_factory=dict)
    """Never secrets: whatever is here, the untrusted code reads."""
    stdin: bytes = b""
    timeout_seconds: float = 120


class JobState(StrEnum):
    RUNNING = "running"
    EXITED = "exited"


class ExitReason(StrEnum):
    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMEOUT = "timeout"
    OOM = "oom"
    DISK = "disk"
    KILLED = "killed"
    """We killed it."""
    GONE = "gone"
    """What ran it is gone, and with it the truth about how it ended."""


class JobView(Record):
    state: JobState
    out: bytes = b""
    """Standard output from the asked offset on; standard error is in it, in order, unless the job kept them apart."""
    err: bytes = b""
    out_next: int = 0
    err_next: int = 0
    truncated: bool = False
    """The output went over its cap: what is kept is the head and what came last is dropped."""
    reason: ExitReason | None = None
    code: int | None = None
    """Exit code, or signal number for SIGNALLED."""
    egress: str = ""
    """What the allowlist decided and how many bytes went through, a line of JSON each, once the job has ended; empty
    also where the provider does not tell."""


class Decisions(Record):
    """What the allowlist of a sandbox decided about one job, of a sandbox that is about to be removed."""

    labels: dict[str, str]
    """The sandbox's."""
    instance: str
    job: str
    egress: str
    """As in JobView."""


Witness = Callable[[Decisions], None]
"""Keeps decisions for good; blocks. Where it raises, what it was told of is not removed, and it is told again."""


class SandboxInfo(Record):
    ref: SandboxRef
    labels: dict[str, str]
    created: datetime
    usd: str | None = None


class SandboxError(Exception):
    """Base of what a provider raises. Its message is for people."""


class Transient(SandboxError):
    """May work in a moment."""


class Capacity(SandboxError):
    """The provider is full; try later."""


class Gone(SandboxError):
    """The sandbox does not exist any more: make another from base commit and kept state."""


class Denied(SandboxError):
    """The provider refuses us, or a path leads out of the sandbox."""


class BadSpec(SandboxError):
    """The request makes no sense to the provider."""


class PolicyUnsupported(SandboxError):
    """The provider cannot enforce what was asked. Never weakened silently."""


def require_supported(spec: SandboxSpec, capabilities: Capabilities) -> None:
    """For every provider's `ensure`. Raises BadSpec for an allowlist that cannot be read, PolicyUnsupported for what
    this provider cannot enforce or has not."""
    try:
        rules = [parse(rule) for rule in spec.egress]
    except ValueError as error:
        raise BadSpec(f"The network allowlist cannot be read: {error}") from error
    if spec.image and not spec.snapshot and not capabilities.images:
        raise PolicyUnsupported(
            f"{capabilities.tier} has no images, and the repository asks for {spec.image[:80]!r}. Leave "
            "`pawl.sandbox.image` out of WORKFLOW.md, or run the worker with a provider that has images (PAWL_SANDBOX)."
        )
    by_name = [rule.text for rule in rules if rule.block is None]
    if rules and capabilities.network is Network.NONE:
        raise PolicyUnsupported(f"{capabilities.tier} gives no network, and the allowlist names {rules[0].text}.")
    if by_name and capabilities.network is Network.CIDR:
        raise PolicyUnsupported(f"{capabilities.tier} cannot allow hosts by name, and the allowlist has {by_name[0]}.")
    if not capabilities.hard_limits and (spec.require_hard_limits or spec.limits.cpus is not None):
        asked = "require_hard_limits" if spec.require_hard_limits else f"cpus: {spec.limits.cpus:g}"
        raise PolicyUnsupported(
            f"{capabilities.tier} cannot cap memory, processes and CPU for certain, and the repository asks for "
            f"`{asked}` (pawl.sandbox of WORKFLOW.md)."
        )


class Sandbox(ABC):
    """A sandbox provider. `start` is safe to repeat: one job id is one run, however often and from wherever."""

    name: str
    surroundings: str = ""
    """What every sandbox has from the operator, in any words: they differ whenever that differs."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @abstractmethod
    async def ensure(self, spec: SandboxSpec) -> SandboxRef:
        """Create, or attach by `spec.key`. Raises PolicyUnsupported, BadSpec (an image name that is none), Gone (the
        snapshot `spec.snapshot` was removed: make another), Capacity, Transient."""

    @abstractmethod
    async def start(self, ref: SandboxRef, job: str, command: Command) -> None:
        """Start a job; a second start of the same id is a no-op. Raises Gone."""

    @abstractmethod
    async def poll(
        self, ref: SandboxRef, job: str, out_at: int = 0, err_at: int = 0, wait_seconds: float = 0
    ) -> JobView:
        """State and output from the offsets on; waits up to `wait_seconds` for an end. Raises Gone, BadSpec (no such
        job)."""

    @abstractmethod
    async def kill(self, ref: SandboxRef, job: str) -> None:
        """End the whole process tree; harmless when it has ended."""

    @abstractmethod
    async def read(self, ref: SandboxRef, path: str, max_bytes: int) -> bytes:
        """A regular file below /work, no symlink followed. Raises FileNotFoundError, Denied, BadSpec (too large)."""

    @abstractmethod
    async def write(self, ref: SandboxRef, path: str, data: bytes, mode: int = 0o644) -> None:
        """Replace a file below /work atomically, making missing folders, following no symlink. Raises Denied."""

    @abstractmethod
    async def snapshot(self, ref: SandboxRef) -> str:
        """Keep the file system; the reference can be a later `spec.snapshot`. Raises Gone, PolicyUnsupported, BadSpec
        (files that cannot be copied), Capacity."""

    @abstractmethod
    async def forget(self, reference: str) -> None:
        """Remove a snapshot that no living sandbox was made of; what does not exist is fine. Raises PolicyUnsupported
        where there are none, BadSpec (no reference of this provider's)."""

    @abstractmethod
    async def destroy(self, key: str) -> None:
        """Kill everything in it and remove it; what does not exist is fine."""

    @abstractmethod
    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        """The living sandboxes that carry all these labels."""
