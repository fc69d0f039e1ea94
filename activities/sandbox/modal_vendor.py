"""Sandboxes at Modal: the sandbox's unique name is its key, everything in it is done by exec."""

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import modal
from modal import exception, experimental
from modal.container_process import ContainerProcess

from activities.sandbox.modal_terms import from_tags, in_parts, name_of, port_errors, reach, to_tags, whole
from activities.sandbox.remote.vendor import Said, Vendor, shell
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Gone,
    Network,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Transient,
)

_INSTALLATION, _KEY, _CREATED = "pawl.installation", "pawl.key", "pawl.created"
"""Tags of ours. Labels have no dots before their first part, so these cannot be taken for any."""
_PYTHON = "3.12"
_CALL_SECONDS = 60.0
_MAKE_SECONDS = 900.0
"""The first sandbox of an image waits for its build."""
_FILE_SECONDS = 300.0
_SNAPSHOT_SECONDS = 600
_SNAPSHOT_LIVES = 30 * 86_400
"""Seconds, told to Modal: it then forgets what Pawl has lost sight of."""
_STDIN_BYTES = 1 << 20
"""Of one message; the client holds up to 16 MiB of them."""
_MOST_HANDLES = 256
_CPU_REQUEST, _MEMORY_REQUEST_MB = 0.125, 512
"""What is reserved, and paid for, while a sandbox does nothing."""
_NO_EXIT_CODE, _KILLED = -1, 137
"""What the client says of a command that went over its time, and what Modal makes of it when it is the first to see."""
_NO_FILE = 44


