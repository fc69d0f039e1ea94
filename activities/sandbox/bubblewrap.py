"""Local sandboxes on Linux: one bubblewrap instance per job, one folder per sandbox that jobs share as /work."""

import asyncio
import os
import secrets
import shutil
from pathlib import Path

from activities.sandbox import cgroups, folders, images, mounts, scopes
from activities.sandbox.folders import About
from activities.sandbox.launch import STANDARD_PATH, Shown, job_spec
from activities.sandbox.local import LocalSandbox
from activities.sandbox.mounts import Mount
from activities.sandbox.refusals import BROKEN, INSTALL, MISSING, Refused
from activities.sandbox.supervisor.spec import JobSpec
from workflows.ports.sandbox import (
    Capabilities,
    Command,
    ExitReason,
    Network,
    SandboxRef,
    SandboxSpec,
    Witness,
    require_supported,
)


class BubblewrapSandbox(LocalSandbox):
    """As root, every sandbox gets a spare uid. `cgroup_root` None leaves cgroups, and systemd's, unused."""

    name = "bubblewrap"

    def __init__(
        self,
        root: Path,
        mounts: tuple[Mount, ...] = (),
        path_prefix: str = "",
        cgroup_root: Path | None = cgroups.FILE_SYSTEM,
        witness: Witness | None = None,
    ) -> None:
        super().__init__(root, witness)
        self._mounts = mounts
        self._path = f"{path_prefix}:{STANDARD_PATH}" if path_prefix else STANDARD_PATH
        self._cgroups = cgroups.find(cgroup_root)
        self._scopes = None if self._cgroups or os.geteuid() == 0 else scopes.find(cgroup_root)
        self._proven = False

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
        if spec.snapshot:
            images.require_reference(spec.snapshot)
        if not self._proven:
            await self.prove()
        return await super().ensure(spec)

    async def snapshot(self, ref: SandboxRef) -> str:
        """A copy of /work as it is; what a running command writes meanwhile may be in it or not."""
        bwrap, work = _bwrap(), self._folder(ref) / "work"
        return await self._within(ref, lambda about: images.keep(self._root, bwrap, work, about.uid))

    async def forget(self, reference: str) -> None:
        await asyncio.to_thread(images.forget, self._root, reference)

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
        uid = folders.spare_uid()
        if not spec.snapshot:
            return folders.make(self._root, spec, uid, lambda folder: folders.give_home(folder, uid))
        bwrap = _bwrap()
        return folders.make(
            self._root, spec, uid, lambda folder: images.fill(self._root, spec.snapshot, bwrap, folder, uid)
        )

    def _job_spec(self, job: Path, about: About, command: Command) -> JobSpec:
        shown = Shown(mounts=self._mounts, path=self._path, cgroups=self._cgroups, scopes=self._scopes)
        return job_spec(_bwrap(), job, about, shown, command)

    def _bury(self, remains: Path) -> None:
        name = folders.instance_of(remains)
        super()._bury(remains)
        if self._cgroups and name:
            self._cgroups.remove(name)


def _bwrap() -> str:
    found = shutil.which("bwrap")
    if found is None:
        raise Refused(MISSING, INSTALL)
    return found
