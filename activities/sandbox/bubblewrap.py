"""Local sandboxes on Linux: one bubblewrap instance per job, one folder per sandbox that jobs share as /work."""

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from activities.sandbox import cgroups, files, folders, images, jobs, leases, mounts, scopes
from activities.sandbox.folders import About
from activities.sandbox.launch import STANDARD_PATH, Shown, job_spec, require_sane
from activities.sandbox.mounts import Mount
from activities.sandbox.refusals import BROKEN, INSTALL, MISSING, Refused
from workflows.ports.sandbox import (
    Capabilities,
    Command,
    ExitReason,
    Gone,
    JobView,
    Network,
    Sandbox,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    require_supported,
)

_SWEEP_SECONDS = 60.0
_RENEW_SECONDS = 0.5
_SHORTEST_NAP, _LONGEST_NAP = 0.001, 0.025

T = TypeVar("T")


class BubblewrapSandbox(Sandbox):
    """Sandboxes below `root`, a folder only we may enter.

    Each job is supervised by a process of its own that outlives us, so another worker with the same `root` can go on
    with it. As root, every sandbox gets a spare uid. `cgroup_root` None leaves cgroups, and systemd's, unused.
    """

    name = "bubblewrap"

    def __init__(
        self,
        root: Path,
        mounts: tuple[Mount, ...] = (),
        path_prefix: str = "",
        cgroup_root: Path | None = cgroups.FILE_SYSTEM,
    ) -> None:
        self._root = root.absolute()
        self._mounts = mounts
        self._path = f"{path_prefix}:{STANDARD_PATH}" if path_prefix else STANDARD_PATH
        self._cgroups = cgroups.find(cgroup_root)
        self._scopes = None if self._cgroups or os.geteuid() == 0 else scopes.find(cgroup_root)
        self._proven = False
        self._sweep_at = 0.0

    @property
    def capabilities(self) -> Capabilities:
        uid = "spare uid" if os.geteuid() == 0 else "same uid"
        limits = "systemd scope" if self._scopes else "rlimits and watchdog"
        limits = f"cgroup v{self._cgroups.version}" if self._cgroups else limits
        return Capabilities(
            network=Network.DOMAIN,
            kill=True,
            snapshot=True,
            hard_limits=bool((self._cgroups and self._cgroups.cpu) or (self._scopes and self._scopes.cpu)),
            tier=f"bubblewrap, {uid}, {limits}",
        )

    async def ensure(self, spec: SandboxSpec) -> SandboxRef:
        require_supported(spec, self.capabilities)
        if spec.image:
            images.require_reference(spec.image)
        if time.monotonic() >= self._sweep_at:
            await self.sweep()
        if not self._proven:
            await self.prove()
        about = await asyncio.to_thread(self._make, spec)
        return SandboxRef(key=spec.key, instance=about.instance)

    async def start(self, ref: SandboxRef, job: str, command: Command) -> None:
        require_sane(command)
        bwrap = _bwrap()

        def launch(about: About) -> None:
            folder = self._job(ref, job)
            shown = Shown(mounts=self._mounts, path=self._path, cgroups=self._cgroups, scopes=self._scopes)
            jobs.start(folder, job_spec(bwrap, folder, about, shown, command))

        await self._within(ref, launch)

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

    async def snapshot(self, ref: SandboxRef) -> str:
        """A copy of /work as it is; what a running command writes meanwhile may be in it or not."""
        bwrap, work = _bwrap(), self._folder(ref) / "work"
        return await self._within(ref, lambda about: images.keep(self._root, bwrap, work, about.uid))

    async def forget(self, reference: str) -> None:
        """Remove a snapshot; what does not exist is fine. Raises BadSpec for what is no reference of ours."""
        await asyncio.to_thread(images.forget, self._root, reference)

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

    async def prove(self) -> None:
        """Run a real sandbox once. Raises Refused, with the exact fix, where none can run."""
        _bwrap()
        mounts.require_sources(self._mounts)
        spec = SandboxSpec(key=f"proof-{secrets.token_hex(8)}")
        about = await asyncio.to_thread(self._make, spec)
        ref = SandboxRef(key=spec.key, instance=about.instance)
        try:
            await self.start(ref, "proof", Command(argv=("true",)))
            view = await self.poll(ref, "proof", wait_seconds=60)
        finally:
            await self.destroy(ref.key)
        if view.reason is not ExitReason.EXITED or view.code != 0:
            raise Refused(f"The sandbox ran `true` and it ended with {view.reason} {view.code}.", BROKEN)
        self._proven = True

    def _make(self, spec: SandboxSpec) -> About:
        if not spec.image:
            return folders.make(self._root, spec, folders.give_home)
        bwrap = _bwrap()
        return folders.make(
            self._root, spec, lambda folder, uid: images.fill(self._root, spec.image, bwrap, folder, uid)
        )

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
        for folder in (remains / "jobs").glob("*"):
            jobs.kill(folder)
        name = folders.instance_of(remains)
        folders.remove(remains)
        if self._cgroups and name:
            self._cgroups.remove(name)

    def _sweep(self) -> tuple[str, ...]:
        ended = leases.end(self._root)
        for remains in folders.taken_away(self._root):
            self._bury(remains)
        leases.clear(self._root)
        return ended


def _bwrap() -> str:
    found = shutil.which("bwrap")
    if found is None:
        raise Refused(MISSING, INSTALL)
    return found
