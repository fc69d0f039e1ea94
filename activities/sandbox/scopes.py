"""Transient systemd scopes: limits by the kernel for an ordinary user, whose systemd may set what he may not."""

import os
import shutil
import subprocess
from pathlib import Path

from activities.sandbox.cgroups import OWN_PROCESSES
from workflows.domain.model import Record
from workflows.domain.policy import SandboxLimits

_PROBE_SECONDS = 5.0
_PROBED = SandboxLimits(memory_mb=64, processes=16, cpus=0.5)
_SHOW_LIMITS = 'cd "$1$(sed -n s/^0:://p /proc/self/cgroup)" && head -n 1 memory.max pids.max cpu.max'


class Scopes(Record):
    """How to run a program in a scope of its own."""

    program: str
    environment: dict[str, str]
    """What systemd-run needs to find the user's systemd; the program itself is given none of it."""
    root: Path
    """Where the control groups (version 2) are mounted."""
    cpu: bool
    """Whether CPU time is capped too: not every system lets its users."""

    def launcher(self, limits: SandboxLimits) -> list[str]:
        """What to put before a program and its arguments. Its process becomes the program's."""
        properties = [
            f"MemoryMax={limits.memory_mb << 20}",
            "MemorySwapMax=0",
            f"TasksMax={limits.processes + OWN_PROCESSES}",
            *([] if limits.cpus is None else [f"CPUQuota={max(round(limits.cpus * 100), 1)}%"]),
        ]
        return [
            *(self.program, "--user", "--scope", "--quiet", "--collect", "--no-ask-password"),
            *(part for value in properties for part in ("--property", value)),
            *("--", "/usr/bin/env", "-i"),
        ]


def find(root: Path | None) -> Scopes | None:
    """None where no user's systemd caps memory and processes. Asks it once, by running a program, for seconds at most.

    `root` None: do not look.
    """
    program = shutil.which("systemd-run")
    if root is None or program is None:
        return None
    environment = {"PATH": os.environ.get("PATH", ""), "XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"}
    environment |= {
        name: os.environ[name] for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS") if name in os.environ
    }
    scopes = Scopes(program=program, environment=environment, root=root, cpu=False)
    try:
        shown = _limits_inside(scopes)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if shown.get("memory.max") != str(_PROBED.memory_mb << 20):
        return None
    if shown.get("pids.max") != str(_PROBED.processes + OWN_PROCESSES):
        return None
    quota, _, period = shown.get("cpu.max", "").partition(" ")
    return scopes.model_copy(update={"cpu": quota.isdigit() and int(quota) * 2 == int(period)})


def _limits_inside(scopes: Scopes) -> dict[str, str]:
    """What the group of a scope says of itself: file -> first line."""
    ran = subprocess.run(
        [*scopes.launcher(_PROBED), "sh", "-c", _SHOW_LIMITS, "sh", str(scopes.root)],
        env=scopes.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_PROBE_SECONDS,
        text=True,
        check=False,
    )
    parts = (part.partition(" <==\n") for part in ran.stdout.split("==> "))
    return {name: value.strip() for name, _, value in parts}
