"""New namespaces, mounts, and the kernel's doors for administrators: closed."""

import pytest

from tests.ports.sandbox.escape.raw import tries
from tests.ports.sandbox.providers import ran
from workflows.ports.sandbox import Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


async def test_there_are_no_privileges_to_gain(sandbox: Sandbox, ref: SandboxRef) -> None:
    view = await ran(
        sandbox,
        ref,
        "j",
        """
        id -u; grep -E '^(CapEff|CapPrm|CapInh|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t' ' '
        for attempt in 'unshare -U true' 'unshare -m true' 'mount -t tmpfs none /work' 'chroot / true' \
            'mknod /work/sda b 8 0' 'su root' 'cat /proc/kcore' 'cat /proc/kmsg' 'dmesg' \
            'sh -c "echo 1 > /proc/sys/kernel/sysrq"' 'sh -c "echo b > /proc/sysrq-trigger"' 'chown 0 /work' \
            'bwrap --ro-bind / / true'
        do eval "$attempt" >/dev/null 2>&1 </dev/null && echo "succeeded: $attempt"; done
        ls /proc/self/fd | tr '\\n' ' '
        """,
    )
    assert view.out.decode().splitlines() == [
        "1000",
        *(f"Cap{which}: 0000000000000000" for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")),
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "0 1 2 3 ",
    ]


async def test_no_namespace_is_made_or_entered(sandbox: Sandbox, ref: SandboxRef) -> None:
    tried = await tries(
        sandbox,
        ref,
        """
flags = {"time": 0x80, "mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000,
    "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}
for name, flag in flags.items():
    refused("unshare " + name, call("unshare", flag))
    refused("unshare user and " + name, call("unshare", flag | flags["user"]))
    arguments = struct.pack("11Q", flag, *[0] * 3, 17, *[0] * 6)
    refused("clone3 " + name, call("clone3", arguments, len(arguments)))
    both = struct.pack("11Q", flag | flags["user"], *[0] * 3, 17, *[0] * 6)
    refused("clone3 user and " + name, call("clone3", both, len(both)))
for pid in (1, os.getppid(), os.getpid()):
    for name in ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"):
        try: fd = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
        except OSError: continue
        refused(f"setns {name} of {pid}", call("setns", fd, 0))
refused("setns by pidfd", call("setns", call("pidfd_open", 1, 0), 0x20000 | 0x40000000))
""",
    )
    assert tried >= 4 * 8 + 8


async def test_no_file_system_is_mounted_moved_or_changed(sandbox: Sandbox, ref: SandboxRef) -> None:
    tried = await tries(
        sandbox,
        ref,
        """
os.mkdir("/work/at")
for kind in ("tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "overlay", "fuse", "ext4", "debugfs", "bpf"):
    refused("mount " + kind, call("mount", b"none", b"/work/at", kind.encode(), 0, 0), "EPERM")
    refused("fsopen " + kind, call("fsopen", kind.encode(), 0), "EPERM")
for name, flags in {"bind": 0x1000, "bind all": 0x5000, "remount": 0x20, "remount bind": 0x1020, "move": 0x2000,
        "shared": 0x100000, "private": 0x40000}.items():
    for target in (b"/work", b"/usr", b"/proc", b"/"):
        refused(f"mount {name} {target}", call("mount", b"/work", target, 0, flags, 0), "EPERM")
for target in (b"/", b"/proc", b"/proc/sys", b"/work", b"/usr", b"/dev"):
    for flags in (0, 2):
        refused(f"umount {target}", call("umount2", target, flags), "EPERM")
    refused(f"open_tree {target}", call("open_tree", -100, target, 1), "EPERM")
    attributes = struct.pack("4Q", 0, 1, 0, 0)  # clear read-only
    refused(f"mount_setattr {target}", call("mount_setattr", -100, target, 0, attributes, 32), "EPERM")
refused("move_mount", call("move_mount", -100, b"/work", -100, b"/work/at", 0), "EPERM")
refused("pivot_root", call("pivot_root", b"/work", b"/work/at"), "EPERM")
refused("chroot", call("chroot", b"/work"), "EPERM")
""",
    )
    assert tried > 70


async def test_the_kernels_doors_are_closed(sandbox: Sandbox, ref: SandboxRef) -> None:
    """Each with arguments that would do nothing, were it let in: permission is asked for first."""
    tried = await tries(
        sandbox,
        ref,
        """
no = ("EPERM", "EACCES", "ENOSYS")
zeros = ctypes.create_string_buffer(4096)
refused("init_module", call("init_module", 0, 0, b""), *no)
refused("finit_module", call("finit_module", -1, b"", 0), *no)
refused("kexec_load", call("kexec_load", 0, 0, 0, 0xffff), *no)
refused("reboot", call("reboot", 0, 0, 0, 0), *no)
refused("swapon", call("swapon", 0, 0), *no)
refused("acct", call("acct", b"/work/acct"), *no)
refused("quotactl", call("quotactl", 0x800002 << 8, b"/work", 0, zeros), *no, "ENOTBLK", "ENODEV", "EINVAL")
refused("vhangup", call("vhangup"), *no)
refused("sethostname", call("sethostname", b"x", 1), *no)
refused("setdomainname", call("setdomainname", b"x", 1), *no)
refused("read the kernel's log", call("syslog", 3, zeros, 4096), *no)
refused("clear the kernel's log", call("syslog", 5, 0, 0), *no)
program = struct.pack("IIQQII", 1, 0, 0, 0, 0, 0) + bytes(100)
refused("bpf program", call("bpf", 5, program, 120), *no)
refused("bpf map", call("bpf", 0, struct.pack("4I", 2, 4, 4, 1) + bytes(100), 120), *no)
event = struct.pack("II", 1, 112) + bytes(104)
refused("watch all of a processor", call("perf_event_open", event, -1, 0, -1, 0), *no)
refused("watch process 1", call("perf_event_open", event, 1, -1, -1, 0), *no)
refused("userfaultfd of the kernel's own faults", call("userfaultfd", 0), *no)
refused("fanotify over all", call("fanotify_init", 0x4, 0), *no)
refused("io_uring", call("io_uring_setup", 1, zeros), *no)
handle = struct.pack("Ii", 8, 1) + struct.pack("II", 2, 0)  # inode 2: the root of the host's file system
fd = os.open("/work", os.O_RDONLY)
refused("open_by_handle_at", call("open_by_handle_at", fd, handle, 0), "EPERM", "ESTALE")
if os.uname().machine == "x86_64":
    number |= {"iopl": 172, "ioperm": 173}
    refused("iopl", call("iopl", 3), *no)
    refused("ioperm", call("ioperm", 0x60, 1, 1), *no)
for mode, kind in ((0o20666, 1 << 8 | 1), (0o60666, 8 << 8), (0o60666, 254 << 8)):
    refused("mknod", call("mknodat", -100, f"/work/node{kind}".encode(), mode, kind), *no)
""",
    )
    assert tried >= 23


async def test_calls_of_another_machine_are_refused(sandbox: Sandbox, ref: SandboxRef) -> None:
    """A process may call the kernel as a 32-bit program would: the numbers are others and no filter would know them."""
    tried = await tries(
        sandbox,
        ref,
        """
import mmap
if os.uname().machine == "x86_64":
    def old_way(number, *arguments):
        code = b"\\x53"                                                 # push rbx
        for register, value in zip((b"\\xbb", b"\\xb9", b"\\xba"), arguments):
            code += register + struct.pack("<i", value)                 # mov ebx/ecx/edx, value
        code += b"\\xb8" + struct.pack("<i", number) + b"\\xcd\\x80"      # mov eax, number; int 0x80
        code += b"\\x48\\x98\\x5b\\xc3"                                    # cdqe; pop rbx; ret
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        run = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        return run()
    for family in (40, 2, 17):
        refused(f"socket of family {family}", old_way(359, family, 1, 0))
    refused("getpid", old_way(20))
    number["x32 socket"] = 0x40000000 | 41
    refused("socket of the x32 table", call("x32 socket", 40, 1, 0))
""",
    )
    assert tried in (0, 5)
