"""Pushing, sharing a clone, and git processes that hang, are killed or say too much."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from activities.git import (
    Git,
    PushRejected,
    TrustedClones,
)
from activities.git.command import GitTimeout
from tests.repos import Box, commit, git
from workflows.domain.change import Repository

FILES = {"README.md": "hello\n", "src/app.py": "print(1)\n"}


async def test_push_only_onto_what_was_expected(
    clones: TrustedClones, repository: Repository, box: Box, tmp_path: Path
) -> None:
    target = tmp_path / "target.git"
    git(tmp_path, "init", "-q", "--bare", str(target))
    state = await clones.import_state(repository, box.state({"a.txt": "1"}))
    one, two = await clones.commit(repository, state, "one"), await clones.commit(repository, state, "two")
    await clones.push(repository, str(target), one, "pawl/x")
    with pytest.raises(PushRejected, match="pawl/x was not pushed"):
        await clones.push(repository, str(target), two, "pawl/x")
    with pytest.raises(PushRejected):
        await clones.push(repository, str(target), two, "pawl/x", expected=two)
    await clones.push(repository, str(target), two, "pawl/x", expected=one)
    assert git(target, "rev-parse", "pawl/x") == two


_WORKER = """
import asyncio, sys
from pathlib import Path
from activities.git import TrustedClones
async def main():
    clones = TrustedClones(Path(sys.argv[1]))
    print(*[sha for _, sha in [await clones.fetch("one", sys.argv[2]) for _ in range(3)]])
asyncio.run(main())
"""


async def test_many_tasks_and_processes_share_a_clone(tmp_path: Path, source: Path, clones: TrustedClones) -> None:
    others = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WORKER, str(tmp_path / "clones"), str(source), stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    mine = await asyncio.gather(*(clones.fetch("one", str(source)) for _ in range(5)))
    theirs = [(await other.communicate())[0].decode().split() for other in others]
    head = git(source, "rev-parse", "HEAD")
    assert {sha for _, sha in mine} == {head}
    assert theirs == [[head] * 3] * 2


async def test_what_a_killed_git_left_behind_does_not_block(
    clones: TrustedClones, source: Path, repository: Repository
) -> None:
    head = commit(source, {"new.txt": "1"})
    clone = clones.path("one")
    (clone / "refs/remotes/origin/main.lock").write_text("half")
    (clone / "packed-refs.lock").write_text("half")
    (clone / "objects" / "incoming-dead" / "pack").mkdir(parents=True)
    assert await clones.fetch("one", str(source)) == ("main", head)
    assert not list(clone.rglob("*.lock"))
    assert not (clone / "objects" / "incoming-dead").exists()


async def test_a_command_that_hangs_is_killed_with_its_helpers(tmp_path: Path) -> None:
    running = tmp_path / "pid"
    script = f"!echo $$ > {running}; sleep 300"
    with pytest.raises(GitTimeout, match=r"stopped after 0\.5 s"):
        await Git(tmp_path / "home").run("-c", f"alias.hang={script}", "hang", timeout_seconds=0.5)
    await gone(int(running.read_text()))


async def test_a_cancelled_command_leaves_no_process(tmp_path: Path) -> None:
    running = tmp_path / "pid"
    script = f"!echo $$ > {running}; sleep 300"
    task = asyncio.create_task(Git(tmp_path / "home").run("-c", f"alias.hang={script}", "hang"))
    await written(running)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(int(running.read_text()))


async def written(file: Path) -> None:
    async with asyncio.timeout(10):
        while not file.exists() or not file.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError(f"process {pid} outlived its git")


async def test_long_output_is_cut_and_drained(tmp_path: Path) -> None:
    out = await Git(tmp_path / "home").run("-c", "alias.pour=!yes | head -c 3000000", "pour", most_bytes=1000)
    assert (len(out.out), out.cut) == (1000, True)


async def test_a_long_diff_says_that_it_was_cut(clones: TrustedClones, repository: Repository, box: Box) -> None:
    sha = await clones.import_state(repository, box.state({"long.txt": "line\n" * 1000}))
    diff = await clones.diff(repository, sha, max_bytes=1000)
    assert diff.endswith(b"+line\n[cut: only the first 1,000 bytes are shown]\n")
