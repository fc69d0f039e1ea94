"""One process: stop it, see how it ended, see it dead."""

# ruff: noqa: PTH123
# pathlib would double the start-up time of every job

import ctypes
import os
import select
import time

_SIGKILL, _SIGSTOP = 9, 19  # by number: importing `signal` would cost a third of the start-up time
_PIDFD_SEND_SIGNAL = 424


def halt(pid: int) -> None:
    """Stop a process and wait until it has stopped, so that it cannot reap its child any more."""
    os.kill(pid, _SIGSTOP)
    deadline = time.monotonic() + 2
    while _stat(pid)[:1] == ["S"] or _stat(pid)[:1] == ["R"]:
        if time.monotonic() > deadline:
            return
        time.sleep(0.0005)


def wait_status(pid: int) -> int | None:
    """The wait status of a zombie (proc(5), stat field 52); None when it has been reaped."""
    fields = _stat(pid)
    return int(fields[49]) if fields[:1] == ["Z"] else None


def wait_for_death(init: int, deadline: float) -> None:
    """Process 1 of a sandbox, given by its pidfd, dies only after all others in it; it is killed again in case bwrap's
    end did not."""
    poll = select.poll()
    poll.register(init, select.POLLIN)
    if not poll.poll(500):
        ctypes.CDLL(None).syscall(_PIDFD_SEND_SIGNAL, init, _SIGKILL, None, 0)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1_000)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/pid/stat from the state on; empty when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []
