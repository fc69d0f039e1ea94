"""Where there is no sandbox: the supervisor inherits what the command leaves behind, and ends it.

A sandbox's processes die with its first one. Here nothing holds them together but their descent, and nothing ends them
when the supervisor itself is killed.
"""

import ctypes
import os
import time

from . import watch

_PR_SET_CHILD_SUBREAPER = 36
_SIGKILL, _SIGSTOP = 9, 19


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants(deadline: float) -> None:
    """Kill them until there are none: stopped first, so that none can make more meanwhile."""
    while (found := watch.family(os.getpid())[1:]) and time.monotonic() < deadline:
        for number in (_SIGSTOP, _SIGKILL):
            for pid in found:
                _signal(pid, number)
        _reap()
        time.sleep(0.001)


def _signal(pid: int, number: int) -> None:
    try:  # noqa: SIM105 - without contextlib, which start-up would have to pay for
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
