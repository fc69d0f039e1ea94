"""Runloop's devboxes, virtual machines of their own: RemoteSandbox makes a sandbox provider of them."""

import asyncio
import shlex
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from httpx import AsyncClient, HTTPError, Timeout
from runloop_api_client import APIError, APIStatusError, AsyncRunloop, NotFoundError, omit
from runloop_api_client.types import DevboxAsyncExecutionDetailView, DevboxView, NetworkPolicyView
from runloop_api_client.types.shared_params import LaunchParameters

from activities.sandbox.patience import pauses, within
from activities.sandbox.remote.vendor import Said, Vendor
from activities.sandbox.runloop_snapshots import PREFIX, Snapshots
from activities.sandbox.runloop_terms import (
    KEY,
    OWNER,
    REFUSED,
    UNTIL,
    Egress,
    cidrs_of,
    egress_of,
    info_of,
    meaning,
    metadata_of,
    policy_name,
    says,
    size_of,
)
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Capacity,
    Gone,
    Network,
    PolicyUnsupported,
    SandboxInfo,
    SandboxSpec,
    Transient,
)

_LIVING = ("queued", "provisioning", "initializing", "running")
"""In the order a devbox goes through them, and asked for in this order: one that moves on meanwhile is seen twice,
never missed. `suspended` is not here: Pawl suspends none."""
_BOOTING = frozenset(_LIVING) - {"running"}
_BOOT_SECONDS = 180
_SNAPSHOT_SECONDS = 600
_HOLD_SECONDS = 20
"""How long Runloop may hold the answer about a running command; it takes up to 25."""
_ALL_LINES = "100000000"
"""Without it Runloop answers with the last 100 lines."""
_PAGE = 1_000


