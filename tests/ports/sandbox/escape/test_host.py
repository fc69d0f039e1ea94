"""Files, devices, descriptors and rights of the host, and of the sandbox next door: out of sight."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ports.sandbox.escape.raw import tries
from tests.ports.sandbox.providers import host_processes, made, python, ran, shell, until
from workflows.ports.sandbox import Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


async def test_files_and_environment_of_the_host_are_out_of_sight(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = uuid4().hex
    (tmp_path / "secret").write_text(secret)
    monkeypatch.setenv("PAWL_GATEWAY_SECRET", secret)
    ref = await made(sandbox)
    hidden = ("/root", "/home", "/sys", "/boot", "/var/log", "/etc/shadow", "/etc/hostname", str(tmp_path))
    for n, path in enumerate(hidden):
        assert b"No such file or directory" in (await ran(sandbox, ref, f"ls{n}", f"ls {path}")).err
    script = f"""
        env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'; cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'
        grep -rsa [{secret[0]}]{secret[1:]} /etc /tmp /run /var /work /opt/python/bin; cat /proc/self/fd/[3-9]
    """
    view = await ran(sandbox, ref, "j", script)
    assert secret.encode() not in view.out + view.err
    assert str(tmp_path).encode() not in view.out
    top = await ran(sandbox, ref, "k", "cd /; echo *; cd /etc; echo *")
    seen = set(top.out.decode().split())
    assert not seen & {"root", "home", "sys", "boot", "srv", "mnt", "shadow", "sudoers", "ssh", "machine-id"}


async def test_only_work_and_temporary_folders_are_writable(sandbox: Sandbox, ref: SandboxRef) -> None:
    script = (
        "for d in / /usr /usr/bin /etc /dev /run /var /opt/python /proc; do touch $d/x 2>/dev/null && echo $d; done"
    )
    assert (await ran(sandbox, ref, "j", script)).out == b""
    kept = await ran(sandbox, ref, "k", "touch /tmp/x /dev/shm/x /work/x /work/home/x /var/tmp/y && ls /tmp")
    assert kept.out == b"x\ny\n"
    assert (await ran(sandbox, ref, "l", "ls /tmp /dev/shm; cat /dev/null; head -c 1 /dev/urandom | wc -c")).code == 0
    assert (await ran(sandbox, ref, "m", "ls /tmp | wc -l")).out == b"0\n", "each command has its own"


async def test_sandboxes_do_not_see_each_other(sandbox: Sandbox, ref: SandboxRef, mark: str, tmp_path: Path) -> None:
    other = await made(sandbox, "other")
    await sandbox.write(other, mark, b"theirs")
    await sandbox.start(other, "j", shell(f"echo theirs > /tmp/{mark}; sleep {mark}", timeout_seconds=60))
    await until(lambda: bool(host_processes(f"sleep\0{mark}")))
    view = await ran(sandbox, ref, "j", f"find / -name {mark} 2>/dev/null; pgrep -x sleep; ls /work")
    assert view.out == b"home\n"
    if os.geteuid() == 0:
        owners = {(tmp_path / "sandboxes" / key / "work").stat().st_uid for key in (ref.key, other.key)}
        assert len(owners) == 2
        assert 0 not in owners


async def test_two_sandboxes_have_no_secret_channel(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    """Shared memory, semaphores, message queues, abstract sockets, locks, and the times of a folder both can see."""
    other = await made(sandbox, "other")
    name = f"pawl-{uuid4().hex}"
    sender = f"""
import ctypes, fcntl, os, socket, time
libc = ctypes.CDLL(None)
print(libc.shmget(77, 4096, 0o1666), libc.msgget(77, 0o1666), libc.semget(77, 1, 0o1666))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("\\0{name}")
open("/dev/shm/{name}", "w").write("x"); open("/tmp/{name}", "w").write("x")
fcntl.flock(os.open("/usr", os.O_RDONLY), fcntl.LOCK_EX)
open("/work/ready", "w").close(); time.sleep(60)
"""
    receiver = f"""
import ctypes, fcntl, os, socket
libc = ctypes.CDLL(None)
print(libc.shmget(77, 4096, 0), libc.msgget(77, 0), libc.semget(77, 1, 0))
try: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect("\\0{name}"); print("connected")
except OSError: pass
print([at for at in ("/dev/shm/{name}", "/tmp/{name}") if os.path.exists(at)])
for file in ("/usr", "/usr/bin/env"):
    try: os.utime(file); print("touched", file)
    except OSError: pass
"""
    await sandbox.start(other, "j", python(sender, timeout_seconds=60))
    await until(lambda: (tmp_path / "sandboxes/other/work/ready").exists())
    view = await ran(sandbox, ref, "j", python(receiver))
    assert (view.out, view.err) == (b"-1 -1 -1\n[]\n", b"")
    await sandbox.kill(other, "j")


async def test_files_of_the_host_cannot_be_linked_to_or_made_special(
    sandbox: Sandbox, ref: SandboxRef, tmp_path: Path
) -> None:
    (tmp_path / "sandboxes/one/work/set").write_text("#!/bin/sh\nid -u\n")
    await tries(
        sandbox,
        ref,
        """
