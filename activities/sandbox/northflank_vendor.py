"""Northflank's deployment services as sandboxes: RemoteSandbox makes a provider of them.

A service has a name of ours, which is the key: Northflank takes each name once in a project. An instance is its one
container, by name, so that a container that was started anew is never taken for the one that held the files.
"""

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from httpx import AsyncClient, HTTPError
from northflank import ApiCallError, AsyncApiClient
from pydantic import ValidationError
from websockets.exceptions import WebSocketException

from activities.sandbox.northflank_services import Services
from activities.sandbox.northflank_snapshots import Snapshots
from activities.sandbox.northflank_terms import (
    PROBE,
    About,
    image_of,
    meaning,
    service_data,
)
from activities.sandbox.patience import pauses, within
from activities.sandbox.remote.vendor import Said, Vendor, python, shell
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Capacity,
    Denied,
    Gone,
    Network,
    PolicyUnsupported,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Transient,
)

_BOOT_SECONDS = 300
_SNAPSHOT_SECONDS = 900
_FILE_SECONDS = 600
_CHUNK = 64 * 1024
_NO_FILE = 66


class NorthflankVendor(Vendor):
    """`project` holds nothing but sandboxes, and `policy` is the network policy that closes it. `image` is that of
    sandboxes that name none. `tags` are put on every service: they choose the runtime (Kata, gVisor) it has."""

    name = "northflank"

    def __init__(
        self,
        api_token: str,
        installation: str,
        *,
        project: str,
        policy: str,
        image: str,
        tags: tuple[str, ...] = (),
        base_url: str | None = None,
        http: AsyncClient | None = None,
    ) -> None:
        # Its client repeats a call whose connection broke, whatever we say. Repeating ours does no harm.
        self._client = AsyncApiClient(api_token, base_url=base_url, async_http_client=http)
        self._services = Services(self._client, project)
        self._snapshots = Snapshots(self._client, project)
        self._installation = installation
        self._project = project
        self._policy = policy
        self._image = image
        self._tags = tags
        self._proved: set[str] = set()
        """Instances that were seen to reach nothing."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            network=Network.NONE,
            kill=True,
            snapshot=True,
            hard_limits=False,
            images=True,
            tier="Northflank service",
        )

    async def make(self, spec: SandboxSpec) -> str:
        if spec.egress:
            raise PolicyUnsupported(f"Northflank's policies know no ports, and the allowlist has {spec.egress[0]}.")
        async with self._translated():
            service = self._service_of(spec.key)
            about = await self._services.about(service)
            if about and about.until < time.time():
                await self._services.delete(service)
                about = None
            if about is None:
                await self._services.require_closed(self._policy)
                await self._create(service, spec)
            instance = f"{service}/{await self._started(service)}"
        await self._prove(instance)
        return instance

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        service, pod = _parts(instance)
        async with self._translated(instance), within(timeout_seconds, f"{argv[0]} in {instance}"):
            ended = await self._client.exec.arun_service_command(
                project_id=self._project,
                service_id=service,
                instance_name=pod,
                command=list(argv),
                user=0,
                timeout=timeout_seconds + 10,
            )
            if ended.exit_code is None:
                raise Transient(f"Northflank lost the exit code of a command: {ended.message}")
            return Said(code=ended.exit_code, out=ended.stdout, err=ended.stderr)

    async def put(self, instance: str, path: str, data: bytes) -> None:
        # `head` ends by itself with the last byte: an end of input can overtake what was sent before it.
        script = 'head -c "$2" > "$1" && wc -c < "$1"'
        code, out, err = await self._piped(instance, script, (path, str(len(data))), data)
        if code != 0 or int(out) != len(data):
            raise Transient(f"{path} could not be written: {err.decode(errors='replace')[-500:]}")

    async def get(self, instance: str, path: str, max_bytes: int) -> bytes:
        script = f'[ -f "$1" ] || exit {_NO_FILE}; head -c "$2" < "$1"'
        code, out, err = await self._piped(instance, script, (path, str(max_bytes + 1)), b"")
        if code == _NO_FILE:
            raise FileNotFoundError(path)
        if code != 0:
            raise Transient(f"{path} could not be read: {err.decode(errors='replace')[-500:]}")
        if len(out) > max_bytes:
            raise BadSpec(f"{path} has more than {max_bytes} bytes.")
        return out

    async def snapshot(self, instance: str) -> str:
        service, pod = _parts(instance)
        async with self._translated(instance), within(_SNAPSHOT_SECONDS, f"The snapshot of {instance}"):
            about = await self._services.about(service)
            if about is None:
                raise Gone(f"The Northflank service {service} is gone.")
            return f"{about.image}#{await self._snapshots.make(service, pod)}"

    async def forget(self, reference: str) -> None:
        snapshot = image_of(reference)[1]
        if not snapshot:
            raise BadSpec(f"{reference!r} names no snapshot of Northflank's.")
        async with self._translated():
            await self._snapshots.delete(snapshot)

    async def remove(self, key: str) -> None:
        async with self._translated():
            await self._services.delete(self._service_of(key))

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        infos: list[SandboxInfo] = []
        async with self._translated():
            found = await self._client.list.services.all(project_id=self._project, per_page=100)
            for service in [one["id"] for one in found.data["services"]]:
                about = await self._services.about(service)
                if about is None or about.installation != self._installation:
                    continue
                if about.until < time.time():  # Northflank keeps services for ever, so their lifetime is ours to keep
                    await self._services.delete(service)
                elif labels.items() <= about.labels.items() and (pod := await self._services.pod(service)):
                    ref = SandboxRef(key=about.key, instance=f"{service}/{pod}")
                    created = datetime.fromtimestamp(about.made, UTC)
                    infos.append(SandboxInfo(ref=ref, labels=about.labels, created=created))
        return infos

    def _service_of(self, key: str) -> str:
        digest = hashlib.sha256(f"{self._installation}\0{key}".encode()).hexdigest()
        return f"pawl-{digest[:32]}"

    async def _create(self, service: str, spec: SandboxSpec) -> None:
        plan = await self._services.plan(spec.limits.memory_mb)
        image, snapshot = image_of(spec.snapshot) if spec.snapshot else (spec.image or self._image, "")
        made = time.time()
        about = About(
            installation=self._installation,
            key=spec.key,
            labels=spec.labels,
            image=image,
            made=made,
            until=made + spec.lifetime_seconds,
        )
        data: Any = service_data(service, about, plan, snapshot, spec.limits.disk_mb, self._tags)
        try:
            await self._client.create.service.deployment(project_id=self._project, data=data)
        except ApiCallError as error:
            if snapshot and not await self._snapshots.has(snapshot):
                raise Gone(f"The Northflank snapshot {snapshot} was removed.") from error
            # The name may be taken, by another maker or by our own call whose answer was lost.
            if error.status in (401, 403, 429) or error.status >= 500 or await self._services.about(service) is None:
                raise

    async def _started(self, service: str) -> str:
        """The name of its container, which runs."""
        deadline, looks = time.monotonic() + _BOOT_SECONDS, pauses()
        while not (pod := await self._services.pod(service)):
            if await self._services.failed(service):
                raise BadSpec(f"Northflank could not start {service}. Read there why: often the image is not found.")
            if time.monotonic() > deadline:
                raise Capacity(f"Northflank has not started {service} in {_BOOT_SECONDS} seconds.")
            await asyncio.sleep(next(looks))
        return pod

    async def _prove(self, instance: str) -> None:
        if instance in self._proved:
            return
        said = await self.run(instance, python(PROBE), 30)
        if said.out.startswith("open"):
            async with self._translated():
                await self._services.delete(_parts(instance)[0])
            raise PolicyUnsupported(
                f"A sandbox at Northflank could reach {said.out.strip()[5:]}, which the network policy {self._policy} "
                "denies. Policies hold on clusters of your own (BYOC) only."
            )
        self._proved.add(instance)

    async def _piped(
        self, instance: str, script: str, words: tuple[str, ...], data: bytes
    ) -> tuple[int | None, bytes, bytes]:
        """Run a shell script with bytes for its input: its exit code and the bytes of its output."""
        service, pod = _parts(instance)
        streams = {"stdout": bytearray(), "stderr": bytearray()}
        async with self._translated(instance), within(_FILE_SECONDS, f"A file of {instance}"):
            session = await self._client.exec.aopen_session(
                project_id=self._project,
                resource_id=service,
                instance_name=pod,
                command=[*shell(script, *words)],
                user=0,
                encoding="base64",
                tty=False,
            )
            try:
                for at in range(0, len(data), _CHUNK):
                    await session.send(base64.b64encode(data[at : at + _CHUNK]).decode())
                async for piece in session:
                    streams[piece.stream] += base64.b64decode(piece.data)
                ended = await session.wait()
            finally:
                await session.aclose()
        return ended.exit_code, bytes(streams["stdout"]), bytes(streams["stderr"])

    @asynccontextmanager
    async def _translated(self, instance: str = "") -> AsyncGenerator[None]:
        """Northflank's errors as the port's. What it refuses about an instance is judged by whether that still runs."""
        try:
            yield
        except (ApiCallError, WebSocketException) as error:
            meant = meaning(error)
            if instance and not isinstance(meant, Denied | Capacity) and not await self._lives(instance):
                raise Gone(f"The Northflank container {instance} is gone.") from error
            raise meant from error
        except (HTTPError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise Transient(f"Northflank could not be asked: {error!r}") from error
        except ValidationError as error:
            raise Transient(f"Northflank's answer cannot be read: {error}") from error

    async def _lives(self, instance: str) -> bool:
        service, pod = _parts(instance)
        try:
            return await self._services.pod(service) == pod
        except (ApiCallError, HTTPError):
            return True


def _parts(instance: str) -> tuple[str, str]:
    service, _, pod = instance.partition("/")
    return service, pod
