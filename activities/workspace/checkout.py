"""A living checkout in a sandbox."""

import hashlib
from pathlib import PurePosixPath

from activities.git import BadState, TrustedClones
from activities.workspace import places
from activities.workspace.kept import keep_state
from activities.workspace.text import readable
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal, egress_entry
from workflows.ports.sandbox import (
    BadSpec,
    Command,
    Denied,
    ExitReason,
    Gone,
    JobState,
    JobView,
    Sandbox,
    SandboxRef,
)
from workflows.ports.workspace import Checkout, Ran

_WATCH_SECONDS = 30.0
_GIT_SECONDS = 900.0
_MOST_STATE_BYTES = 128 * 1024 * 1024


class SandboxCheckout(Checkout):
    """The checkout of one order. Work leaves it only as a bundle that the trusted clone has looked at."""

    def __init__(
        self, sandbox: Sandbox, ref: SandboxRef, order: WorkspaceOrder, clones: TrustedClones, journal: Journal
    ) -> None:
        self.instance = ref.instance
        self._sandbox, self._ref, self._order = sandbox, ref, order
        self._clones, self._journal = clones, journal
        self._known_state = order.state or ""

    async def run(self, job: str, command: str, timeout_seconds: float) -> Ran:
        view = await self.run_whole(job, command, timeout_seconds)
        assert view.reason is not None, "the job has ended"  # noqa: S101
        return Ran(reason=view.reason, code=view.code, output=readable(view.out, view.truncated))

    async def run_whole(self, job: str, command: str, timeout_seconds: float) -> JobView:
        """As `run`, with all output that the sandbox has captured."""
        environment = self._order.environment
        argv = (*places.SHELL, "sh", command, *environment.wrapper)
        seconds = min(timeout_seconds, self._order.sandbox.seconds)
        return await self.job(f"run:{job}", Command(argv=argv, env=environment.variables, timeout_seconds=seconds))

    async def read(self, path: str, max_bytes: int) -> bytes:
        return await self._sandbox.read(self._ref, _below_root(path), max_bytes)

    async def write(self, path: str, data: bytes) -> None:
        await self._sandbox.write(self._ref, _below_root(path), data)

    async def keep_state(self, job: str) -> str | None:
        """Raises Denied when the files are not fit to be kept; the message says which and why."""
        attempt = f"keep:{job}"
        view = await self._write_bundle(attempt)
        if not succeeded(view):
            await self._measure_anew(job)
            attempt = f"keep-again:{job}"
            view = await self._write_bundle(attempt)
        if not succeeded(view):
            raise Denied(f"The workspace's files cannot be kept: {view.reason}. {readable(view.err)}".strip())
        return await self._take_out(_bundle_name(attempt)) if view.out else None

    async def _write_bundle(self, attempt: str) -> JobView:
        return await self._git(attempt, places.KEEP, self._order.repository.base_sha, _bundle_name(attempt))

    async def _measure_anew(self, job: str) -> None:
        """Our git folder is damaged, or the files cannot be read: the base tells which."""
        await self.put_base()
        await self._git(f"measure:{job}", places.MEASURE, self._order.repository.base_sha)

    async def _take_out(self, name: str) -> str:
        try:
            bundle = await self._sandbox.read(self._ref, f"{places.OUT}/{name}", _MOST_STATE_BYTES)
        except BadSpec as error:
            raise Denied(f"The workspace's changes are too large to be kept: {error}") from error
        except FileNotFoundError as error:
            raise Denied("The workspace's state vanished while it was being kept.") from error
        if f"sha256:{hashlib.sha256(bundle).hexdigest()}" == self._known_state:
            return self._known_state
        try:
            await self._clones.check_state(self._order.repository, bundle)
        except BadState as error:
            raise Denied(str(error)) from error
        self._known_state = await keep_state(self._journal, self._order.key, bundle)
        return self._known_state

    async def _git(self, job: str, script: str, *arguments: str) -> JobView:
        return await self.job(job, git_job(script, *arguments))

    async def job(self, job: str, command: Command) -> JobView:
        """Run a job of this id once and wait for its end: its view with all output.

        Raises Gone when the sandbox has died under it; a broken sandbox is destroyed, so that the next is fresh.
        """
        await self._sandbox.start(self._ref, job, command)
        view = await self._sandbox.poll(self._ref, job, wait_seconds=_WATCH_SECONDS)
        out, err = view.out, view.err
        while view.state is JobState.RUNNING:
            view = await self._sandbox.poll(self._ref, job, len(out), len(err), wait_seconds=_WATCH_SECONDS)
            out, err = out + view.out, err + view.err
        if view.reason is ExitReason.GONE:
            await self._sandbox.destroy(self._ref.key)
            raise Gone(f"The sandbox {self._ref.key} died during {job}.")
        if view.egress:
            await self._keep_egress(job, view.egress)
        return view.model_copy(update={"out": out, "err": err})

    async def _keep_egress(self, job: str, decisions: str) -> None:
        body = await self._journal.keep_text(decisions)
        await self._journal.put(egress_entry(self._order.journal_session, job, self.instance, body))

    async def has_started(self, job: str) -> bool:
        try:
            await self._sandbox.poll(self._ref, job)
        except BadSpec:
            return False
        return True

    async def put_base(self) -> None:
        """Put what `places.MEASURE`, `places.SET_UP` and `places.SETTLE` need into the sandbox."""
        await self._sandbox.write(self._ref, places.BASE_BUNDLE, await self._clones.bundle(self._order.repository))
        await self._sandbox.write(self._ref, places.EXCLUDE, places.EXCLUDED.encode())

    async def snapshot(self) -> str:
        """The provider's reference of the sandbox's file system as it is."""
        return await self._sandbox.snapshot(self._ref)


def git_job(script: str, *arguments: str) -> Command:
    return Command(argv=("sh", "-c", script, "sh", *arguments), env=places.ENVIRONMENT, timeout_seconds=_GIT_SECONDS)


def succeeded(view: JobView) -> bool:
    return view.reason is ExitReason.EXITED and view.code == 0


def _bundle_name(attempt: str) -> str:
    return hashlib.sha256(attempt.encode()).hexdigest()[:16]


def _below_root(path: str) -> str:
    """The path in the sandbox of a path of the checkout. Raises Denied when it is another place's."""
    whole = PurePosixPath(places.ROOT, path)
    if not whole.is_relative_to(places.ROOT):
        raise Denied(f"{path} is not in the checkout.")
    return str(whole)
