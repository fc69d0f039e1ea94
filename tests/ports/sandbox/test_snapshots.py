"""Copies of a sandbox's files that others start from: whole, independent, and nobody else's."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import pytest

from activities.sandbox import images
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.mounts import Mount
from tests.ports.sandbox.providers import MODEST, made, python, ran, until
from workflows.ports.sandbox import BadSpec, ExitReason, Gone, PolicyUnsupported, SandboxRef, SandboxSpec

pytestmark = pytest.mark.sandbox
PROGRAMS = (Mount(source=Path(sys.base_prefix), target="/opt/python"),)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncGenerator[BubblewrapSandbox]:
    sandbox = BubblewrapSandbox(tmp_path / "sandboxes", PROGRAMS, cgroup_root=None)
    yield sandbox
    for info in await sandbox.list({}):
        await sandbox.destroy(info.ref.key)


@pytest.fixture
async def ref(sandbox: BubblewrapSandbox) -> SandboxRef:
    return await made(sandbox)


async def started_from(sandbox: BubblewrapSandbox, image: str, key: str = "next") -> SandboxRef:
    return await sandbox.ensure(SandboxSpec(key=key, snapshot=image, limits=MODEST))


async def test_a_sandbox_starts_from_the_files_of_another(sandbox: BubblewrapSandbox, ref: SandboxRef) -> None:
    assert sandbox.capabilities.snapshot
    await ran(sandbox, ref, "j", "mkdir -p repo; echo kept > repo/file; echo mine > home/.profile")
    image = await sandbox.snapshot(ref)
    await ran(sandbox, ref, "k", "echo later > repo/file; rm home/.profile; touch new")
    other = await started_from(sandbox, image)
    script = "cat repo/file ~/.profile; ls; echo other >> repo/file; echo x > ~/x && rm -r repo && echo owner"
    assert (await ran(sandbox, other, "j", script)).out == b"kept\nmine\nhome\nrepo\nowner\n"
    await sandbox.destroy(ref.key)
    third = await started_from(sandbox, image, "third")
    assert (await ran(sandbox, third, "j", "cat repo/file; ls ~")).out == b"kept\n", "and no sandbox changes the image"
    assert {info.ref.key for info in await sandbox.list({})} == {"next", "third"}


async def test_odd_trees_survive_and_links_are_not_followed(
    sandbox: BubblewrapSandbox, ref: SandboxRef, tmp_path: Path
) -> None:
    (tmp_path / "host").write_text("secret")
    os.chmod(tmp_path / "host", 0o600)  # noqa: PTH101
    script = f"""
        ln -s {tmp_path}/host link; ln -s {tmp_path} folder-link; ln -s absent dangling; mkfifo fifo
        echo a > hard; ln hard harder; mkdir locked; echo b > locked/f; chmod 0 locked
        echo c > shut; chmod 0 shut; echo d > tool; chmod 4750 tool; touch -d 2001-02-03 old; truncate -s 1G sparse
        printf x > "$(printf 'new\\nline')"; chmod 750 .
    """
    look = """
        stat -c '%A %h %u %s %n' -- * | grep -v ' home$'; stat -c %A .; readlink link folder-link dangling
        stat -c %y old | cut -d ' ' -f 1; chmod 700 locked shut && cat locked/f shut; du -k sparse | cut -f 1
    """
    assert (await ran(sandbox, ref, "j", script)).code == 0
    image = await sandbox.snapshot(ref)
    before = await ran(sandbox, ref, "k", look)
    after = await ran(sandbox, await started_from(sandbox, image), "k", look)
    assert (after.out, after.err) == (before.out, b"")
    assert b"-rwsr-x--- 1 1000 2 tool" in after.out
    assert ((tmp_path / "host").stat().st_uid, (tmp_path / "host").read_text()) == (os.geteuid(), "secret")


async def test_nothing_is_shared_with_the_image(sandbox: BubblewrapSandbox, ref: SandboxRef, tmp_path: Path) -> None:
    await ran(sandbox, ref, "j", "echo one > a; ln a b; mkdir d; echo two > d/c")
    other = await started_from(sandbox, await sandbox.snapshot(ref))
    root = tmp_path / "sandboxes"
    (image,) = (root / ".images").iterdir()
    trees = [root / ref.key / "work", image / "work", root / other.key / "work"]
    inodes = [{path.lstat().st_ino for path in (tree, *tree.rglob("*"))} for tree in trees]
    assert not inodes[0] & inodes[1] | inodes[1] & inodes[2] | inodes[0] & inodes[2]
    assert [(tree / "a").stat().st_nlink for tree in trees] == [2, 2, 2]
    if os.geteuid() == 0:
        owners = [{path.lstat().st_uid for path in (tree, *tree.rglob("*"))} for tree in trees]
        assert [len(found) for found in owners] == [1, 1, 1]
        assert owners[0] != owners[2], "every sandbox has a user of its own"
        assert 0 not in owners[0] | owners[2]


async def test_names_that_are_no_snapshot(sandbox: BubblewrapSandbox, ref: SandboxRef) -> None:
    for name in ("debian", "../one", "local-", f"local-{'0' * 31}/", f"local-{'0' * 32}\n"):
        with pytest.raises(BadSpec):
            await started_from(sandbox, name)
        with pytest.raises(BadSpec):
            await sandbox.forget(name)
    with pytest.raises(Gone):
        await started_from(sandbox, f"local-{'0' * 32}")
    await sandbox.destroy(ref.key)
    with pytest.raises(Gone):
        await sandbox.snapshot(ref)


async def test_a_forgotten_snapshot(sandbox: BubblewrapSandbox, ref: SandboxRef, tmp_path: Path) -> None:
    image = await sandbox.snapshot(ref)
    other = await started_from(sandbox, image)
    await sandbox.forget(image)
    await sandbox.forget(image)
    assert list((tmp_path / "sandboxes/.images").iterdir()) == []
    with pytest.raises(Gone):
        await started_from(sandbox, image, "late")
    assert await started_from(sandbox, image) == other, "who has started needs it no more"
    assert (await ran(sandbox, other, "j", "echo fine")).out == b"fine\n"


async def test_images_are_old_by_their_last_use(sandbox: BubblewrapSandbox, ref: SandboxRef, tmp_path: Path) -> None:
    used, unused = await sandbox.snapshot(ref), await sandbox.snapshot(ref)
    root, now = tmp_path / "sandboxes", time.time()
    for name in (used, unused):
        os.utime(root / ".images" / name, (now - 1_000, now - 1_000))
    assert images.unused_since(root, now - 500) == sorted([used, unused])
    await started_from(sandbox, used)
    assert images.unused_since(root, now - 500) == [unused]
    assert images.unused_since(root, now - 5_000) == []


async def test_a_copy_that_was_cut_off_is_no_snapshot(
    sandbox: BubblewrapSandbox, ref: SandboxRef, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("activities.sandbox.copies._SECONDS", 0.0001)
    with pytest.raises(BadSpec, match="to copy"):
        await sandbox.snapshot(ref)
    assert list((tmp_path / "sandboxes/.images").iterdir()) == []


async def test_a_race_of_links_brings_nothing_of_the_host_into_the_copy(
    sandbox: BubblewrapSandbox, ref: SandboxRef, tmp_path: Path
) -> None:
    os.chmod(tmp_path, 0o755)  # noqa: PTH101, S103
    (tmp_path / "host").mkdir(mode=0o755)
    for n in range(300):
        (tmp_path / f"host/{n}").write_text("host")
    race = f"""
