"""Opening checkouts: attach to the living sandbox of the key, or make one from base commit and kept state."""

import hashlib
import re

from activities.git import TrustedClones, carried
from activities.workspace import places
from activities.workspace.checkout import SandboxCheckout, git_job, succeeded
from activities.workspace.giving_up import removed_when_refused
from activities.workspace.kept import keep_state
from activities.workspace.prepared import Image, PreparedImages, image_by_name
from activities.workspace.text import readable
from workflows.domain.policy import SandboxLimits
from workflows.domain.session import WorkspaceOrder
from workflows.ports.journal import Journal
from workflows.ports.sandbox import OURS, Denied, Gone, Sandbox, SandboxRef, SandboxSpec, Transient
from workflows.ports.workspace import Carried, CarryOver, Checkouts

_SET_UP = "set-up"
_ATTEMPTS = 3
_MOST_CONFLICTS = 50
_LONGEST_COMMAND = 7_200
"""The sandbox's own ceiling; the order's limit is for the agent's commands and is applied to each."""


class SandboxCheckouts(Checkouts):
    """Checkouts in the sandboxes of any provider, which start from the repository's prepared image where it has one."""

    def __init__(self, sandbox: Sandbox, clones: TrustedClones, journal: Journal) -> None:
        self._sandbox, self._clones, self._journal = sandbox, clones, journal
        self._images = PreparedImages(sandbox, clones, journal, self._open_bare)

    async def open(self, order: WorkspaceOrder) -> SandboxCheckout:
        """A checkout is ready when the sandbox's set-up job has succeeded: the provider keeps that, out of the
        agent's reach. Whatever a crash left of the set-up is found by its job id, or made again from scratch; so is a
        checkout of another base, where the ticket was reset to before its repository was opened."""
        return await self._open(order, await self._images.image(order))

    async def image(self, order: WorkspaceOrder) -> Image | None:
        """What its sandbox starts from, made when there is none."""
        return await self._images.image(order)

    async def carried(self, request: CarryOver) -> Carried:
        """The order's state on top of a newer base, kept. No sandbox takes part in it."""
        order = request.workspace
        if order.state is None:
            return Carried(state=None)
        made = await carried(self._clones, order.repository, await self._state(order.state), request.onto)
        if made.bundle is None:
            return Carried(state=None)
        state = await keep_state(self._journal, order.key, made.bundle)
        return Carried(state=state, conflicts=tuple(made.conflicts[:_MOST_CONFLICTS]))

    async def _open_bare(self, order: WorkspaceOrder) -> SandboxCheckout:
        return await self._open(order, None)

    async def _open(self, order: WorkspaceOrder, image: Image | None) -> SandboxCheckout:
        said = ""
        for _ in range(_ATTEMPTS):
            try:
                ref = await self._sandbox.ensure(self._spec(order, image))
            except Gone as error:
                if image is None:
                    raise
                said, image = str(error), await self._images.image(order, lost=image.reference)
                continue
            checkout = SandboxCheckout(self._sandbox, ref, order, self._clones, self._journal)
            try:
                async with removed_when_refused(self._sandbox, ref.key):
                    said = await self._set_up(checkout, ref, order, image)
            except Gone as error:
                said = str(error)
            if not said:
                return checkout
            await self._sandbox.destroy(ref.key)
        raise Transient(f"The checkout in {order.key} could not be set up: {said}")

    async def _set_up(
        self, checkout: SandboxCheckout, ref: SandboxRef, order: WorkspaceOrder, image: Image | None
    ) -> str:
        """Set the checkout up unless that was done. What went wrong, or nothing."""
        job = f"{_SET_UP}:{order.repository.base_sha[:12]}"
        if not await checkout.has_started(job):
            if image is None or image.base_sha != order.repository.base_sha:
                await checkout.put_base()
            if order.state:
                await self._sandbox.write(ref, places.STATE_BUNDLE, await self._state(order.state))
        repository = order.repository
        view = await checkout.job(job, git_job(places.SET_UP, repository.base_sha, repository.base_branch))
        return "" if succeeded(view) else f"{view.reason} {view.code}: {readable(view.err)}"

    async def _state(self, state: str) -> bytes:
        try:
            return await self._journal.load(state)
        except KeyError as error:
            raise Denied(f"The journal has lost the workspace state {state}.") from error

    def _spec(self, order: WorkspaceOrder, image: Image | None) -> SandboxSpec:
        asked = order.sandbox
        limits = {name: getattr(asked, name) for name in SandboxLimits.model_fields} | {"seconds": _LONGEST_COMMAND}
        return SandboxSpec(
            key=sandbox_key(order.key),
            limits=SandboxLimits(**limits),
            labels={
                **OURS,
                "repository": order.repository.name,
                "ticket": order.ticket,
                "session": order.journal_session,
            },
            image=image_by_name(order, self._sandbox),
            snapshot=image.reference if image else "",
            egress=asked.network,
            lifetime_seconds=asked.lifetime_seconds,
            idle_seconds=asked.idle_seconds,
            require_hard_limits=asked.require_hard_limits,
        )


def sandbox_key(key: str) -> str:
    """A sandbox key for any text: the text itself where it can be one, else a readable part and a digest."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}", key):
        return key
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', key)[:80]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
