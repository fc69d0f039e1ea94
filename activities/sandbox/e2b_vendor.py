"""E2B: microVMs in its cloud, or in one's own, through its SDK."""

import asyncio
import hashlib
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from e2b import (
    ALL_TRAFFIC,
    ApiParams,
    AsyncSandbox,
    CommandExitException,
    FileNotFoundException,
    SandboxException,
    SandboxQuery,
    SandboxState,
)
from e2b import SandboxInfo as Listed

from activities.sandbox.e2b_errors import translated
from activities.sandbox.remote.vendor import Said, Vendor, shell
from activities.sandbox.web_names import web_names
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

OWNER, KEY, LIFETIME, WINDOW, LABEL = "pawl-owner", "pawl-key", "pawl-lifetime", "pawl-window", "pawl-label-"
"""What a sandbox of ours says about itself in its metadata; every label of the spec is prefixed."""
PLACEHOLDER = "192.0.2.1"
"""What allowed names resolve to inside (RFC 5737, nobody's). E2B's firewall looks at the name that a connection asks
for and resolves it outside."""
_SNAPSHOT = "snapshot/"
"""Begins our references to snapshots, which E2B names and treats as it does templates."""
_SAME_MINUTE = 60
"""Seconds for which two requests for a sandbox are one. E2B repeats its answers, refusals too, for much longer."""
_TRIES = 60
_PAUSE_SECONDS = 0.5
_ADD_HOSTS = f"""
for name do
    grep -qxF "{PLACEHOLDER} $name" /etc/hosts || printf '%s\\n' "{PLACEHOLDER} $name" >> /etc/hosts
done
"""


class _Open(NamedTuple):
    """A sandbox that this process has spoken with."""

    sandbox: AsyncSandbox
    ends: float
    """When its lifetime is over, in seconds since 1970."""
    window: int
    """How many seconds it may be left alone."""
    renewed: float


