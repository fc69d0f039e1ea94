"""Daytona: containers and machines in its cloud, or in one's own, through its HTTP interface."""

import asyncio
import hashlib
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from activities.sandbox.daytona_calls import Conflict, DaytonaCalls, State
from activities.sandbox.remote.vendor import Said, Vendor, python
from activities.sandbox.web_names import web_names
from workflows.domain.egress import covering, parse
from workflows.ports.sandbox import (
    BadSpec,
    Capabilities,
    Gone,
    Network,
    PolicyUnsupported,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Transient,
)

OWNER, KEY, LABEL = "pawl-owner", "pawl-key", "pawl-label-"
"""The labels of a sandbox of ours; every label of the spec is prefixed."""
_SNAPSHOT = "pawl-"
"""Begins the names of our snapshots."""
PROBES = ("pypi.org:443", "github.com:443", "registry.npmjs.org:443")
"""Hosts that Daytona's lower tiers leave open whatever a sandbox was made with: the first not in the allowlist must
not answer."""
_RUNS = "started"
_COMING = {"creating", "starting", "restoring", "resuming", "pending_build", "building_snapshot", "pulling_snapshot",
           "snapshotting", "resizing", "forking", "unknown"}  # fmt: skip
_PATIENCE_SECONDS = 180
"""For a sandbox to start, and for one to go."""
_PAUSE_SECONDS = 0.3
_APART = """{ err=$("$@" 2>&1 1>&3); } 3>&1; code=$?; printf '\\n%s\\n%s' MARK "$err"; exit $code"""
"""Runs its arguments and prints what they say on standard error behind a mark: Daytona gives one stream."""
_REACHES = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"


