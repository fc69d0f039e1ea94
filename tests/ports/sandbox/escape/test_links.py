"""Files the host reads and writes in the sandbox's tree: no link is followed, no trick holds the host up."""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.ports.sandbox.escape.raw import raw
from tests.ports.sandbox.providers import python, ran
from workflows.ports.sandbox import BadSpec, Denied, Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


# Each swaps what is at /work/d or /work/d/f between something harmless and a way out, for ever. HOST is a host folder.
RACES = {
    "a folder and a link to the host's, exchanged in one step": """
os.symlink(HOST, "link")
while True: call("renameat2", -100, b"d", -100, b"link", 2)
""",
    "a file and a link to the host's": """
os.symlink(HOST + "/f", "d/link")
while True: call("renameat2", -100, b"d/f", -100, b"d/link", 2)
""",
    "a file and a link to its own secrets": """
os.symlink("/proc/self/environ", "d/link")
while True: call("renameat2", -100, b"d/f", -100, b"d/link", 2)
""",
    "a file and a fifo": """
os.mkfifo("d/fifo")
while True: call("renameat2", -100, b"d/f", -100, b"d/fifo", 2)
""",
    "a file and a socket": """
s = socket.socket(socket.AF_UNIX); s.bind("d/socket"); s.listen()
while True: call("renameat2", -100, b"d/f", -100, b"d/socket", 2)
""",
    "a folder and a file": """
open("file", "w").write("inside")
while True: call("renameat2", -100, b"d", -100, b"file", 2)
""",
    "the folder above, moved away and back": """
os.makedirs("a/b")
while True:
    for source, target in (("d", "a/b/d"), ("a/b/d", "d")):
        try: os.rename(source, target)
        except OSError: pass  # the host has made another meanwhile
""",
    "what we write, replaced by a link before it is in place": """
os.symlink(HOST + "/f", "link")
while True:
    for name in os.listdir("d"):
        if name.startswith(".pawl-"):
            try: os.unlink("d/" + name); os.symlink(HOST + "/f", "d/" + name)
            except OSError: pass
""",
}


@pytest.mark.parametrize("race", RACES)
async def test_no_race_leads_out(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path, race: str) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "f").write_text("host")
    prelude = f"HOST = {str(host)!r}\nos.mkdir('d'); open('d/f', 'w').write('inside'); open('ready', 'w').close()\n"
    seen: set[bytes] = set()
    async with attacking(sandbox, ref, prelude + RACES[race], tmp_path):
        until = time.monotonic() + 0.8
        for attempt in itertools.count():
            if attempt > 200 and time.monotonic() > until:
                break
            for use in (sandbox.read(ref, "d/f", 100), sandbox.write(ref, "d/f", b"inside")):
                with suppress(Denied, FileNotFoundError):
                    seen.add(await use or b"")
    assert seen <= {b"inside", b""}
    assert [file.name for file in host.iterdir()] == ["f"]
    assert (host / "f").read_text() == "host"
    assert (host / "f").stat().st_uid == os.geteuid()


async def test_a_lease_on_a_file_does_not_hold_us_up(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    """Whoever opens a file under a lease waits until its holder lets go, up to 45 seconds."""
    lease = """
import fcntl, signal
signal.signal(signal.SIGIO, signal.SIG_IGN)
open("f", "w").write("inside"); fd = os.open("f", os.O_RDWR)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK); fcntl.flock(fd, fcntl.LOCK_EX); fcntl.lockf(fd, fcntl.LOCK_EX)
fcntl.flock(os.open("/work", os.O_RDONLY), fcntl.LOCK_EX)
open("ready", "w").close(); time.sleep(60)
"""
    async with attacking(sandbox, ref, lease, tmp_path):
        started = time.monotonic()
        with pytest.raises(Denied):
            await sandbox.read(ref, "f", 100)
        await sandbox.write(ref, "f", b"ours")
        assert await sandbox.read(ref, "f", 100) == b"ours"
        assert time.monotonic() - started < 5


async def test_a_file_that_never_ends_is_read_up_to_the_limit(
    sandbox: Sandbox, ref: SandboxRef, tmp_path: Path
) -> None:
    grow = "open('f', 'w').close(); open('ready', 'w').close()\nwhile True:\n open('f', 'ab').write(bytes(4096)); "
    grow += "os.path.getsize('f') > 9_000_000 and os.truncate('f', 0)"
    async with attacking(sandbox, ref, grow, tmp_path):
        for _ in range(50):
            try:
                assert len(await sandbox.read(ref, "f", 10_000)) <= 10_000
            except BadSpec:
                continue
    await ran(sandbox, ref, "sparse", "truncate -s 60M sparse")
    with pytest.raises(BadSpec):
        await sandbox.read(ref, "sparse", 10_000)


async def test_trees_made_to_be_hard_to_remove_are_removed(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/f").write_text("host")
    script = f"""
import os
os.symlink({str(tmp_path)!r} + "/host", "/work/link")
for n in range(9): os.mkdir(f"/work/\\udcff\\n-rf {{n}}"); open(f"/work/--no-preserve-root {{n}}", "w").close()
os.mkfifo("/work/fifo"); os.mkdir("/work/locked"); os.mkdir("/work/locked/in"); open("/work/locked/in/f", "w").close()
os.chmod("/work/locked/in", 0); os.chmod("/work/locked", 0)
for _ in range(600): os.mkdir("d"); os.chdir("d")
"""
    view = await ran(sandbox, ref, "j", python(script))
    assert view.err == b""
    await sandbox.destroy(ref.key)
    assert [path.name for path in (tmp_path / "sandboxes").iterdir()] == []
    assert (tmp_path / "host/f").read_text() == "host"


@asynccontextmanager
async def attacking(sandbox: Sandbox, ref: SandboxRef, script: str, tmp_path: Path) -> AsyncGenerator[None]:
    """While the script runs, from when it has made the file `ready` on."""
    await sandbox.start(ref, "attack", python(raw(script), timeout_seconds=60))
    async with asyncio.timeout(20):
        while not (tmp_path / "sandboxes/one/work/ready").exists():
            view = await sandbox.poll(ref, "attack", wait_seconds=0.01)
            assert view.reason is None, view
    yield
    view = await sandbox.poll(ref, "attack")
    assert view.reason is None, view
    await sandbox.kill(ref, "attack")
