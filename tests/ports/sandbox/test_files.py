"""Files carried into and out of a tree that untrusted code arranges, asked of every provider."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.ports.sandbox.providers import PROVIDERS, python, ran
from workflows.ports.sandbox import BadSpec, Denied, Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox
RACE_SECONDS = 2


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_paths_that_are_not_below_work(sandbox: Sandbox, ref: SandboxRef) -> None:
    for path in ("../about.json", "/work/../about.json", "/etc/passwd", "/", "/work", "/workx/a", "a\0b"):
        with pytest.raises(Denied):
            await sandbox.read(ref, path, 100)
        with pytest.raises(Denied):
            await sandbox.write(ref, path, b"x")


async def test_reading_follows_no_link_and_takes_regular_files_only(
    sandbox: Sandbox, ref: SandboxRef, tmp_path: Path
) -> None:
    await ran(
        sandbox,
        ref,
        "j",
        f"""
        mkdir d locked; echo in > d/f; ln -s {tmp_path} out; ln -s d inner; ln -s /etc/passwd p; ln -s d/f f
        ln -s loop loop; mkfifo fifo; head -c 1001 /dev/zero > large; chmod 0 locked
        """,
    )
    for path in ("out/x", "inner/f", "p", "f", "loop", "fifo", "d", "d/f/x"):
        with pytest.raises(Denied):
            await sandbox.read(ref, path, 1_000)
    for path in ("absent", "absent/deeper", "d/absent"):
        with pytest.raises(FileNotFoundError):
            await sandbox.read(ref, path, 1_000)
    with pytest.raises(BadSpec):
        await sandbox.read(ref, "large", 1_000)
    assert len(await sandbox.read(ref, "large", 1_001)) == 1_001
    assert await sandbox.read(ref, "/work/d/f", 1_000) == b"in\n"


async def test_writing_follows_no_link_and_replaces_in_one_step(
    sandbox: Sandbox, ref: SandboxRef, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("safe")
    await ran(sandbox, ref, "j", f"ln -s {outside} out; ln -s {outside}/f f; mkdir d; echo old > d/f; ln d/f d/hard")
    with pytest.raises(Denied):
        await sandbox.write(ref, "out/f", b"x")
    with pytest.raises(Denied):
        await sandbox.write(ref, "out/new/f", b"x")
    with pytest.raises(Denied):
        await sandbox.write(ref, "d", b"x")
    await sandbox.write(ref, "f", b"x")
    await sandbox.write(ref, "d/f", b"new", 0o755)
    await sandbox.write(ref, "made/for/it", b"")
    assert (outside / "f").read_text() == "safe"
    assert sorted(path.name for path in outside.iterdir()) == ["f"]
    view = await ran(
        sandbox, ref, "k", "cat f d/f d/hard; ls -l d/f | cut -c1-10; ls -A d; touch made/for/mine f d/f made/x"
    )
    assert view.out == b"xnewold\n-rwxr-xr-x\nf\nhard\n"
    assert view.code == 0


async def test_a_race_of_links_gets_nothing_out(sandbox: Sandbox, ref: SandboxRef, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("host")
    race = f"""
import os, shutil
os.mkdir("real")
open("real/f", "w").write("inside")
os.symlink({str(tmp_path)!r}, "link")
while True:
    for source in ("real", "link"):
        try:
            os.rename(source, "d")
        except OSError:  # a write that found no "d" has made one
            shutil.rmtree("d", ignore_errors=True)
        else:
            os.rename("d", source)
"""
    await sandbox.start(ref, "j", python(race, timeout_seconds=60))
    seen: set[bytes] = set()
    enough = time.monotonic() + RACE_SECONDS
    async with asyncio.timeout(30):
        while len(seen) < 2 or time.monotonic() < enough:
            try:
                seen.add(await sandbox.read(ref, "d/f", 100))
                await sandbox.write(ref, "d/f", b"inside")
            except (Denied, FileNotFoundError):
                seen.add(b"refused")
    await sandbox.kill(ref, "j")
    assert seen == {b"inside", b"refused"}
    assert (tmp_path / "f").read_text() == "host"