import os
os.mkdir("real")
os.symlink({str(tmp_path / "host")!r}, "link")
for n in range(300):
    open(f"real/{{n}}", "w").write("inside")
open("ready", "w").close()
while True:
    for source in ("real", "link"):
        os.rename(source, "d")
        os.rename("d", source)
"""
    await sandbox.start(ref, "j", python(race, timeout_seconds=60))
    await until((tmp_path / "sandboxes/one/work/ready").exists)
    for _ in range(20):
        with suppress(BadSpec):  # what vanished under its hands
            await sandbox.snapshot(ref)
    found = [path.read_bytes() for path in (tmp_path / "sandboxes/.images").rglob("[0-9]*") if path.is_file()]
    assert b"host" not in found


async def test_what_the_image_holds_counts_as_used(sandbox: BubblewrapSandbox, ref: SandboxRef) -> None:
    await ran(sandbox, ref, "j", "head -c 40000000 /dev/zero > big; sleep 0.3")
    other = await started_from(sandbox, await sandbox.snapshot(ref))
    view = await ran(sandbox, other, "j", "head -c 40000000 /dev/zero > more; sleep 12; echo was not stopped")
    assert view.reason is ExitReason.DISK


async def test_a_large_tree_starts_as_fast_as_it_can_be_copied(sandbox: BubblewrapSandbox, tmp_path: Path) -> None:
    ref = await sandbox.ensure(SandboxSpec(key="large"))
    script = "for n in $(seq 200); do head -c 500000 /dev/urandom > f$n; done"
    assert (await ran(sandbox, ref, "j", script)).code == 0
    image = await sandbox.snapshot(ref)
    starts: list[float] = []
    copies: list[float] = []
    for n in range(4):  # by turns, so that a busy machine is busy for both
        started = time.perf_counter()
        await sandbox.ensure(SandboxSpec(key=f"n{n}", snapshot=image))
        starts.append(time.perf_counter() - started)
        copy = ["cp", "-a", str(tmp_path / "sandboxes/large/work"), str(tmp_path / f"copy{n}")]
        started = time.perf_counter()
        await asyncio.to_thread(subprocess.run, copy, check=True)
        copies.append(time.perf_counter() - started)
    assert min(starts) < max(0.5, 5 * min(copies)), (starts, copies)


class TestNixStore:
    async def test_it_is_shown_where_its_programs_look(self, sandbox: BubblewrapSandbox, ref: SandboxRef) -> None:
        assert (await ran(sandbox, ref, "j", "ls -d /nix")).code == 2
        await ran(sandbox, ref, "k", "mkdir -p nix/store; echo '#!/bin/sh\necho hello' > nix/store/tool")
        view = await ran(sandbox, ref, "l", "chmod +x /nix/store/tool && /nix/store/tool; echo x > /nix/var; ls nix")
        assert view.out == b"hello\nstore\nvar\n"
        other = await started_from(sandbox, await sandbox.snapshot(ref))
        assert (await ran(sandbox, other, "j", "/nix/store/tool")).out == b"hello\n"

    @pytest.mark.parametrize("make", ["ln -s / nix", "ln -s home nix", "echo > nix", "mkfifo nix"])
    async def test_nothing_else_is(self, sandbox: BubblewrapSandbox, ref: SandboxRef, make: str) -> None:
        await ran(sandbox, ref, "j", make)
        assert (await ran(sandbox, ref, "k", "ls -d /nix")).code == 2

    async def test_a_race_of_links_shows_nothing_else(
        self, sandbox: BubblewrapSandbox, ref: SandboxRef, tmp_path: Path
    ) -> None:
        """A link in its place follows nowhere, whenever it is put there: such a command is refused or sees its own."""
        os.chmod(tmp_path, 0o755)  # noqa: PTH101, S103
        (tmp_path / "outside").mkdir(mode=0o755)
        (tmp_path / "outside/host").touch()
        await ran(sandbox, ref, "j", f"mkdir real; touch real/own; ln -s {tmp_path}/outside link")
        race = """
import os
while True:
    for source in ("real", "link"):
        os.rename(source, "nix")
        os.rename("nix", source)
"""
        await sandbox.start(ref, "race", python(race, timeout_seconds=60))
        seen: set[bytes] = set()
        for n in range(60):
            try:
                seen.add((await ran(sandbox, ref, f"n{n}", "ls /nix 2>/dev/null")).out)
            except PolicyUnsupported:
                seen.add(b"refused")
        await sandbox.kill(ref, "race")
        assert seen <= {b"own\n", b"", b"refused"}
