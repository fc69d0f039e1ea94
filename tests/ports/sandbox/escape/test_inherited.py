"""What a process hands on to its children without being asked: nothing of the worker's arrives in a sandbox."""

import asyncio
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ports.sandbox.escape.raw import raw, tries
from tests.ports.sandbox.providers import LOCAL, python, ran
from workflows.ports.sandbox import Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox

_PROJECT = Path(__file__).parents[4]


async def said_inside(tier: str, root: Path, worker: str, inside: str) -> str:
    """What a script says in a sandbox that a worker has started which has made this and that of itself before."""
    script = f"""
import asyncio, signal
from pathlib import Path
from tests.ports.sandbox.providers import LOCAL, made, python, ran
{worker}
async def main():
    sandbox = LOCAL[{tier!r}](Path({str(root)!r}))
    ref = await made(sandbox)
    view = await ran(sandbox, ref, "j", python({raw(inside)!r}))
    await sandbox.destroy(ref.key)
    print((view.out + view.err).decode(), end="")
asyncio.run(main())
"""
    command = [sys.executable, "-c", raw(script)]
    ran = await asyncio.to_thread(subprocess.run, command, cwd=_PROJECT, capture_output=True, check=False)
    assert not ran.stderr, ran.stderr.decode()
    return ran.stdout.decode()


@pytest.mark.parametrize("tier", LOCAL)
async def test_the_keys_of_the_worker_are_not_handed_on(tier: str, tmp_path: Path) -> None:
    """Whoever holds a keyring may read what is in it."""
    secret = uuid4().hex
    keep = f"""
call("keyctl", 1, None)
assert call("add_key", b"user", b"pawl-test", b"{secret}", {len(secret)}, -3) > 0
"""
    steal = """
buffer = ctypes.create_string_buffer(100)
key = call("keyctl", 10, -3, b"user", b"pawl-test", 0)
length = call("keyctl", 11, key, buffer, 100)
print(key, buffer.raw[:max(length, 0)].decode())
"""
    assert await said_inside(tier, tmp_path / "sandboxes", keep, steal) == "-1 \n"


async def test_no_call_reaches_a_keyring(sandbox: Sandbox, ref: SandboxRef) -> None:
    await tries(
        sandbox,
        ref,
        """
for ring in (-1, -2, -3, -4, -5, -8):
    refused(f"number of {ring}", call("keyctl", 0, ring, 1), "EPERM")
    refused(f"new key in {ring}", call("add_key", b"user", b"pawl-test", b"x", 1, ring), "EPERM")
refused("ask", call("request_key", b"user", b"pawl-test", None, -3), "EPERM")
refused("join", call("keyctl", 1, None), "EPERM")
""",
    )


@pytest.mark.parametrize("tier", LOCAL)
async def test_signals_the_worker_blocks_or_ignores_reach_the_command(tier: str, tmp_path: Path) -> None:
    deaf = """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
signal.signal(signal.SIGHUP, signal.SIG_IGN)
"""
    inside = "import signal\nprint(signal.pthread_sigmask(signal.SIG_BLOCK, []), int(signal.getsignal(signal.SIGHUP)))"
    assert await said_inside(tier, tmp_path / "sandboxes", deaf, inside) == "set() 0\n"


async def test_no_crash_starts_a_program_on_the_host(sandbox: Sandbox, ref: SandboxRef) -> None:
    """Where crashes are piped to a program, it runs as root and outside, unless the limit is exactly one byte. Programs
    that set it go on."""
    script = """
import resource
core = lambda: resource.getrlimit(resource.RLIMIT_CORE)
none = struct.pack("QQ", 0, 0)
print(core())
for size in (0, 1 << 30): resource.setrlimit(resource.RLIMIT_CORE, (size, size)); print(core())
print(call("setrlimit", 4, none), core())
print(call("prlimit64", 0, 4, none, 0), core())
print(call("prlimit64", os.getpid(), 4 | 1 << 32, none, 0), core())
print(call("setrlimit", 4 | 1 << 32, none), core())
resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99)); print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    view = await ran(sandbox, ref, "j", python(raw(script)))
    assert view.out.decode().splitlines() == ["(1, 1)"] * 3 + ["0 (1, 1)"] * 4 + ["(99, 99)"], view.err


@pytest.mark.parametrize("tier", LOCAL)
async def test_the_precedence_of_the_worker_is_not_handed_on(tier: str, tmp_path: Path) -> None:
    """Neither what it has nor what it may take, as far as whoever runs this may have any."""
    favoured = """
import resource
def favour(how, *arguments):
    try: how(*arguments)
    except (PermissionError, ValueError): pass
favour(resource.setrlimit, resource.RLIMIT_RTPRIO, (95, 95))
favour(resource.setrlimit, resource.RLIMIT_NICE, (40, 40))
favour(os.setpriority, os.PRIO_PROCESS, 0, -5)
favour(os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1))
"""
    inside = """
import resource
print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0) >= 0)
print([resource.getrlimit(which) for which in (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE)])
"""
    said = await said_inside(tier, tmp_path / "sandboxes", favoured, inside)
    assert said == "0 True\n[(0, 0), (0, 0)]\n"


async def test_others_come_first_when_memory_or_open_files_run_out(sandbox: Sandbox, ref: SandboxRef) -> None:
    script = "cat /proc/self/oom_score_adj; ulimit -Hn"
    first_to_die, files = (await ran(sandbox, ref, "j", script)).out.split()
    assert first_to_die == b"1000"
    assert int(files) <= 8_192