for source in ("/usr/bin/env", "/etc/passwd", "/etc/resolv.conf", "/proc/self/exe", "/proc/1/exe", "/dev/null"):
    for follow in (True, False):
        attempt("link to " + source, lambda: os.link(source, "/work/linked", follow_symlinks=follow))
    attempt("rename " + source, lambda: os.rename(source, "/work/moved"))
    attempt("chmod " + source, lambda: os.chmod(source, 0o4777))
    attempt("remove " + source, lambda: os.unlink(source))
for own in ("/work", "/work/home"):
    for owner in (0, 1, 65534): attempt("give away " + own, lambda: os.chown(own, owner, -1))
open("/work/mine", "w").close(); os.chmod("/work/mine", 0o6777)
attempt("become who owns a file", lambda: os.setresuid(0, 0, 0))
attempt("join a group", lambda: os.setgroups([0]))
for name in ("security.capability", "trusted.x"):
    attempt("mark with " + name, lambda: os.setxattr("/work/mine", name, bytes(20)))
import fcntl
fd = os.open("/work/mine", os.O_RDONLY)
for flag in (0x10, 0x20):  # immutable, append-only: what root itself could not remove
    attempt("flag", lambda: fcntl.ioctl(fd, 0x40086602, struct.pack("l", flag)))
for file in ("/proc/1/exe", "/usr/bin/bwrap", "/usr/bin/env", "/usr/bin/sh", "/opt/python/bin/python3"):
    attempt("overwrite " + file, lambda: os.open(file, os.O_WRONLY))
    attempt("truncate " + file, lambda: os.truncate(file, 0))
""",
    )


async def test_devices_are_the_harmless_ones_and_no_terminal_is_spoken_to(sandbox: Sandbox, ref: SandboxRef) -> None:
    script = """
import fcntl, os, stat
harmless = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"}
for folder, _, files in os.walk("/dev"):
    for file in files:
        at = os.path.join(folder, file)
        kind = os.lstat(at).st_mode
        special = stat.S_ISCHR(kind) or stat.S_ISBLK(kind)
        if special and file not in harmless and "/pts/" not in at: print("device", at)
for at in (0, 1, 2, "/dev/tty", "/dev/console", "/dev/pts/0"):
    try:
        fd = at if isinstance(at, int) else os.open(at, os.O_RDWR)
        fcntl.ioctl(fd, 0x5412, b"x")  # TIOCSTI: type for the person at the terminal
        print("typed", at)
    except OSError: pass
    try: fcntl.ioctl(fd, 0x540E, 1); print("took the terminal", at)
    except (OSError, NameError): pass
print(os.getsid(0) != 0 and os.tcgetpgrp.__name__)
"""
    view = await ran(sandbox, ref, "j", python(script))
    assert (view.out, view.err) == (b"tcgetpgrp\n", b"")


async def test_what_the_worker_was_given_is_not_handed_on(provider: str, tmp_path: Path) -> None:
    """Its open files, its right to run before everybody else, its terminal group, its umask, its ignored signals."""
    (tmp_path / "secret").write_text("the worker's secret")
    inside = """
import os, resource, signal
held = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
print(sorted(os.readlink(link).partition(":")[0] for link in held if os.path.exists(link)))
print(sorted(n for n in os.environ if n != "LC_CTYPE"))
print([n for n in (1, 3, 14, 15) if signal.getsignal(n) is signal.SIG_IGN], oct(os.umask(0)))
print(resource.getrlimit(resource.RLIMIT_CORE)[1] <= 1)
"""
    starter = f"""
import asyncio, os, resource, signal
from pathlib import Path
from tests.ports.sandbox.providers import PROVIDERS, made, python, ran
fd = os.open({str(tmp_path / "secret")!r}, os.O_RDWR)
for at in (5, 9, 17, 50): os.dup2(fd, at, inheritable=True)
os.umask(0); signal.signal(signal.SIGHUP, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
async def main():
    sandbox = PROVIDERS[{provider!r}](Path({str(tmp_path / "sandboxes")!r}))
    ref = await made(sandbox)
    view = await ran(sandbox, ref, "j", python({inside!r}))
    await sandbox.destroy(ref.key)
    print((view.out + view.err).decode(), end="")
asyncio.run(main())
"""
    said = await started(starter)
    assert said.splitlines() == [
        "['/dev/null', 'pipe', 'pipe']",
        "['HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR', 'USER']",
        "[] 0o22",
        "True",
    ]


async def started(script: str) -> str:
    """What a worker of its own says that runs this."""
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.decode()
