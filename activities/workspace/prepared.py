"""Prepared images: what a repository installs is installed once for each state of its lock files, and kept.

The journal holds, under a session of its own for each provider and repository, every image that was made. An image
serves only orders of its own base branch whose base commit contains the one it was made at: what a branch installs
decides nothing elsewhere before it is merged. An image that has vanished is made again; one that nobody has used for
long is removed.
"""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from activities.git import TrustedClones
from activities.workspace import places
from activities.workspace.checkout import SandboxCheckout, git_job, succeeded
from activities.workspace.errors import NotPrepared
from activities.workspace.giving_up import is_given_up, removed_when_refused
from activities.workspace.image_uses import ImageUses
from activities.workspace.text import how_it_ended, readable
from workflows.domain.model import Record
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Entry, EntryKind, Journal
from workflows.ports.sandbox import Command, ExitReason, Gone, JobView, PolicyUnsupported, Sandbox

_ATTEMPTS = 3
_KEYS = {
    ExitReason.TIMEOUT: "pawl.sandbox.prepare.seconds",
    ExitReason.OOM: "pawl.sandbox.memory_mb",
    ExitReason.DISK: "pawl.sandbox.disk_mb",
}
"""What to raise in WORKFLOW.md when a line needs more."""

Opened = Callable[[WorkspaceOrder], Awaitable[SandboxCheckout]]
"""Opens a checkout from nothing."""


class Image(Record):
    """A sandbox's file system after the preparation."""

    reference: str
    """The provider's own."""
    base_sha: str
    """The commit whose files are in it."""
    seconds: float
    """How long it took to make."""


class PreparedImages:
    """The images of one provider."""

    def __init__(self, sandbox: Sandbox, clones: TrustedClones, journal: Journal, opened: Opened) -> None:
        self._sandbox, self._clones, self._journal, self._opened = sandbox, clones, journal, opened
        self._uses = ImageUses(sandbox, journal)
        self._waiters: Counter[str] = Counter()

    async def image(self, order: WorkspaceOrder, lost: str = "") -> Image | None:
        """The image the order's sandbox starts from, made when there is none; None where nothing is to be prepared, or
        the provider keeps no snapshots. `lost`: the reference of one that has vanished.

        Raises NotPrepared when a command of the preparation fails.
        """
        digest = order.environment.digest
        if not digest:
            return None
        if not self._sandbox.capabilities.snapshot:
            raise PolicyUnsupported(
                f"{self._sandbox.capabilities.tier} keeps no snapshots, and the environment {order.environment.words} "
                "is to be prepared."
            )
        for attempt in range(1, _ATTEMPTS + 1):
            known = await self._known(order)
            last = await self._last_usable(order, known)
            if last and last.reference != lost and await self._uses.begin(last.reference):
                return last
            made_here = [image for image in known if image.base_sha == order.repository.base_sha]
            try:
                return await self._make(order, number=len(made_here))
            except Gone:  # also when somebody else has made it meanwhile, and removed the sandbox we had joined
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _known(self, order: WorkspaceOrder) -> list[Image]:
        """Every image of the same outcome, at whatever commit."""
        entries = await self._journal.entries(self._session(order))
        ours = [entry for entry in entries if entry.key.startswith(f"{self._outcome(order)}/")]
        return [Image.model_validate_json(entry.body) for entry in ours]

    async def _last_usable(self, order: WorkspaceOrder, known: list[Image]) -> Image | None:
        for image in reversed(known):
            if await self._clones.base_contains(order.repository, image.base_sha):
                return image
        return None

    async def _make(self, order: WorkspaceOrder, number: int) -> Image:
        """Whoever comes second joins the first: the same sandbox, the same jobs."""
        began = time.monotonic()
        key = self._key(order)
        async with self._waiting(key), removed_when_refused(self._sandbox, key):
            checkout = await self._opened(_preparation(order, key))
            await prepare(checkout, order)
            reference = await checkout.snapshot()
        await self._uses.begin(reference)
        seconds = round(time.monotonic() - began, 1)
        image = Image(reference=reference, base_sha=order.repository.base_sha, seconds=seconds)
        entry = Entry(
            session=self._session(order),
            seq=0,
            kind=EntryKind.IMAGE,
            key=f"{self._outcome(order)}/{image.base_sha}/{number}",
            body=image.model_dump_json(),
        )
        stored = await self._journal.put(entry)
        await self._sandbox.destroy(key)
        return Image.model_validate_json(stored.body)

    @asynccontextmanager
    async def _waiting(self, key: str) -> AsyncGenerator[None]:
        """Count who waits here for a preparation. It ends with the last one who is cancelled: nobody would look at the
        network it has, nor at what it costs. Whoever waits at another worker finds it gone, and makes it again."""
        self._waiters[key] += 1
        try:
            yield
        except asyncio.CancelledError:
            if self._waiters[key] == 1 and is_given_up():
                await asyncio.shield(self._sandbox.destroy(key))
            raise
        finally:
            self._waiters[key] -= 1
            self._waiters += Counter()  # forgets what has come to nought

    def _session(self, order: WorkspaceOrder) -> str:
        return f"prepared:{self._sandbox.name}:{order.repository.name}"

    def _outcome(self, order: WorkspaceOrder) -> str:
        """Differs wherever a preparation may end differently, but for the commit."""
        environment, branch = order.environment.digest, order.repository.base_branch
        return _digest(environment, branch, image_by_name(order, self._sandbox), self._sandbox.surroundings)

    def _key(self, order: WorkspaceOrder) -> str:
        """The sandbox of this preparation, for whoever makes it."""
        return f"prepare-{_digest(order.repository.name, self._outcome(order), order.repository.base_sha)[:24]}"