@dataclass
class DaytonaVendor(Vendor):
    """`image` is the Daytona snapshot that sandboxes without an image of their own are made of: one with git and
    python3 whose commands may run as root; empty: Daytona's default."""

    calls: DaytonaCalls
    image: str = ""
    target: str = ""
    """Daytona's region; empty: the account's default."""
    installation: str = "pawl"
    """Tells this Pawl's sandboxes from those of another that uses the same account."""
    probes: tuple[str, ...] = PROBES
    _known: dict[str, State] = field(default_factory=dict[str, State], init=False)
    """Sandboxes that this process has seen run, and whose network it has tried."""

    name = "daytona"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            network=Network.DOMAIN,
            kill=True,
            snapshot=True,
            hard_limits=False,
            images=True,
            tier="Daytona sandbox of its snapshot's size",
        )

    async def make(self, spec: SandboxSpec) -> str:
        names = web_names(spec.egress, "Daytona", wildcards=True)
        if spec.image.startswith(_SNAPSHOT):  # they share a list with those of the account
            raise BadSpec(f"{spec.image!r} begins like the snapshots Pawl makes. Name another (pawl.sandbox.image).")
        async with _patience("Daytona has not started a sandbox"):
            sandbox = await self._started(spec, names)
        if sandbox.id not in self._known:
            await self._require_closed(spec, sandbox)
            self._known[sandbox.id] = sandbox
        return sandbox.id

    async def run(self, instance: str, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        async with self._reached(instance) as sandbox:
            return await self._run(sandbox, argv, timeout_seconds)

    async def put(self, instance: str, path: str, data: bytes) -> None:
        async with self._reached(instance) as sandbox:
            await self.calls.upload(sandbox, path, data)

    async def get(self, instance: str, path: str, max_bytes: int) -> bytes:
        async with self._reached(instance) as sandbox:
            return await self.calls.download(sandbox, path, max_bytes)

    async def snapshot(self, instance: str) -> str:
        name = f"{_SNAPSHOT}{uuid4().hex}"
        async with self._reached(instance):
            await self.calls.snapshot(instance, name)
        async with _patience(f"Daytona has not finished the snapshot {name}"):
            while True:
                snapshot = await self.calls.snapshot_found(name)
                if snapshot and snapshot.state == "error":
                    raise Transient(f"Daytona could not make the snapshot {name}.")
                if snapshot and snapshot.state == "active" and await self._runs(instance):
                    return name
                await asyncio.sleep(_PAUSE_SECONDS)

    async def forget(self, reference: str) -> None:
        if not reference.startswith(_SNAPSHOT):
            raise BadSpec(f"{reference!r} is no snapshot of Pawl's.")
        if snapshot := await self.calls.snapshot_found(reference):
            await self.calls.delete_snapshot(snapshot.id)

    async def remove(self, key: str) -> None:
        sandbox = await self.calls.find(self._name(key))
        async with _patience(f"Daytona has not removed the sandbox of {key}"):
            while sandbox:
                self._known.pop(sandbox.id, None)
                if not sandbox.going:
                    await self.calls.delete(sandbox.id)
                await asyncio.sleep(_PAUSE_SECONDS)
                sandbox = await self.calls.find(sandbox.id)  # by its id: the next of its name may be there already

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        wanted = {OWNER: self.installation, **{f"{LABEL}{name}": value for name, value in labels.items()}}
        return [_info(sandbox) async for sandbox in self.calls.all(wanted) if _lives(sandbox)]

    async def _started(self, spec: SandboxSpec, names: tuple[str, ...]) -> State:
        """The name is unique in the account: of two makers one makes the sandbox, and both find it."""
        name = self._name(spec.key)
        while True:
            sandbox = await self.calls.find(name)
            if sandbox is None:
                try:
                    await self.calls.create(self._request(spec, name, names))
                except Conflict:
                    await asyncio.sleep(_PAUSE_SECONDS)
                except BadSpec as error:
                    if spec.snapshot and not await self.calls.snapshot_found(spec.snapshot):
                        raise Gone(f"The Daytona snapshot {spec.snapshot} was removed.") from error
                    raise
            elif sandbox.state == _RUNS and not sandbox.going:
                return sandbox
            elif not _lives(sandbox) and not sandbox.going:
                await self.calls.delete(sandbox.id)
                if sandbox.error_reason:
                    raise Transient(f"Daytona could not start a sandbox: {sandbox.error_reason}")
            else:
                await asyncio.sleep(_PAUSE_SECONDS)

    def _request(self, spec: SandboxSpec, name: str, names: tuple[str, ...]) -> dict[str, Any]:
        idle = spec.idle_seconds + spec.limits.seconds  # a command may run on while nobody asks
        asked: dict[str, Any] = {
            "name": name,
            "user": "root",
            "labels": {
                OWNER: self.installation,
                KEY: spec.key,
                **{f"{LABEL}{label}": value for label, value in spec.labels.items()},
            },
            "public": False,
            "autoStopInterval": math.ceil(idle / 60),
            "autoPauseInterval": 0,
            "autoDeleteInterval": 0,  # what has stopped is removed at once
            "ttlMinutes": math.ceil(spec.lifetime_seconds / 60),
            "networkBlockAll": not names,
        }
        if names:
            asked["domainAllowList"] = ",".join(names)
        if image := spec.snapshot or spec.image or self.image:
            asked["snapshot"] = image
        if self.target:
            asked["target"] = self.target
        return asked

    async def _require_closed(self, spec: SandboxSpec, sandbox: State) -> None:
        """Try what must not work: an account's tier can leave hosts open that a sandbox was told to block."""
        rules = [parse(rule) for rule in spec.egress]
        probes = ((host, port) for host, _, port in (probe.partition(":") for probe in self.probes))
        probe = next((probe for probe in probes if not covering(rules, probe[0], int(probe[1]))), None)
        if probe is None:
            return
        host, port = probe
        said = await self._run(sandbox, python(_REACHES, host, port), 30)
        if said.code == 0:
            await self.remove(spec.key)
            raise PolicyUnsupported(
                f"A Daytona sandbox reaches {host} although its allowlist does not name it. Daytona's lower tiers "
                "leave hosts open for all sandboxes of an account: closed networks need tier 3."
            )
        if said.code != 1:
            raise BadSpec(
                f"The Daytona sandbox cannot run python3 ({said.out} {said.err}): it must be in the snapshot."
            )

    async def _run(self, sandbox: State, argv: tuple[str, ...], timeout_seconds: float) -> Said:
        mark = uuid4().hex
        line = ("/bin/sh", "-c", _APART.replace("MARK", mark), "sh", *argv)
        code, said = await self.calls.execute(sandbox, _shell(line), math.ceil(timeout_seconds))
        out, found, err = said.rpartition(f"\n{mark}\n")
        if not found:
            raise Transient(f"Daytona has cut off what a command said: {said[-200:]}")
        return Said(code=code, out=out, err=err)

    @asynccontextmanager
    async def _reached(self, instance: str) -> AsyncGenerator[State]:
        """A running sandbox. What goes wrong in talking to it is Gone when it has ended."""
        sandbox = self._known.get(instance) or await self.calls.find(instance)
        if sandbox is None or sandbox.labels.get(OWNER) != self.installation:
            raise Gone(f"There is no Daytona sandbox {instance}.")
        try:
            yield sandbox
        except (FileNotFoundError, BadSpec, Gone, Transient) as error:
            if not await self._runs(instance) or isinstance(error, Gone):  # a proxy's word against the service's
                raise Transient(f"The Daytona sandbox {instance} cannot be reached: {error}") from error
            raise

    async def _runs(self, instance: str) -> bool:
        """Raises Gone when it never will again."""
        sandbox = await self.calls.find(instance)
        if sandbox is None or not _lives(sandbox):
            self._known.pop(instance, None)
            raise Gone(f"The Daytona sandbox {instance} has ended.")
        return sandbox.state == _RUNS

    def _name(self, key: str) -> str:
        return "pawl-" + hashlib.sha256(f"{self.installation} {key}".encode()).hexdigest()[:40]


def _lives(sandbox: State) -> bool:
    return not sandbox.going and (sandbox.state == _RUNS or sandbox.state in _COMING)


def _shell(argv: tuple[str, ...]) -> str:
    """Every word quoted: zsh reads more into bare words than shlex knows."""
    return " ".join("'" + word.replace("'", "'\"'\"'") + "'" for word in argv)


@asynccontextmanager
async def _patience(failed: str) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            yield
    except TimeoutError as error:
        raise Transient(f"{failed} within {_PATIENCE_SECONDS} s.") from error


def _info(sandbox: State) -> SandboxInfo:
    return SandboxInfo(
        ref=SandboxRef(key=sandbox.labels[KEY], instance=sandbox.id),
        labels={name.removeprefix(LABEL): value for name, value in sandbox.labels.items() if name.startswith(LABEL)},
        created=sandbox.created_at,
    )
