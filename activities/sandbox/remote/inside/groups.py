"""What the container's own control group, of version 2 or 1, caps and tells."""

# ruff: noqa: PTH123
# pathlib would double the start-up time

from __future__ import annotations

from activities.sandbox.supervisor import watch

_ROOT = "/sys/fs/cgroup/"
_EVENTS = (_ROOT + "memory.events", _ROOT + "memory/memory.oom_control")
_MEMORY = (_ROOT + "memory.max", _ROOT + "memory/memory.limit_in_bytes")
_PROCESSES = (_ROOT + "pids.max", _ROOT + "pids/pids.max")
_PRESENT = (_ROOT + "pids.current", _ROOT + "pids/pids.current")
_SPARE = 24
"""Processes and threads without which the vendor cannot start a command of ours."""


def oom_kills() -> int:
    """How many processes the kernel has killed here for want of memory."""
    return max(watch.oom_kills(path) for path in _EVENTS)


def caps_memory(limit: int) -> bool:
    """Whether the kernel keeps all of the sandbox within so many bytes."""
    return _number(_MEMORY) <= limit


def caps_processes() -> bool:
    return _number(_PROCESSES) < 1 << 20


def is_crowded() -> bool:
    """Whether there are so many processes that soon nobody could even kill them."""
    most = _number(_PROCESSES)
    return caps_processes() and _number(_PRESENT) > most - min(_SPARE, most // 4)


def _number(paths: tuple[str, ...]) -> int:
    """The least of the caps; a very large number when there is none."""
    found = [1 << 62]
    for path in paths:
        try:
            with open(path) as file:
                found.append(int(file.read()))
        except (OSError, ValueError):  # absent, or `max`
            continue
    return min(found)