def image_by_name(order: WorkspaceOrder, sandbox: Sandbox) -> str:
    """What the repository's sandboxes are made of before anything is installed; empty: the provider's default."""
    return order.sandbox.image or (order.environment.image if sandbox.capabilities.images else "")


async def prepare(checkout: SandboxCheckout, order: WorkspaceOrder) -> None:
    """Run the preparation in a checkout of the base. Raises NotPrepared, with what failed and its last words."""
    environment = order.environment
    lines = [(line, ()) for line in environment.install] + [(line, environment.wrapper) for line in environment.prepare]
    for number, (line, wrapper) in enumerate(lines, start=1):
        argv = (*places.SHELL, "sh", line, *wrapper)
        command = Command(argv=argv, env=environment.variables, timeout_seconds=environment.seconds)
        view = await checkout.job(f"prepare-{number}", command)
        if not succeeded(view):
            raise NotPrepared(line, _how(view, order), readable(view.out, view.truncated))
    await _settle(checkout, order)


def _how(view: JobView, order: WorkspaceOrder) -> str:
    assert view.reason is not None, "the job has ended"  # noqa: S101
    how = how_it_ended(view.reason, view.code, order.environment.seconds, order.sandbox)
    return f"{how} ({_KEYS[view.reason]})" if view.reason in _KEYS else how


async def _settle(checkout: SandboxCheckout, order: WorkspaceOrder) -> None:
    """No process of the preparation is left: what is made now is as we make it, and goes into the image so."""
    cleared = await checkout.job("prepare-clear", git_job(places.CLEAR))
    _require(cleared, "rm -rf /work/.pawl")
    if not await checkout.has_started("prepare-end"):
        await checkout.put_base()
    settled = await checkout.job("prepare-end", git_job(places.SETTLE, order.repository.base_sha))
    _require(settled, "git status")


def _require(view: JobView, line: str) -> None:
    """Raises NotPrepared when our own job has failed."""
    if not succeeded(view):
        raise NotPrepared(line, f"{view.reason} {view.code}", readable(view.err))


def _digest(*told: str) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _preparation(order: WorkspaceOrder, key: str) -> WorkspaceOrder:
    asked = order.sandbox.model_copy(update={"network": order.environment.network})
    session = f"{order.journal_session}.prepare"  # the preparation serves many tickets; this one reads what it reached
    return order.model_copy(update={"key": key, "state": None, "sandbox": asked, "session": session})
