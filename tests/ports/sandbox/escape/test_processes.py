"""Processes: the host's are out of reach, and nothing of the sandbox outlives its command."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from tests.ports.sandbox.escape.raw import raw, tries
from tests.ports.sandbox.providers import host_processes, python, ran, shell, until
from workflows.ports.sandbox import ExitReason, JobState, Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


async def test_processes_of_the_host_are_out_of_reach(sandbox: Sandbox, ref: SandboxRef) -> None:
    view = await ran(sandbox, ref, "j", f"ls -d /proc/[0-9]* | wc -l; kill -9 {os.getpid()} {os.getppid()}; kill -9 -1")
    assert int(view.out) <= 8
    assert (view.reason, view.code) == (ExitReason.SIGNALLED, 9), "the supervisor outside lived to tell"


async def test_numbers_of_host_processes_mean_nothing_inside(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    """A victim of our own user on the host; its number is told to the attacker."""
    victim = await asyncio.create_subprocess_exec("sleep", mark)
    try:
        await tries(
            sandbox,
            ref,
            f"""
import resource, signal
for pid in ({victim.pid}, {os.getpid()}, {os.getppid()}, -{os.getpgid(0)}, -{victim.pid}):
    for number_of in (0, signal.SIGSTOP, signal.SIGKILL):
        attempt("kill", lambda: os.kill(pid, number_of))
    refused("ptrace attach", call("ptrace", 16, pid, 0, 0), "ESRCH")
    refused("ptrace seize", call("ptrace", 0x4206, pid, 0, 0), "ESRCH")
    refused("pidfd", call("pidfd_open", pid, 0), "ESRCH", "EINVAL")
    vector = struct.pack("PN", ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    refused("read memory", call("process_vm_readv", pid, vector, 1, vector, 1, 0), "ESRCH")
    attempt("limits", lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE))
    attempt("affinity", lambda: os.sched_getaffinity(pid) and os.sched_setaffinity(pid, [0]))
    attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt("session", lambda: os.getsid(pid))
""",
        )
        assert victim.returncode is None
        assert os.getpriority(os.PRIO_PROCESS, victim.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    finally:
        victim.kill()
        await victim.wait()


OUTLIVING = {
    "in sessions of their own, twice removed": """
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/"); time.sleep(MARK)
        os._exit(0)
""",
    "deaf to every signal": """
import signal
if os.fork() == 0:
    for n in range(1, 65):
        try: signal.signal(n, signal.SIG_IGN)
        except (OSError, ValueError): pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(MARK)
""",
    "stopped": """
import signal
for _ in range(3):
    if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP); time.sleep(MARK)
""",
    "traced by a brother": """
child = os.fork()
if child == 0: time.sleep(MARK)
if os.fork() == 0:
    call("ptrace", 16, child, 0, 0); time.sleep(MARK)
""",
    "in the middle of vfork": """
if os.fork() == 0:
    if libc.vfork() == 0: libc.sleep(MARK)
""",
    "told to die with nobody": """
if os.fork() == 0:
    libc.prctl(1, 0); libc.prctl(36, 1)
    if os.fork() == 0: os.setsid(); time.sleep(MARK)
    time.sleep(MARK)
""",
    "with many threads": """
import threading
if os.fork() == 0:
    for _ in range(20): threading.Thread(target=time.sleep, args=(MARK,)).start()
""",
    "starting each other for ever": """
def chain():
    while True:
        if os.fork(): os._exit(0)
        os.setsid(); time.sleep(0.001)
for _ in range(3):
    if os.fork() == 0: chain()
""",
}
ENDS = {
    "by itself": ("", ExitReason.EXITED),
    "by time": ("time.sleep(MARK)", ExitReason.TIMEOUT),
    "by kill": ("open('/work/ready', 'w').close(); time.sleep(MARK)", ExitReason.KILLED),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("how", OUTLIVING)
async def test_nothing_outlives_its_command(
    sandbox: Sandbox, ref: SandboxRef, mark: str, tmp_path: Path, how: str, end: str
) -> None:
    last, reason = ENDS[end]
    script = f"MARK = {mark}\n{OUTLIVING[how]}\ntime.sleep(0.1)\n{last}"
    await sandbox.start(ref, "j", python(raw(script), timeout_seconds=0.4 if reason is ExitReason.TIMEOUT else 30))
    if reason is ExitReason.KILLED:
        await until(lambda: (tmp_path / "sandboxes/one/work/ready").exists())
        await sandbox.kill(ref, "j")
    started = time.monotonic()
    view = await sandbox.poll(ref, "j", wait_seconds=20)
    assert (view.state, view.reason) == (JobState.EXITED, reason)
    assert time.monotonic() - started < 5
    assert not host_processes(mark)


async def test_a_command_that_kills_what_starts_it_ends(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    """The shell between it and us, and the sandbox's first process, which no signal from inside reaches."""
    view = await ran(sandbox, ref, "j", f"setsid sleep {mark} & kill -9 1; kill -STOP 1; kill -9 $PPID; sleep {mark}")
    assert (view.reason, view.code) == (ExitReason.SIGNALLED, 9)
    assert not host_processes(mark)


async def test_a_command_that_wakes_what_starts_it_gains_nothing(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    script = f"kill -CONT $PPID; setsid sleep {mark} & kill -CONT $PPID; sleep 0.2; kill -STOP $PPID; exit 7"
    view = await ran(sandbox, ref, "j", shell(script, timeout_seconds=2))
    assert (view.reason, view.code) in ((ExitReason.EXITED, 7), (ExitReason.TIMEOUT, None))
    assert not host_processes(mark)


async def test_what_starts_the_command_takes_no_orders_from_its_files(sandbox: Sandbox, ref: SandboxRef) -> None:
    """Pipes the shell holds, and files with the names the supervisor uses, in every folder there is."""
    script = """
import os
for fd in os.listdir(f"/proc/{os.getppid()}/fd"):
    for mode in (os.O_WRONLY, os.O_RDWR):
        try: os.write(os.open(f"/proc/{os.getppid()}/fd/{fd}", mode | os.O_NONBLOCK), b'{"exit-code": 0}k\\n0\\n')
        except OSError: pass
for folder in ("/work", "/work/home", "/tmp"):
    for name in ("exit", "exit.new", "control", "started", "pid", "spec", "log", "usage", "about.json"):
        open(f"{folder}/{name}", "w").write("killed - 0")
os._exit(7)
"""
    view = await ran(sandbox, ref, "j", python(script))
    assert (view.reason, view.code) == (ExitReason.EXITED, 7)
    assert (await ran(sandbox, ref, "k", "echo still here")).out == b"still here\n"
