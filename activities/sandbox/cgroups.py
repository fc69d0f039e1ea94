"""Control groups where they are writable: version 1, version 2, or both at once."""

import os
import time
from contextlib import suppress
from pathlib import Path

from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits

FILE_SYSTEM = Path("/sys/fs/cgroup")
_OWN_PROCESSES = 8
"""bwrap, the sandbox's first process and two shells count as well; the rest is for what is just ending."""

_REMOVE_SECONDS = 2.0


class Cgroups(Record):
    """Where a job's groups can be made."""

    version: int
    memory: Path
    pids: Path

    def plan(self, name: str, limits: SandboxLimits) -> list[tuple[str, list[tuple[str, str]]]]:
        """The folders to make for one job, and what to write into each."""
        memory = str(limits.memory_mb << 20)
        pids = [("pids.max", str(limits.processes + _OWN_PROCESSES))]
        if self.version == 2:
            values = [("memory.max", memory), *self._where_present("memory.swap.max", "0")]
            return [(str(self.memory / name), [*values, ("memory.oom.group", "1"), *pids])]
        values = [("memory.limit_in_bytes", memory), *self._where_present("memory.memsw.limit_in_bytes", memory)]
        return [(str(self.memory / name), values), (str(self.pids / name), pids)]

    def oom_events(self, name: str) -> str:
        return str(self.memory / name / ("memory.events" if self.version == 2 else "memory.oom_control"))

    def remove(self, name: str) -> None:
        """Remove the folder of a sandbox and what dead supervisors left in it; living ones are about to do it."""
        for folder in {self.memory / name, self.pids / name}:
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
    folders = [_made(root / controller / own[controller].lstrip("/") / "pawl") for controller in ("memory", "pids")]
    if folders[0] is None or folders[1] is None:
        return None
    return Cgroups(version=1, memory=folders[0], pids=folders[1])


def _version_2(root: Path) -> Cgroups | None:
    """Below the root of the hierarchy: a group that has processes of its own cannot hold limited groups."""
    for base in (root, root / "unified"):
        controllers = base / "cgroup.controllers"
        if not controllers.exists() or not {"memory", "pids"} <= set(controllers.read_text().split()):
            continue
        folder = _made(base / "pawl")
        if folder and _enable(base) and _enable(folder):
            return Cgroups(version=2, memory=folder, pids=folder)
    return None


def _enable(folder: Path) -> bool:
    try:
        (folder / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:
        return False
    return True


def _made(folder: Path) -> Path | None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
