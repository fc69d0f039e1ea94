"""Killed between any two steps, a notebook is readable and holds all that was kept."""

import subprocess
import sys
from pathlib import Path

from activities.notebook.file import FileNotebook
from tests.activities.notebook.conftest import OPEN

ROUNDS = 15
WRITERS = """
import asyncio, itertools, os, random, signal, sys, time
from pathlib import Path
from activities.notebook import shelf
from activities.notebook.file import FileNotebook
from tests.activities.notebook.conftest import OPEN, entry, keep
from workflows.domain.triage import Standing

shelf._SECOND_LOOK_SECONDS = 0.02
folder, dice = Path(sys.argv[1]), random.Random(6)

async def write(first, answers):
    notebook = FileNotebook(folder)
    for n in itertools.count(first):
        await notebook.keep_notebook(keep(entry(f"n{n}", standing=Standing.FIXED, detail="x" * 2_000)))
        os.write(answers, f"{n}\\n".encode())
        if n % 3 == 0:
            folder.joinpath("shop-3f2a.yaml").write_text("broken: [")

async def look():
    return (await FileNotebook(folder).open_notebook(OPEN)).state.findings

kept = 0
for _ in range(int(sys.argv[2])):
    heard, answers = os.pipe()
    writer = os.fork()
    if not writer:
        asyncio.run(write(kept, answers))
    os.close(answers)
    told = os.read(heard, 100)
    time.sleep(dice.uniform(0, 0.1))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    while more := os.read(heard, 100_000):
        told += more
    os.close(heard)
    kept = max(map(int, told.split())) + 1
    missing = {f"n{n}" for n in range(kept)} - {one.subject for one in asyncio.run(look())}
    assert not missing, missing
print(kept)
"""


async def test_killed_at_any_moment_it_holds_what_was_kept(folder: Path) -> None:
    """Half of the writers' files are broken by somebody in between, and none of those is lost either."""
    told = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", WRITERS, str(folder), str(ROUNDS)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) > ROUNDS
    broken = [aside.read_text() for aside in folder.glob("*.broken-*")]
    assert len(broken) >= ROUNDS // 3
    assert set(broken) <= {"broken: [", ""}  # a writer may die while it breaks the file, too
    assert len((await FileNotebook(folder).open_notebook(OPEN)).state.findings) >= int(told.stdout)
