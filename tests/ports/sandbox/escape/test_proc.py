"""/proc tells about the sandbox alone, and nothing in it moves the host."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.ports.sandbox.escape.raw import tries
from tests.ports.sandbox.providers import made, python, ran
from workflows.ports.sandbox import Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


async def test_nothing_of_the_kernel_is_set(sandbox: Sandbox, ref: SandboxRef) -> None:
    """Everything below /proc that moves more than the process itself is opened for writing. What opens belongs to the
    sandbox's own namespaces, as the host's unchanged values show."""
    before = {file: (Path("/proc/sys/kernel") / file).read_text() for file in ("msgmax", "shmmni", "core_pattern")}
    tried = await tries(
        sandbox,
        ref,
        """
def open_to_write(path):
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK); os.close(fd); return path
for top in ("/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/scsi", "/proc/acpi", "/proc/driver", "/proc/tty"):
    for folder, _, files in os.walk(top):
        for file in files:
            own = folder == "/proc/sys/fs/mqueue" or folder == "/proc/sys/kernel" and (
                file.startswith(("msg", "sem", "shm")) or file in ("auto_msgmni", "ns_last_pid", "pid_max"))
            if not own: attempt("write " + folder + "/" + file, lambda: open_to_write(f"{folder}/{file}"))
for file in ("msgmax", "shmmni"):
    try: open("/proc/sys/kernel/" + file, "w").write("77")
    except OSError: pass
for file in os.listdir("/proc"):
    path = "/proc/" + file
    if not os.path.isdir(path) and file not in ("pressure",): attempt("write " + path, lambda: open_to_write(path))
for file in ("uid_map", "gid_map", "setgroups", "loginuid", "oom_adj"):
    def write(file=file):
        with open("/proc/self/" + file, "w") as f: f.write("-17" if file == "oom_adj" else "0 0 1")
    attempt("write " + file, write)
def live_on():
    with open("/proc/self/oom_score_adj", "w") as f: f.write("-999")
attempt("be spared when memory runs out", live_on)
""",
    )
    assert tried > 500
    assert {file: (Path("/proc/sys/kernel") / file).read_text() for file in before} == before


async def test_secrets_of_the_kernel_are_not_read(sandbox: Sandbox, ref: SandboxRef) -> None:
    await tries(
        sandbox,
        ref,
        """
for file in ("kcore", "kmsg", "kpagecount", "kpageflags", "kpagecgroup", "slabinfo", "vmallocinfo", "pagetypeinfo",
        "timer_list", "sysrq-trigger", "vmcore", "sched_debug", "mtrr"):
    attempt("read " + file, lambda: len(open("/proc/" + file, "rb").read(10)))
addresses = {line.split()[0] for line in open("/proc/kallsyms")} if os.path.exists("/proc/kallsyms") else set()
if len(addresses) > 2: print("succeeded: addresses of the kernel", len(addresses))
with open("/proc/self/pagemap", "rb") as f:
    f.seek(ctypes.addressof(ctypes.create_string_buffer(10)) // 4096 * 8)
    frame = struct.unpack("Q", f.read(8))[0] & (1 << 55) - 1
if frame: print("succeeded: where memory lies", frame)
""",
    )


async def test_processes_lead_to_no_other_root(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    (tmp_path / "host").write_text("host")
    script = f"""
import os
inside = sorted(os.listdir("/"))
for pid in filter(str.isdigit, os.listdir("/proc")):
    for link in ("root", "cwd", *(f"fd/{{n}}" for n in range(9)), "task/" + pid + "/root"):
        at = f"/proc/{{pid}}/{{link}}"
        for way in ("{tmp_path}/host", "../" * 9 + "{tmp_path}/host", "../about.json", "../../about.json"):
            try: print("read", at, open(at + "/" + way.lstrip("/")).read())
            except OSError: pass
        try:
            if link.endswith("root") and sorted(os.listdir(at)) != inside: print("another root", at)
        except OSError: pass
    try: print("wrote", os.close(os.open(f"/proc/{{pid}}/exe", os.O_WRONLY)))
    except OSError: pass
fd = os.open("/work", os.O_RDONLY)
for _ in range(9):
    fd = os.open("..", os.O_RDONLY, dir_fd=fd)
print(sorted(os.listdir(fd)) == inside)
"""
    view = await ran(sandbox, ref, "j", python(script))
    assert (view.out, view.err) == (b"True\n", b"")


async def test_memory_of_other_processes_holds_nothing_of_ours(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox's first process ran outside once; what the worker had in its environment must not be in it."""
    secret = uuid4().hex
    monkeypatch.setenv("PAWL_GATEWAY_SECRET", secret)
    ref = await made(sandbox)
    script = f"""
import os, re
searched = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) == os.getpid(): continue
    for file in ("environ", "cmdline"):
        try: assert b"{secret[:16]}" + b"{secret[16:]}" not in open(f"/proc/{{pid}}/{{file}}", "rb").read()
        except OSError: pass
    try:
        maps, memory = open(f"/proc/{{pid}}/maps").read(), open(f"/proc/{{pid}}/mem", "rb", 0)
    except OSError: continue
    for low, high in re.findall(r"^(\\w+)-(\\w+) rw", maps, re.M):
        memory.seek(int(low, 16))
        try: data = memory.read(int(high, 16) - int(low, 16))
        except OSError: continue
        searched += len(data)
        assert b"{secret[:16]}" + b"{secret[16:]}" not in data, pid
print("searched", searched > 0)
"""
    view = await ran(sandbox, ref, "j", python(script))
    assert view.err == b""
    assert view.out.startswith(b"searched")


async def test_tables_show_nothing_of_the_host(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    other = await made(sandbox, "neighbour")
    view = await ran(
        sandbox,
        ref,
        "j",
        """
        cat /proc/net/unix /proc/net/tcp /proc/net/udp /proc/net/route /proc/net/arp | grep -cE '[0-9]+:|/' ;
        cat /proc/sysvipc/* | grep -cE '^ +[0-9]'; cat /proc/locks | wc -l
        cat /proc/self/cgroup /proc/self/mountinfo /proc/1/mountinfo /proc/self/mounts
        """,
    )
    said = view.out.decode()
    assert said.startswith("0\n0\n")
    for hidden in (other.key, other.instance, ref.instance, "about.json", "jobs/"):
        assert hidden not in said
    if os.geteuid() == 0:
        assert "0::/\n" in said or "memory:/\n" in said, "the sandbox's group looks like the root of all groups"