class RunloopVendor(Vendor):
    """`installation` tells the devboxes of one Pawl from those of another on the same account. `image` is the blueprint
    of sandboxes that name none. `every_port`: the operator accepts that a host of an allowlist can be
    reached on all its ports, which is the only way Runloop can open one; without it allowlists hold addresses."""

    name = "runloop"

    def __init__(
        self,
        api_key: str,
        installation: str,
        *,
        image: str = "",
        every_port: bool = False,
        base_url: str | None = None,
        http: AsyncClient | None = None,
    ) -> None:
        self._client = AsyncRunloop(bearer_token=api_key, base_url=base_url, max_retries=0, http_client=http)
        self._devboxes = self._client.devboxes
        self._snapshots = Snapshots(self._devboxes)
        self._installation = installation
        self._image = image
        self._every_port = every_port

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            network=Network.DOMAIN if self._every_port else Network.CIDR,
            kill=True,
            snapshot=True,
            hard_limits=True,
            images=True,
            tier=f"Runloop devbox, a virtual machine{', allowed hosts on every port' * self._every_port}",
        )

    async def make(self, spec: SandboxSpec) -> str:
        async with self._translated():
            boxes = await self._of_key(spec.key)
            if not (len(boxes) == 1 and boxes[0].status == "running"):
                await self._booted(boxes[0] if boxes else await self._created(spec))
                boxes = await self._of_key(spec.key)
            # Runloop's names and metadata need not be unique, so two makers may both have made one. The oldest is
            # everybody's; its age is compared after a boot, when what others made at the same time can be seen.
            for late in boxes[1:]:
                await self._ended(late.id)
            if not boxes or not await self._booted(boxes[0]):
                raise Transient("The Runloop devbox ended while it was started.")
            return boxes[0].id

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        patience = Timeout(_HOLD_SECONDS + 10)
        async with self._translated(instance), within(timeout_seconds, f"{argv[0]} in {instance}"):
            seen = await self._devboxes.execute(
                instance,
                command=shlex.join(argv),
                last_n=_ALL_LINES,
                optimistic_timeout=_HOLD_SECONDS,
                timeout=patience,
            )
            while seen.status != "completed":
                seen = await self._seen_later(seen, instance, patience)
            return await self._said(seen, instance)

    async def put(self, instance: str, path: str, data: bytes) -> None:
        async with self._translated(instance):
            await self._devboxes.upload_file(instance, path=path, file=("data", data))

    async def get(self, instance: str, path: str, max_bytes: int) -> bytes:
        data = bytearray()
        async with self._translated(instance, missing=path):
            asked = self._devboxes.with_streaming_response.download_file(instance, path=path)
            async with asked as answer:
                async for piece in answer.iter_bytes():
                    data += piece
                    if len(data) > max_bytes:
                        raise BadSpec(f"{path} has more than {max_bytes} bytes.")
        return bytes(data)

    async def snapshot(self, instance: str) -> str:
        async with self._translated(instance), within(_SNAPSHOT_SECONDS, f"The snapshot of {instance}"):
            return await self._snapshots.make(instance, {OWNER: self._installation})

    async def forget(self, reference: str) -> None:
        async with self._translated():
            await self._snapshots.delete(reference)

    async def remove(self, key: str) -> None:
        async with self._translated():
            for box in await self._of_key(key):
                await self._ended(box.id)

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        async with self._translated():
            infos = [info_of(box) for box in await self._ours()]
        return [info for info in infos if labels.items() <= info.labels.items()]

    async def _of_key(self, key: str) -> "list[DevboxView]":
        """Those of this key, the oldest first: the one that is the key's sandbox."""
        boxes = [box for box in await self._ours() if box.metadata.get(KEY) == key]
        return sorted(boxes, key=lambda box: (box.create_time_ms, box.id))

    async def _ours(self) -> "list[DevboxView]":
        """The living devboxes of this installation. Runloop ends a devbox after idling or after a lifetime, not
        both, so the lifetime is ours to keep: whoever is past it is ended here."""
        boxes: dict[str, DevboxView] = {}
        for status in _LIVING:
            async for box in self._devboxes.list(status=status, limit=_PAGE, include_total_count=False):
                if box.metadata.get(OWNER) == self._installation:
                    boxes[box.id] = box
        over = [box for box in boxes.values() if float(box.metadata.get(UNTIL, "inf")) < time.time()]
        for box in over:
            await self._ended(box.id)
            del boxes[box.id]
        return list(boxes.values())

    async def _created(self, spec: SandboxSpec) -> DevboxView:
        size = size_of(spec.limits, exactly=spec.require_hard_limits)
        policy = await self._policy(egress_of(spec.egress, every_port=self._every_port))
        launch: LaunchParameters = {
            **size,
            "network_policy_id": policy.id,
            "user_parameters": {"username": "root", "uid": 0},
            "lifecycle": {"after_idle": {"idle_time_seconds": spec.idle_seconds, "on_idle": "shutdown"}},
        }
        metadata = metadata_of(spec, self._installation)
        usual = "" if spec.image else self._image
        kept = spec.snapshot or (usual if usual.startswith(PREFIX) else "")
        blueprint = "" if kept else spec.image or usual
        try:
            box = await self._devboxes.create(
                name=f"pawl-{spec.key}",
                metadata=metadata,
                launch_parameters=launch,
                snapshot_id=kept or omit,
                blueprint_name=blueprint or omit,
            )
        except APIStatusError as error:
            if kept and error.status_code in REFUSED and not await self._snapshots.has(kept):
                raise Gone(f"The Runloop snapshot {kept} was removed.") from error
            raise
        if box.launch_parameters.network_policy_id != policy.id:
            await self._ended(box.id)
            raise PolicyUnsupported("Runloop made a devbox without the network policy that was asked for.")
        return box

    async def _policy(self, egress: Egress) -> NetworkPolicyView:
        there = await self._policy_there(egress)
        if there:
            return there
        try:
            return await self._client.network_policies.create(
                name=policy_name(egress, self._installation),
                allow_all=False,
                allow_agent_gateway=False,
                allow_devbox_to_devbox=False,
                allow_mcp_gateway=False,
                allow_runloop_mirrors=False,
                allowed_hostnames=egress.hostnames,
                allowed_cidrs=cidrs_of(egress),
            )
        except APIStatusError:  # where names are unique, another maker was faster
            there = await self._policy_there(egress)
            if there is None:
                raise
            return there

    async def _policy_there(self, egress: Egress) -> NetworkPolicyView | None:
        """Runloop's policy that says exactly this. It is found by its name; its rules are what counts."""
        name = policy_name(egress, self._installation)
        async for policy in self._client.network_policies.list(name=name, limit=_PAGE, include_total_count=False):
            if policy.name == name and says(policy, egress):
                return policy
        return None

    async def _booted(self, box: DevboxView) -> bool:
        """Wait until it runs; False when it ended instead. Raises Capacity when Runloop finds it no place."""
        deadline, looks = time.monotonic() + _BOOT_SECONDS, pauses()
        while box.status in _BOOTING:
            if time.monotonic() > deadline:
                raise Capacity(f"Runloop has not started {box.id} in {_BOOT_SECONDS} seconds; it is {box.status}.")
            await asyncio.sleep(next(looks))
            box = await self._devboxes.retrieve(box.id)
        return box.status == "running"

    async def _ended(self, instance: str) -> None:
        """Shut down, and down."""
        try:
            box = await self._devboxes.shutdown(instance, force="true")
        except APIStatusError:
            if await self._lives(instance):
                raise
            return
        looks = pauses()
        while box.status in _LIVING:
            await asyncio.sleep(next(looks))
            box = await self._devboxes.retrieve(instance)

    async def _lives(self, instance: str) -> bool:
        try:
            return (await self._devboxes.retrieve(instance)).status in _LIVING
        except NotFoundError:
            return False

    async def _seen_later(
        self, seen: DevboxAsyncExecutionDetailView, instance: str, patience: Timeout
    ) -> DevboxAsyncExecutionDetailView:
        try:
            return await self._devboxes.wait_for_command(
                seen.execution_id,
                devbox_id=instance,
                statuses=["completed"],
                last_n=_ALL_LINES,
                timeout_seconds=_HOLD_SECONDS,
                timeout=patience,
            )
        except APIStatusError as error:
            if error.status_code != 408:  # it still runs
                raise
            return seen

    async def _said(self, seen: DevboxAsyncExecutionDetailView, instance: str) -> Said:
        out = seen.stdout or ""
        if seen.stdout_truncated:
            whole = await self._devboxes.executions.stream_stdout_updates(seen.execution_id, devbox_id=instance)
            out = "".join([piece.output async for piece in whole])
        if seen.exit_status is None:
            raise Transient("Runloop lost the exit code of a command.")
        return Said(code=seen.exit_status, out=out, err=seen.stderr or "")

    @asynccontextmanager
    async def _translated(self, instance: str = "", missing: str = "") -> AsyncGenerator[None]:
        """Runloop's errors as the port's. It does not say with which status it refuses a file that is not there or a
        devbox that has ended, so what it refuses about an instance is judged by whether that still lives. `missing`:
        the file that may be absent."""
        try:
            yield
        except APIStatusError as error:
            if not instance or error.status_code not in REFUSED:
                raise meaning(error) from error
            raise await self._judged(error, instance, missing) from error
        except APIError as error:
            raise meaning(error) from error
        except HTTPError as error:  # the connection broke in the middle of an answer
            raise Transient(f"Runloop's answer broke off: {error}") from error

    async def _judged(self, error: APIStatusError, instance: str, missing: str) -> Exception:
        try:
            lives = await self._lives(instance)
        except APIError as second:
            return meaning(second)
        if not lives:
            return Gone(f"The Runloop devbox {instance} has ended.")
        return FileNotFoundError(missing) if missing else meaning(error)
