"""Control groups where they are writable: version 1, version 2, or both at once."""

import math
import os
import time
from contextlib import suppress
from pathlib import Path

from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits

FILE_SYSTEM = Path("/sys/fs/cgroup")
OWN_PROCESSES = 8
"""bwrap, the sandbox's first process and two shells count as well; the rest is for what is just ending."""

_PERIOD = 100_000
"""Microseconds in which a quota of CPU time is given out."""
_LEAST_QUOTA = 1_000
"""The kernel's."""
_QUOTA, _PERIOD_FILE = "cpu.cfs_quota_us", "cpu.cfs_period_us"
_REMOVE_SECONDS = 2.0


class Cgroups(Record):
    """Where a job's groups can be made."""

    version: int
    memory: Path
    pids: Path
    cpu: Path | None = None
    """None: CPU time cannot be capped here."""

    def plan(self, name: str, limits: SandboxLimits) -> list[tuple[str, list[tuple[str, str]]]]:
        """The folders to make for one job, and what to write into each."""
        memory = str(limits.memory_mb << 20)
        pids = [("pids.max", str(limits.processes + OWN_PROCESSES))]
        cpu = self._cpu_values(limits)
        if self.version == 2:
            values = [("memory.max", memory), *self._where_present("memory.swap.max", "0")]
            return [(str(self.memory / name), [*values, ("memory.oom.group", "1"), *pids, *cpu])]
        values = [("memory.limit_in_bytes", memory), *self._where_present("memory.memsw.limit_in_bytes", memory)]
        groups = [(str(self.memory / name), values), (str(self.pids / name), pids)]
        return [*groups, (str(self.cpu / name), cpu)] if self.cpu and cpu else groups

    def _cpu_values(self, limits: SandboxLimits) -> list[tuple[str, str]]:
        if limits.cpus is None or self.cpu is None:
            return []
        if self.version == 2:
            return [("cpu.max", f"{_quota(limits.cpus)} {_PERIOD}")]
        cpus = min(limits.cpus, _left_by_groups_above(self.cpu))
        return [(_PERIOD_FILE, str(_PERIOD)), (_QUOTA, str(_quota(cpus)))]

    def oom_events(self, name: str) -> str:
        return str(self.memory / name / ("memory.events" if self.version == 2 else "memory.oom_control"))

    def remove(self, name: str) -> None:
        """Remove the folder of a sandbox and what dead supervisors left in it; living ones are about to do it."""
        for folder in {base / name for base in (self.memory, self.pids, self.cpu) if base}:
            deadline = time.monotonic() + _REMOVE_SECONDS
            while folder.exists() and time.monotonic() < deadline:
                for inner in (*folder.glob("*/"), folder):
                    with suppress(OSError):  # the kernel still counts the dead
                        inner.rmdir()
                if folder.exists():
                    time.sleep(0.02)

    def _where_present(self, file: str, value: str) -> list[tuple[str, str]]:
        return [(file, value)] if (self.memory / file).exists() else []


def find(root: Path | None, membership: str = "/proc/self/cgroup") -> Cgroups | None:
    """The cgroups this process can make groups in, or None. `root` None: do not look."""
    if root is None:
        return None
    return _version_1(root, Path(membership)) or _version_2(root)


def _version_1(root: Path, membership: Path) -> Cgroups | None:
    """Below our own groups, so that limits set on us hold for the jobs too."""
    own: dict[str, str] = {}
    for line in membership.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), path)
    if not {"memory", "pids"} <= own.keys():
        return None
    memory, pids = (_made(root / name / own[name].lstrip("/") / "pawl") for name in ("memory", "pids"))
    if memory is None or pids is None:
        return None
    cpu = _made(root / "cpu" / own["cpu"].lstrip("/") / "pawl") if "cpu" in own else None
    return Cgroups(version=1, memory=memory, pids=pids, cpu=cpu if cpu and (cpu / _QUOTA).exists() else None)


def _version_2(root: Path) -> Cgroups | None:
    """Below the root of the hierarchy: a group that has processes of its own cannot hold limited groups."""
    for base in (root, root / "unified"):
        controllers = base / "cgroup.controllers"
        if not controllers.exists() or not {"memory", "pids"} <= set(controllers.read_text().split()):
            continue
        folder = _made(base / "pawl")
        if folder and all(_enable(place, "+memory +pids") for place in (base, folder)):
            has_cpu = all(_enable(place, "+cpu") for place in (base, folder))
            return Cgroups(version=2, memory=folder, pids=folder, cpu=folder if has_cpu else None)
    return None


def _left_by_groups_above(folder: Path) -> float:
    """Processors. Version 1 refuses a quota that is wider than one above it."""
    cpus = math.inf
    for group in folder.parents:
        if not (group / _QUOTA).exists():
            break
        quota = int((group / _QUOTA).read_text())
        if quota > 0:
            cpus = min(cpus, quota / int((group / _PERIOD_FILE).read_text()))
    return cpus


def _quota(cpus: float) -> int:
    return max(int(cpus * _PERIOD), _LEAST_QUOTA)


def _enable(folder: Path, controllers: str) -> bool:
    try:
        (folder / "cgroup.subtree_control").write_text(controllers)
    except OSError:
        return False
    return True


def _made(folder: Path) -> Path | None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
