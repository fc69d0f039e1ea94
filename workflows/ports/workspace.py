"""The checkout inside a sandbox, as the orchestrator uses it."""

from abc import ABC, abstractmethod
from datetime import timedelta

from pydantic import Field
from temporalio import activity
from temporalio.workflow import ActivityCancellationType, ActivityConfig

from workflows.domain.change import Check, CheckReport, Repository
from workflows.domain.model import Record
from workflows.domain.session import WorkspaceOrder
from workflows.ports import PATIENT, Port
from workflows.ports.sandbox import ExitReason


class PrepareWorkspace(Record):
    workspace: WorkspaceOrder


class RunChecks(Record):
    key: str
    """Names this run: a repeated request finds the commands it has already started."""
    workspace: WorkspaceOrder
    checks: tuple[Check, ...]


class TryCommand(Record):
    """Whether a command fails, and how often."""

    key: str
    """Names this go: a repeated request finds the commands it has already started."""
    workspace: WorkspaceOrder
    command: Check
    times: int = Field(default=1, ge=1, le=20)
    names: str = ""
    """What a failing run's output must name to count as this failure; empty: anything counts."""


class Runs(Record):
    """How often a command failed. Every run had a fresh checkout of its own."""

    runs: int
    """All that were made: fewer than asked where they would last longer than two and a half hours together."""
    failed: int
    """Those that ended with a code of their own and named what they had to; what could not be started, was not found,
    was ended by a signal or ran out of time or memory is not among them. Nor is a command that holds the name and fails
    in the same way with a name that nothing has, for which it is run once more."""
    broken: str = ""
    """Why the last run that did not pass is no proof: `not found`, `timed out after 600 s`, ...; empty where at least
    one is a proof, or all passed."""
    excerpt: str = ""
    """The last lines of the last run that failed, else of the last one; at most 2,000 characters."""
    seconds: float = 0


class WorkspaceReady(Record):
    """What a ticket's commands run in."""

    tier: str = ""
    """The protection in force, in words."""
    environment: str = ""
    """As a sentence has it: nix, devcontainer (image `python:3.13`), plain."""
    notes: tuple[str, ...] = ()
    """What of the repository's environment does not apply here, a sentence each."""
    seconds: float = 0
    """Until the checkout was there, preparation included."""
    prepared_seconds: float = 0
    """What the preparation took when it was made; 0: there is none."""


class DestroyWorkspace(Record):
    key: str


class CarryOver(Record):
    workspace: WorkspaceOrder
    """The change, as a state on its old base."""
    onto: Repository
    """The same repository, opened at a newer base."""


class Carried(Record):
    """A change on top of a newer base."""

    state: str | None
    """Journal reference of the state that builds on the newer base; None: that holds the whole change already."""
    conflicts: tuple[str, ...] = Field(default=(), max_length=50)
    """Files in which both changed the same place: they hold git's conflict markers."""


class Workspace(Port):
    """The checkout inside a sandbox. The sandbox is disposable: base commit and last kept state make a new one."""

    options = ActivityConfig(
        start_to_close_timeout=timedelta(hours=3),
        retry_policy=PATIENT,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )

    @activity.defn
    @abstractmethod
    async def prepare_workspace(self, request: PrepareWorkspace) -> WorkspaceReady:
        """Make sure that the sandbox can run here and holds the checkout, with what the repository installs.

        Raises SandboxRefused with the exact fix, and NotPrepared with the command that failed.
        """

    @activity.defn
    @abstractmethod
    async def run_checks(self, request: RunChecks) -> CheckReport:
        """Run the checks in a fresh checkout of exactly the given state, which an agent has never touched."""

    @activity.defn
    @abstractmethod
    async def try_command(self, request: TryCommand) -> Runs:
        """Run one command so many times, each time in a fresh checkout of exactly the given state, and count."""

    @activity.defn
    @abstractmethod
    async def sweep_sandboxes(self) -> int:
        """Remove sandboxes that no ticket under way needs; how many there were."""

    @activity.defn
    @abstractmethod
    async def carry_over(self, request: CarryOver) -> Carried:
        """Merge a change with a newer base, by git alone and in the trusted clone. The same request gives the same
        state. Raises WorkspaceBroken when the state fails fsck, RepositoryNotFound when a base is gone."""

    @activity.defn
    @abstractmethod
    async def destroy_workspace(self, request: DestroyWorkspace) -> None:
        """Kill what runs in it and remove it; what does not exist is fine."""


class Ran(Record):
    """How a command in the checkout ended."""

    reason: ExitReason
    code: int | None
    output: str
    """Standard output and error as they came, head and tail of at most 10,000 characters; what was cut is said."""

    @property
    def ok(self) -> bool:
        return self.reason is ExitReason.EXITED and self.code == 0

    @property
    def how(self) -> str:
        """`exited 1`, `timeout`, ... for people and for the agent."""
        return f"{self.reason} {self.code}" if self.code is not None else str(self.reason)


class Checkout(ABC):
    """A living checkout, for the agent's tools. Not activities: used inside them.

    Every method raises ports.sandbox.Gone when the sandbox has died; the caller opens another and repeats the turn's
    tool calls there, starting from the last kept state.
    """

    instance: str
    """Differs for every sandbox ever made: a tool result of another instance has lost its effect on the files."""

    @abstractmethod
    async def run(self, job: str, command: str, timeout_seconds: float) -> Ran:
        """Run a shell line at the root of the checkout. The same job id is one run, also after a crash of the caller,
        which attaches to it and gets its output. Safe to cancel: the command goes on and can be attached to."""

    @abstractmethod
    async def read(self, path: str, max_bytes: int) -> bytes:
        """A regular file of the checkout, by path relative to its root. Raises FileNotFoundError, Denied, BadSpec."""

    @abstractmethod
    async def write(self, path: str, data: bytes) -> None:
        """Replace or create a file atomically. Raises Denied."""

    @abstractmethod
    async def keep_state(self, job: str) -> str | None:
        """Take the files out as they are (what git ignores is left out): journal reference of the state, or None when
        they equal the base. The same files give the same reference."""


class Checkouts(ABC):
    """Opens checkouts: attaches to the living sandbox of the key, or makes one from base commit and state."""

    @abstractmethod
    async def open(self, order: WorkspaceOrder) -> Checkout:
        """Raises SandboxError (see ports.sandbox) when there can be none."""
