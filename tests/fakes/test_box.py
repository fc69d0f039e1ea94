"""The box behaves as a container does, or the doubles built on it prove nothing."""

import os
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fakes.box import CAPABILITIES, Box
from tests.ports.sandbox.providers import host_processes

pytestmark = pytest.mark.sandbox
_ROOT = os.geteuid() == 0


@pytest.fixture
async def box(tmp_path: Path) -> AsyncGenerator[Box]:
    box = Box(tmp_path / "box")
    await box.start()
    yield box
    await box.destroy()


async def out(box: Box, script: str) -> str:
    ended = await box.exec(("sh", "-c", script))
    assert ended.err == b""
    return ended.out.decode().strip()


async def test_commands_share_files_and_processes(box: Box) -> None:
    process = await box.spawn(("sh", "-c", "echo $A; pwd; cat > /work/in; exit 7"), {"A": "b"}, "/tmp", stdin=PIPE)
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"said\n")
    process.stdin.close()
    assert (await process.stdout.read(), await process.wait()) == (b"b\n/tmp\n", 7)
    assert box.host("/work/in").read_bytes() == b"said\n"
    assert await out(box, "mkdir /new && (setsid sleep 30 >&- 2>&- &) && sleep 0.1 && cat /work/in") == "said"
    assert await out(box, "cat /proc/[0-9]*/comm | grep -c sleep") == "2"
    assert (await box.exec(("no-such-program",))).code == 127
    assert (await box.exec(("sh", "-c", "kill -9 $$"))).code == -9


async def test_only_its_own_files_network_and_processes(box: Box) -> None:
    assert (
        await out(box, "touch /usr/x /opt/python/x 2>/dev/null; ls -A /root /home /boot 2>/dev/null")
        == "/home:\n\n/root:"
    )
    assert await out(box, "grep -c : /proc/net/dev; cat /sys/class/net/eth0/address 2>/dev/null") == "1"
    itself = "import socket; s = socket.create_server(('127.0.0.1', 8000)); socket.create_connection(s.getsockname())"
    assert await out(box, f'python3 -W ignore -c "{itself}"; echo $?') == "0"
    assert int(await out(box, "ls -d /proc/[0-9]* | wc -l")) < 8


async def test_root_keeps_what_a_container_leaves_it_and_no_more(box: Box) -> None:
    kept = await out(box, "grep CapEff /proc/self/status | cut -f2; grep NoNewPrivs /proc/self/status | cut -f2; id -u")
    capabilities, no_new_privileges, uid = kept.split()
    assert int(capabilities, 16).bit_count() == (len(CAPABILITIES) if _ROOT else 0)
    assert (no_new_privileges, uid) == ("1", "0" if _ROOT else "1000")
    if _ROOT:
        script = "chown 1000 /work; touch /work/f; setpriv --reuid 1000 --regid 1000 --clear-groups touch /work/mine"
        assert await out(box, f"{script}; stat -c %u /work /work/f /work/mine | tr '\\n' ' '") == "1000 0 1000"


async def test_a_copy_of_its_files_starts_another(box: Box, tmp_path: Path) -> None:
    await out(box, "echo kept > /work/f; ln -s f /work/link; chmod 4711 /work/f")
    await box.snapshot(tmp_path / "image")
    await out(box, "echo later > /work/f")
    other = Box(tmp_path / "other")
    await other.start(tmp_path / "image")
    assert await out(other, "cat /work/link; stat -c %a /work/f") == "kept\n4711"
    await other.destroy()


async def test_it_can_be_stopped_found_and_started_again(box: Box, tmp_path: Path) -> None:
    mark = f"3{uuid4().int % 10**9:09d}"
    await out(box, f"echo kept > /work/f; setsid sleep {mark} >&- 2>&- & (setsid sleep {mark} >&- 2>&- &)")
    same = Box(tmp_path / "box")
    assert same.running
    await same.stop()
    assert not box.running
    assert not host_processes(mark)
    await same.start()
    assert await out(box, "cat /work/f") == "kept"


async def test_what_takes_too_long_is_killed(box: Box) -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await box.exec(("sleep", "20"), timeout_seconds=0.3)
    assert time.monotonic() - started < 5
    await box.destroy()
    await box.destroy()
    assert not box.folder.exists()
