"""Output for people and models: readable whatever the bytes were, and short."""

import re

from workflows.domain.policy import SandboxLimits
from workflows.domain.shown import visible
from workflows.ports.sandbox import ExitReason

_MOST = 10_000
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""With which terminals are told to paint and to move."""


def readable(output: bytes, lost_more: bool = False) -> str:
    """Head and tail of at most 10,000 characters together; what was cut between them is said.

    `lost_more`: what came after these bytes was not kept.
    """
    text = output.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    end = "\n[output went on; the rest was not kept]\n" if lost_more else ""
    room = _MOST - len(end)
    if len(text) <= room:
        return text + end
    half = (room - 50) // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters cut]\n{text[-half:]}{end}"


def without_colours(text: str) -> str:
    return _SEQUENCES.sub("", text)


def tail(output: str, most: int) -> str:
    """The last characters, for people: what a screen does not show is written out."""
    return visible(without_colours(output).replace("\r\n", "\n").strip()[-most:])[-most:]


def how_it_ended(reason: ExitReason, code: int | None, seconds: int, limits: SandboxLimits) -> str:
    """How a command ended, to follow its name; `seconds` and `limits` are what it was given."""
    match reason:
        case ExitReason.EXITED:
            return f"exited {code}"
        case ExitReason.SIGNALLED:
            return f"ended by signal {code}"
        case ExitReason.TIMEOUT:
            return f"timed out after {seconds} s"
        case ExitReason.OOM:
            return f"needed more than {limits.memory_mb} MB of memory"
        case ExitReason.DISK:
            return f"needed more than {limits.disk_mb} MB of disk"
        case ExitReason.KILLED | ExitReason.GONE:
            return "was killed"
