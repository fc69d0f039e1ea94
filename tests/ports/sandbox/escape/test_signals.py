"""Clocks, timers, signals and priorities: the host's stay as they are, and a command's time is counted outside."""

import os
import time

import pytest

from tests.ports.sandbox.escape.raw import raw, tries
from tests.ports.sandbox.providers import host_processes, python, ran, shell
from workflows.ports.sandbox import ExitReason, Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


async def test_no_clock_is_set(sandbox: Sandbox, ref: SandboxRef) -> None:
    """To the time it is, so that nothing happens to a host that lets it."""
    drift = time.time() - time.monotonic()
    tried = await tries(
        sandbox,
        ref,
        """
now = time.time()
for clock in range(12):
    refused(f"clock {clock}", call("clock_settime", clock, struct.pack("qq", int(now), 0)))
refused("settimeofday", call("settimeofday", struct.pack("qq", int(now), 0), 0))
refused("time zone", call("settimeofday", 0, struct.pack("ii", 0, 0)))
state = ctypes.create_string_buffer(208)
call("adjtimex", state)
status = struct.unpack_from("i", state, 40)[0]
for mode in (0x1, 0x2, 0x10, 0x20, 0x100, 0x4000, 0x8001):
    change = ctypes.create_string_buffer(208)
    struct.pack_into("I", change, 0, mode); struct.pack_into("i", change, 40, status)
    refused(f"adjust {mode}", call("adjtimex", change), "EPERM", "EINVAL")
attempt("wake a sleeping machine", lambda: time.clock_settime(8, now))
for device in ("/dev/rtc", "/dev/rtc0", "/dev/hpet", "/dev/ptp0"): attempt(device, lambda: os.open(device, os.O_RDONLY))
""",
    )
    assert tried == 26
    assert abs(time.time() - time.monotonic() - drift) < 1


async def test_nobody_runs_before_the_host(sandbox: Sandbox, ref: SandboxRef) -> None:
    await tries(
        sandbox,
        ref,
        """
import resource
for policy in (1, 2):
    attempt("real time", lambda: os.sched_setscheduler(0, policy, os.sched_param(1)))
attempt("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -1))
attempt("nice of all", lambda: os.setpriority(os.PRIO_USER, 0, -20))
number |= {"ioprio_set": 251 if os.uname().machine == "x86_64" else 30}
refused("real time for disks", call("ioprio_set", 1, 0, 1 << 13))
for name in ("RTPRIO", "NICE", "FSIZE", "NOFILE"):
    which = getattr(resource, "RLIMIT_" + name)
    soft, hard = resource.getrlimit(which)
    attempt("more " + name, lambda: resource.setrlimit(which, (hard + 1, hard + 1)))
import mmap
page = mmap.mmap(-1, 64 << 20)
""",
    )


# Scripts that never end by themselves. However they treat signals, their time ends.
ENDLESS = {
    "stops itself": "kill -STOP $$; sleep 60",
    "stops its whole group": "kill -STOP 0; sleep 60",
    "stops everything": "kill -STOP -1; sleep 60",
    "stops what started it": "kill -STOP $PPID; sleep 60",
    "ignores everything": "for n in $(seq 64); do trap '' $n 2>/dev/null; done; while :; do :; done",
    "restarts when told to end": "trap 'exec sleep 60' TERM HUP INT; kill -TERM $$; sleep 60",
    "leaves the group": "setsid sh -c 'kill -STOP $$'; sleep 60",
    "spins in every process": "for n in 1 2 3 4 5 6; do (while :; do :; done) & done; wait",
}


@pytest.mark.parametrize("how", ENDLESS)
async def test_time_ends_whatever_signals_do(sandbox: Sandbox, ref: SandboxRef, mark: str, how: str) -> None:
    started = time.monotonic()
    script = f"setsid sleep {mark} & {ENDLESS[how]}"
    view = await ran(sandbox, ref, "j", shell(script, timeout_seconds=0.5))
    assert view.reason is ExitReason.TIMEOUT
    assert time.monotonic() - started < 5
    assert not host_processes(mark)


async def test_a_storm_of_signals_and_timers_stays_inside(sandbox: Sandbox, ref: SandboxRef) -> None:
    storm = """
import signal
for n in range(1, 65):
    try: signal.signal(n, lambda *_: None)
    except (OSError, ValueError): pass
# not as often as can be: a slow machine would do nothing but answer them
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
signal.setitimer(signal.ITIMER_PROF, 0.0001, 0.0001)
until = time.monotonic() + 0.5
while time.monotonic() < until:
    for pid in (0, -1, 1, os.getppid()):
        for n in (1, 2, 10, 12, 15, 18, 28, 34, 64):
            try: os.kill(pid, n)
            except OSError: pass
os._exit(3)
"""
    view = await ran(sandbox, ref, "j", python(raw(storm)))
    # the shell between us and the command may have died of them; whoever is outside has not
    assert view.reason in (ExitReason.EXITED, ExitReason.SIGNALLED)
    assert (await ran(sandbox, ref, "k", "echo fine")).out == b"fine\n"
    assert os.getpgid(0) > 0
