"""What untrusted code would try. Every attempt is a test; nothing gets out."""

import os
import socket
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ports.sandbox.providers import host_processes, made, python, ran, shell, until
from workflows.ports.sandbox import ExitReason, Sandbox, SandboxRef

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


async def test_processes_of_the_host_are_out_of_reach(sandbox: Sandbox, ref: SandboxRef) -> None:
    view = await ran(sandbox, ref, "j", f"ls -d /proc/[0-9]* | wc -l; kill -9 {os.getpid()} {os.getppid()}; kill -9 -1")
    assert int(view.out) <= 8
    assert (view.reason, view.code) == (ExitReason.SIGNALLED, 9), "the supervisor outside lived to tell"


async def test_there_are_no_privileges_to_gain(sandbox: Sandbox, ref: SandboxRef) -> None:
    view = await ran(
        sandbox,
        ref,
        "j",
        """
        id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status | tr -s '\\t' ' '
        for attempt in 'unshare -U true' 'unshare -m true' 'mount -t tmpfs none /work' 'chroot / true' \
            'mknod /work/sda b 8 0' 'su root' 'cat /proc/kcore' 'cat /proc/kmsg' 'dmesg' \
            'sh -c "echo 1 > /proc/sys/kernel/sysrq"' 'sh -c "echo b > /proc/sysrq-trigger"' 'chown 0 /work'
        do eval "$attempt" >/dev/null 2>&1 </dev/null && echo "succeeded: $attempt"; done
        ls /proc/self/fd | tr '\\n' ' '
        """,
    )
    assert view.out.decode().splitlines() == [
        "1000",
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "NoNewPrivs: 1",
        "0 1 2 3 ",
    ]


async def test_only_work_and_temporary_folders_are_writable(sandbox: Sandbox, ref: SandboxRef) -> None:
    script = (
        "for d in / /usr /usr/bin /etc /dev /run /var /opt/python /proc; do touch $d/x 2>/dev/null && echo $d; done"
    )
    assert (await ran(sandbox, ref, "j", script)).out == b""
    kept = await ran(sandbox, ref, "k", "touch /tmp/x /dev/shm/x /work/x /work/home/x /var/tmp/y && ls /tmp")
    assert kept.out == b"x\ny\n"
    assert (await ran(sandbox, ref, "l", "ls /tmp /dev/shm; cat /dev/null; head -c 1 /dev/urandom | wc -c")).code == 0
    assert (await ran(sandbox, ref, "m", "ls /tmp | wc -l")).out == b"0\n", "each command has its own"


async def test_nothing_can_be_reached(sandbox: Sandbox, ref: SandboxRef) -> None:
    abstract = f"\0pawl-{uuid4().hex}"
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as hidden,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(f"{folder}/socket")
        hidden.bind(abstract)
        unix.listen()
        hidden.listen()
        udp.settimeout(0.2)
        script = f"""
import socket
def attempt(name, action):
    try:
        action()
        print("reached", name)
    except OSError:
        pass
def connect(family, address):
    s = socket.socket(family); s.settimeout(1); s.connect(address)
attempt("tcp", lambda: connect(socket.AF_INET, ("127.0.0.1", {tcp.getsockname()[1]})))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
attempt("udp", lambda: datagrams.sendto(b"x", ("127.0.0.1", {udp.getsockname()[1]})))
attempt("metadata", lambda: connect(socket.AF_INET, ("169.254.169.254", 80)))
attempt("unix", lambda: connect(socket.AF_UNIX, {f"{folder}/socket"!r}))
attempt("abstract", lambda: connect(socket.AF_UNIX, {abstract!r}))
attempt("dns", lambda: socket.getaddrinfo("example.org", 80))
print(open("/proc/net/dev").read().count(":"), "interface")
"""
        view = await ran(sandbox, ref, "j", python(script))
        assert view.err == b""
        assert [line for line in view.out.decode().splitlines() if line.startswith("reached")] in ([], ["reached udp"])
        with pytest.raises(TimeoutError):
            udp.recv(1)
        assert view.out.endswith(b"1 interface\n")


async def test_the_machine_that_hosts_this_one_is_out_of_reach(sandbox: Sandbox, ref: SandboxRef) -> None:
    """vsock knows no network namespaces; io_uring and 32-bit calls would lead around a ban on opening one."""
    script = """
import ctypes, socket
for family in (socket.AF_INET, socket.AF_UNIX, 40):
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
        print(int(family), "opened")
    except OSError as error:
        print(int(family), error.strerror)
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(425, 1, ctypes.create_string_buffer(256)), ctypes.get_errno())
"""
    view = await ran(sandbox, ref, "j", python(script))
    assert view.err == b""
    assert view.out.decode().splitlines() == ["2 opened", "1 opened", "40 Operation not permitted", "-1 1"]


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