class ModalVendor(Vendor):
    """Sandboxes in one app of a Modal workspace.

    `installation` tells ours from those of other Pawls in the same app: keep it. `image` is what a sandbox is made of
    whose repository names nothing; empty: Debian with Python and git. Credentials come from the environment
    (MODAL_TOKEN_ID, MODAL_TOKEN_SECRET) unless there is a `client`. `every_port` accepts that Modal, told to allow an
    address, opens all ports of it; otherwise rules of addresses are refused.
    """

    name = "modal"

    def __init__(
        self,
        installation: str,
        image: str = "",
        app: str = "pawl",
        every_port: bool = False,
        client: modal.Client | None = None,
    ) -> None:
        self._installation = installation
        self._app_name = app
        self._every_port = every_port
        self._client = client
        self._usual_image = image
        self._plain_image = modal.Image.debian_slim(python_version=_PYTHON).apt_install("git")
        self._handles: dict[str, modal.Sandbox] = {}
        # Capacity is the caller's to wait for. The client's few quick retries of broken connections have no switch.
        modal.config.config.override_locally("max_throttle_wait", "0")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            network=Network.DOMAIN,
            kill=True,
            snapshot=True,
            hard_limits=True,
            images=True,
            cost=True,
            tier=f"Modal, a container of its own in gVisor{', allowed addresses on every port' * self._every_port}",
        )

    async def make(self, spec: SandboxSpec) -> str:
        for _ in range(3):
            with port_errors(f"Modal cannot make the sandbox {spec.key}"):
                try:
                    async with asyncio.timeout(_MAKE_SECONDS):
                        sandbox = await self._create(spec)
                except exception.AlreadyExistsError:
                    sandbox = await self._named(spec.key)
                except exception.NotFoundError as error:  # a snapshot that is gone stays Gone
                    if not spec.snapshot:
                        raise BadSpec(f"Modal has not what {spec.key} is to be made of: {error}") from error
                    raise
            if sandbox is not None:
                self._hold(sandbox)
                return sandbox.object_id
        raise Transient(f"The sandbox {spec.key} exists at Modal when it is made and does not when it is looked up.")

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        code, out, err = await self._exec(instance, argv, timeout_seconds)
        return Said(code=code, out=out.decode("ascii", "replace"), err=err.decode("ascii", "replace"))

    async def put(self, instance: str, path: str, data: bytes) -> None:
        code, _, err = await self._exec(instance, shell('exec cat > "$1"', path), _FILE_SECONDS, data)
        if code != 0:
            raise Transient(f"Modal could not write {path}: {err.decode(errors='replace')[-500:]}")

    async def get(self, instance: str, path: str, max_bytes: int) -> bytes:
        script = f'[ -e "$1" ] || exit {_NO_FILE}; exec head -c "$2" -- "$1"'
        code, data, err = await self._exec(instance, shell(script, path, str(max_bytes + 1)), _FILE_SECONDS)
        if code == _NO_FILE:
            raise FileNotFoundError(f"{path} does not exist.")
        if code != 0:
            raise Transient(f"Modal could not read {path}: {err.decode(errors='replace')[-500:]}")
        if len(data) > max_bytes:
            raise BadSpec(f"{path} is larger than {max_bytes:,} bytes.")
        return data

    async def snapshot(self, instance: str) -> str:
        sandbox = await self._held(instance)
        with port_errors("Modal cannot keep the sandbox's files"):
            async with asyncio.timeout(_SNAPSHOT_SECONDS + _CALL_SECONDS):
                image = await sandbox.snapshot_filesystem.aio(timeout=_SNAPSHOT_SECONDS, ttl=_SNAPSHOT_LIVES)
        return image.object_id

    async def forget(self, reference: str) -> None:
        if not _is_snapshot(reference):
            raise BadSpec(f"{reference!r} is no image of Modal's own.")
        with suppress(Gone), port_errors(f"Modal cannot remove the snapshot {reference}"):
            async with asyncio.timeout(_CALL_SECONDS):
                delete = experimental.image_delete.aio  # pyright: ignore[reportFunctionMemberAccess]
                await delete(reference, client=self._client)

    async def remove(self, key: str) -> None:
        with port_errors(f"Modal cannot remove the sandbox {key}"):
            async with asyncio.timeout(_CALL_SECONDS):
                sandbox = await self._named(key)
                if sandbox is None:
                    return
                self._handles.pop(sandbox.object_id, None)
                try:
                    await sandbox.terminate.aio(wait=True)
                except exception.NotFoundError:  # it ended by itself meanwhile
                    return

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        tags = {**in_parts(_INSTALLATION, self._installation), **to_tags(labels)}
        with port_errors("Modal cannot list its sandboxes"):
            async with asyncio.timeout(_CALL_SECONDS):
                app = await self._app()
                found = modal.Sandbox.list.aio(app_id=app.app_id, tags=tags, client=self._client)
                infos = [await _described(sandbox) async for sandbox in found]
        return [info for info in infos if info is not None]

    async def _create(self, spec: SandboxSpec) -> modal.Sandbox:
        allowed = reach(spec.egress, self._every_port)
        tags = in_parts(_INSTALLATION, self._installation) | in_parts(_KEY, spec.key) | to_tags(spec.labels)
        return await modal.Sandbox.create.aio(  # pyright: ignore[reportUnknownMemberType]
            app=await self._app(),
            name=name_of(self._installation, spec.key),
            tags={**tags, _CREATED: f"{datetime.now(UTC).timestamp():.3f}"},
            image=self._image(spec),
            timeout=spec.lifetime_seconds,
            # a job nobody watches is no activity to Modal: none is as long as this
            idle_timeout=max(spec.idle_seconds, spec.limits.seconds),
            cpu=_cpu(spec.limits),
            memory=(min(_MEMORY_REQUEST_MB, spec.limits.memory_mb), spec.limits.memory_mb),
            block_network=allowed.blocked,
            outbound_domain_allowlist=allowed.domains,
            outbound_cidr_allowlist=allowed.blocks,
            client=self._client,
        )

    def _image(self, spec: SandboxSpec) -> modal.Image:
        usual = "" if spec.image else self._usual_image
        if known := spec.snapshot or (usual if _is_snapshot(usual) else ""):
            return modal.Image.from_id(known, client=self._client)
        if not (spec.image or usual):
            return self._plain_image
        return modal.Image.from_registry(spec.image or usual)  # pyright: ignore[reportUnknownMemberType]

    async def _app(self) -> modal.App:
        return await modal.App.lookup.aio(self._app_name, create_if_missing=True, client=self._client)

    async def _named(self, key: str) -> modal.Sandbox | None:
        """The living sandbox of the key."""
        try:
            return await modal.Sandbox.from_name.aio(
                self._app_name, name_of(self._installation, key), client=self._client
            )
        except exception.NotFoundError:
            return None

    async def _exec(
        self, instance: str, argv: tuple[str, ...], timeout_seconds: float, stdin: bytes | None = None
    ) -> tuple[int, bytes, bytes]:
        """Exit code, output and errors. After any trouble the next call looks the sandbox up anew."""
        sandbox = await self._held(instance)
        seconds = max(1, math.ceil(timeout_seconds))
        started = time.monotonic()
        try:
            with port_errors("Modal cannot run a command in the sandbox"):
                async with asyncio.timeout(seconds + _CALL_SECONDS):
                    ended = await _ran(sandbox, argv, seconds, stdin)
            is_over = time.monotonic() - started >= seconds
            if ended[0] == _NO_EXIT_CODE or (ended[0] == _KILLED and is_over):
                raise Transient(f"A command in the sandbox at Modal did not answer within {seconds} s: {argv[0]}.")
        except BaseException:
            self._handles.pop(instance, None)
            raise
        return ended

    async def _held(self, instance: str) -> modal.Sandbox:
        """A handle of the living sandbox. It keeps a connection, which the client closes when it is idle."""
        known = self._handles.get(instance)
        if known is not None:
            return known
        with port_errors(f"Modal cannot find the sandbox {instance}"):
            async with asyncio.timeout(_CALL_SECONDS):
                sandbox = await modal.Sandbox.from_id.aio(instance, client=self._client)
        if sandbox.returncode is not None:
            raise Gone(f"The sandbox {instance} has ended at Modal.")
        self._hold(sandbox)
        return sandbox

    def _hold(self, sandbox: modal.Sandbox) -> None:
        self._handles[sandbox.object_id] = sandbox
        while len(self._handles) > _MOST_HANDLES:
            self._handles.pop(next(iter(self._handles)))


