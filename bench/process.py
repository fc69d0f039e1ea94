"""This machine and its processes: what the kernel knows of them, and what the benchmark says meanwhile."""

import os
import platform
import sys
import time
from pathlib import Path

from workflows.domain.model import Record

_TICKS = os.sysconf("SC_CLK_TCK")


class Cpu(Record):
    """CPU seconds since the process started."""

    own: float
    children: float
    """Of the processes it started and has seen end: git, sandbox starters."""

    def since(self, before: "Cpu") -> "Cpu":
        return Cpu(own=self.own - before.own, children=self.children - before.children)


def cpu(pid: int) -> Cpu:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = (int(field) / _TICKS for field in fields[11:15])
    return Cpu(own=user + system, children=children_user + children_system)


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(kilobytes) / 1024


def own_cpu() -> float:
    """CPU seconds of this process."""
    return cpu(os.getpid()).own


def host() -> dict[str, str]:
    return {"cores": str(os.cpu_count()), "python": platform.python_version(), "system": platform.platform()}


def say(what: str) -> None:
    """Progress, beside the figures."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)
