"""What local providers share: sandboxes as folders below one root, and jobs that outlive the worker."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from activities.sandbox import files, folders, jobs, leases
from activities.sandbox.folders import About
from activities.sandbox.launch import require_sane
from activities.sandbox.supervisor.spec import JobSpec
from workflows.ports.sandbox import (
    Command,
    Decisions,
    Gone,
    JobView,
    Sandbox,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Witness,
    require_supported,
)

_SWEEP_SECONDS = 60.0
_RENEW_SECONDS = 0.5
_SHORTEST_NAP, _LONGEST_NAP = 0.001, 0.025

T = TypeVar("T")


class LocalSandbox(Sandbox):
    """Sandboxes below `root`, a folder only we may enter.

    Each job is supervised by a process of its own that outlives us, so another worker with the same `root` can go on
    with it.
    """

    def __init__(self, root: Path, witness: Witness | None = None) -> None:
        """`witness` is told what the jobs of every sandbox were let reach before that is removed, for whatever reason:
        whoever started a job may not have seen its end."""
        self._root = root.absolute()
        self._witness = witness
        self._sweep_at = 0.0

    @abstractmethod
    def _make(self, spec: SandboxSpec) -> About:
        """The sandbox of the key, made when there is none."""

    @abstractmethod
    def _job_spec(self, job: Path, about: About, command: Command) -> JobSpec:
        """What the supervisor of a job with this folder is told."""

    async def ensure(self, spec: SandboxSpec) -> SandboxRef:
        require_supported(spec, self.capabilities)
        if time.monotonic() >= self._sweep_at:
            await self.sweep()
        about = await asyncio.to_thread(self._make, spec)
        return SandboxRef(key=spec.key, instance=about.instance)

    async def start(self, ref: SandboxRef, job: str, command: Command) -> None:
        require_sane(command)
        folder = self._job(ref, job)
        await self._within(ref, lambda about: jobs.start(folder, job, self._job_spec(folder, about, command)))

    async def poll(
        self, ref: SandboxRef, job: str, out_at: int = 0, err_at: int = 0, wait_seconds: float = 0
    ) -> JobView:
        folder = self._job(ref, job)
        started, renewed = time.monotonic(), 0.0
        while (waited := time.monotonic() - started) < wait_seconds and not jobs.has_ended(folder):
            if waited >= renewed:
                folders.renew(self._folder(ref))
                renewed = waited + _RENEW_SECONDS
            nap = max(_SHORTEST_NAP, min(waited / 8, _LONGEST_NAP))  # see the end late by an eighth of the time at most
            await asyncio.sleep(min(nap, wait_seconds - waited))
        return await self._within(ref, lambda _: jobs.view(folder, out_at, err_at))

    async def kill(self, ref: SandboxRef, job: str) -> None:
        await self._within(ref, lambda _: jobs.kill(self._job(ref, job)))

    async def read(self, ref: SandboxRef, path: str, max_bytes: int) -> bytes:
        return await self._within(ref, lambda _: files.read_file(self._folder(ref) / "work", path, max_bytes))

    async def write(self, ref: SandboxRef, path: str, data: bytes, mode: int = 0o644) -> None:
        work = self._folder(ref) / "work"
        await self._within(ref, lambda about: files.write_file(work, path, data, mode, about.uid))

    async def destroy(self, key: str) -> None:
        await asyncio.to_thread(self._destroy, key)

    async def list(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        found: list[SandboxInfo] = []
        for key in folders.living(self._root):
            with suppress(Gone):  # removed meanwhile
                about = folders.about_of(self._root / key)
                ref = SandboxRef(key=key, instance=about.instance)
                found.append(SandboxInfo(ref=ref, labels=about.labels, created=about.created))
        return [info for info in found if labels.items() <= info.labels.items()]

    async def sweep(self) -> tuple[str, ...]:
        """Remove the sandboxes whose time is over, what workers that died left half made or half removed, and
        snapshots nobody has started from for 30 days. The keys of the removed sandboxes.

        `ensure` does it now and then.
        """
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        return await asyncio.to_thread(self._sweep)

    def _folder(self, ref: SandboxRef) -> Path:
        return self._root / ref.key

    def _job(self, ref: SandboxRef, job: str) -> Path:
        return self._folder(ref) / "jobs" / folders.job_name(job)

    async def _within(self, ref: SandboxRef, work: Callable[[About], T]) -> T:
        def held() -> T:
            with folders.holding(self._folder(ref), ref) as about:
                return work(about)

        return await asyncio.to_thread(held)

    def _destroy(self, key: str) -> None:
        remains = folders.take_away(self._root, key)
        if remains is not None:
            self._bury(remains)

    def _bury(self, remains: Path) -> None:
        for folder in jobs.folders_of(remains):
            jobs.kill(folder)
        if self._witness:
            with suppress(Gone):  # half removed already, which begins when all is told
                self._tell(self._witness, remains, folders.about_of(remains))
        folders.remove(remains)

    def _tell(self, witness: Witness, remains: Path, about: About) -> None:
        for folder in jobs.folders_of(remains):
            if egress := jobs.egress(folder):
                name = jobs.name(folder)
                witness(Decisions(labels=about.labels, instance=about.instance, job=name, egress=egress))

    def _sweep(self) -> tuple[str, ...]:
        ended = leases.end(self._root)
        for remains in folders.taken_away(self._root):
            self._bury(remains)
        leases.clear(self._root)
        return ended