async def _ran(
    sandbox: modal.Sandbox, argv: tuple[str, ...], seconds: int, stdin: bytes | None
) -> tuple[int, bytes, bytes]:
    process = await sandbox.exec.aio(*argv, timeout=seconds, text=False)
    if stdin is not None:
        await _fed(process, stdin)
    out, err = await asyncio.gather(process.stdout.read.aio(), process.stderr.read.aio())
    return await process.wait.aio(), out, err


async def _fed(process: ContainerProcess[bytes], stdin: bytes) -> None:
    for at in range(0, len(stdin), _STDIN_BYTES):
        process.stdin.write(stdin[at : at + _STDIN_BYTES])
        await process.stdin.drain.aio()
    process.stdin.write_eof()
    await process.stdin.drain.aio()


async def _described(sandbox: modal.Sandbox) -> SandboxInfo | None:
    """None when it ended while we looked."""
    try:
        tags = await sandbox.get_tags.aio()
    except exception.NotFoundError:
        return None
    try:
        cost = (await sandbox._experimental_stats.aio()).cost  # pyright: ignore[reportPrivateUsage]
    except exception.Error:  # what it cost comes minutes late anyway
        cost = None
    return SandboxInfo(
        ref=SandboxRef(key=whole(_KEY, tags), instance=sandbox.object_id),
        labels=from_tags(tags),
        created=datetime.fromtimestamp(float(tags[_CREATED]), UTC),
        usd=None if cost is None else f"{cost:f}",
    )


def _is_snapshot(image: str) -> bool:
    """Modal's own name of an image, not one of a registry."""
    return image.startswith("im-")


def _cpu(limits: SandboxLimits) -> tuple[float, float] | None:
    """What is reserved and the limit; None: Modal's own."""
    return None if limits.cpus is None else (min(_CPU_REQUEST, limits.cpus), limits.cpus)