@dataclass
class E2BVendor(Vendor):
    """`template` is what sandboxes without an image of their own are made of: one with git and python3.

    `api_url` and `sandbox_url` are for tests; an E2B of one's own is named by `domain`.
    """

    api_key: str
    template: str = "base"
    installation: str = "pawl"
    """Tells this Pawl's sandboxes from those of another that uses the same account."""
    domain: str | None = None
    api_url: str | None = None
    sandbox_url: str | None = None
    _open: dict[str, _Open] = field(default_factory=dict[str, _Open], init=False)

    name = "e2b"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            network=Network.DOMAIN,
            kill=True,
            snapshot=True,
            hard_limits=False,
            images=True,
            tier="E2B microVM of its template's size",
        )

    async def make(self, spec: SandboxSpec) -> str:
        names = web_names(spec.egress, "E2B", wildcards=False)
        with translated():
            instance = await self._made(spec, names)
        if names:
            said = await self.run(instance, shell(_ADD_HOSTS, *names), 30)
            if said.code:
                raise BadSpec(f"The allowed names cannot be written to /etc/hosts in the E2B sandbox: {said.err}")
        return instance

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        with translated():
            sandbox = await self._reach(instance)
            try:
                result = await sandbox.commands.run(shlex.join(argv), user="root", cwd="/", timeout=timeout_seconds)
            except CommandExitException as ended:
                return Said(code=ended.exit_code, out=ended.stdout, err=ended.stderr)
        return Said(code=result.exit_code, out=result.stdout, err=result.stderr)

    async def put(self, instance: str, path: str, data: bytes) -> None:
        with translated():
            sandbox = await self._reach(instance)
            write = sandbox.files.write  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - a bare IO
            await write(path, data, user="root", use_octet_stream=True)

    async def get(self, instance: str, path: str, max_bytes: int) -> bytes:
        with translated():
            sandbox = await self._reach(instance)
            try:
                reader = await sandbox.files.read(path, format="stream", user="root")
            except FileNotFoundException as error:
                raise FileNotFoundError(path) from error
            kept = bytearray()
            async with reader:
                async for chunk in reader:
                    kept += chunk
                    if len(kept) > max_bytes:
                        raise BadSpec(f"{path} is larger than {max_bytes} bytes.")
        return bytes(kept)

    async def snapshot(self, instance: str) -> str:
        """Of the disk alone: with its memory, what runs in the sandbox would run on in every other made of it."""
        await self.run(instance, ("sync",), 60)
        with translated():
            sandbox = await self._reach(instance)
            return _SNAPSHOT + (await sandbox.create_snapshot(mode="filesystem")).snapshot_id

    async def forget(self, reference: str) -> None:
        if not reference.startswith(_SNAPSHOT):
            raise BadSpec(f"{reference!r} is no snapshot of Pawl's: it may be a template of yours.")
        with translated():
            await AsyncSandbox.delete_snapshot(reference.removeprefix(_SNAPSHOT), **self._connection())

    async def remove(self, key: str) -> None:
        with translated():
            for listed in await self._find({KEY: key}):
                await self._kill(listed.sandbox_id)

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        with translated():
            found = await self._find({f"{LABEL}{name}": value for name, value in labels.items()})
        return [_info(listed) for listed in found]

    async def _made(self, spec: SandboxSpec, names: tuple[str, ...]) -> str:
        """The oldest sandbox of the key, a new one where there is none. Two makers in one minute send the same request;
        of two who did not, the one with the younger sandbox gives way."""
        dead: tuple[str, ...] = ()
        for _ in range(_TRIES):
            if found := await self._find({KEY: spec.key}):
                return found[0].sandbox_id
            made = await self._create(spec, names, dead)
            if made is None:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            found = await self._find({KEY: spec.key})
            if found and found[0].sandbox_id != made:
                await self._kill(made)
            if found or await self._lives(made):
                return found[0].sandbox_id if found else made
            dead = (*dead, made)  # the repeated answer to a request whose sandbox has been removed since
        raise Transient("E2B has not said for a while whether it made the sandbox.")

    async def _create(self, spec: SandboxSpec, names: tuple[str, ...], dead: tuple[str, ...]) -> str | None:
        """None while the same request of another maker is being worked on."""
        window = spec.idle_seconds + spec.limits.seconds  # a command may run on while nobody asks
        same = f"{self.installation} {spec.model_dump_json()} {dead} {int(time.time()) // _SAME_MINUTE}"
        try:
            sandbox = await AsyncSandbox.create(
                template=spec.snapshot.removeprefix(_SNAPSHOT) or spec.image or self.template,
                timeout=min(window, spec.lifetime_seconds),
                metadata={
                    OWNER: self.installation,
                    KEY: spec.key,
                    LIFETIME: str(spec.lifetime_seconds),
                    WINDOW: str(window),
                    **{f"{LABEL}{name}": value for name, value in spec.labels.items()},
                },
                allow_internet_access=bool(names),
                network={
                    "allow_out": [*names],
                    "deny_out": [ALL_TRAFFIC],
                    "dns_servers": [],
                    "allow_public_traffic": False,
                },
                idempotency_key=hashlib.sha256(same.encode()).hexdigest(),
                **self._connection(),
            )
        except SandboxException as error:
            if error.status_code == 409:
                return None
            if error.status_code == 404 and spec.snapshot:
                raise Gone(f"The E2B {spec.snapshot} was removed.") from error
            raise
        return sandbox.sandbox_id

    async def _lives(self, instance: str) -> bool:
        try:
            with translated():
                await self._state(instance)
        except Gone:
            return False
        return True

    async def _reach(self, instance: str) -> AsyncSandbox:
        """The sandbox, with its time renewed. E2B ends a sandbox at a time it is told: ours is told again as long as
        somebody asks for something."""
        now = time.time()
        known = self._open.get(instance)
        if known is None:
            state = await self._state(instance)
            ends = state.started_at.timestamp() + float(state.metadata[LIFETIME])
            window = int(state.metadata[WINDOW])
            left = await self._left(instance, ends, window)
            sandbox = await AsyncSandbox.connect(instance, timeout=left, **self._connection())
            known = self._open[instance] = _Open(sandbox, ends, window, now)
        elif now - known.renewed > known.window / 4:
            left = await self._left(instance, known.ends, known.window)
            await AsyncSandbox.set_timeout(instance, left, **self._connection())
            self._open[instance] = known._replace(renewed=now)
        return known.sandbox

    async def _left(self, instance: str, ends: float, window: int) -> int:
        """Seconds the sandbox gets from now. Raises Gone when its lifetime is over."""
        left = min(window, int(ends - time.time()))
        if left < 1:
            await self._kill(instance)
            raise Gone(f"The E2B sandbox {instance} has reached the end of its lifetime.")
        return left

    async def _state(self, instance: str) -> Listed:
        state = await AsyncSandbox.get_info(instance, **self._connection())
        if state.state is not SandboxState.RUNNING or state.metadata.get(OWNER) != self.installation:
            raise Gone(f"The E2B sandbox {instance} does not run, or is not ours.")
        return state

    async def _find(self, metadata: dict[str, str]) -> "list[Listed]":
        """Our running sandboxes with this metadata, the oldest first."""
        query = SandboxQuery(metadata={OWNER: self.installation, **metadata}, state=[SandboxState.RUNNING])
        pages = AsyncSandbox.list(query, **self._connection())
        found: list[Listed] = []
        while pages.has_next:
            found += await pages.next_items()
        return sorted(found, key=lambda listed: (listed.started_at, listed.sandbox_id))

    async def _kill(self, instance: str) -> None:
        self._open.pop(instance, None)
        await AsyncSandbox.kill(instance, **self._connection())

    def _connection(self) -> ApiParams:
        told = ApiParams(api_key=self.api_key, retries=0, debug=False)
        if self.domain:
            told["domain"] = self.domain
        if self.api_url:
            told["api_url"] = self.api_url
        if self.sandbox_url:
            told["sandbox_url"] = self.sandbox_url
        return told


def _info(listed: Listed) -> SandboxInfo:
    return SandboxInfo(
        ref=SandboxRef(key=listed.metadata[KEY], instance=listed.sandbox_id),
        labels={name.removeprefix(LABEL): value for name, value in listed.metadata.items() if name.startswith(LABEL)},
        created=listed.started_at,
    )
