"""What every way of telling people promises: readable, once per key."""

import asyncio
import io
import subprocess
import sys
from pathlib import Path

import pytest

from activities.notify.console import ConsoleNotify, line_of
from workflows.domain.ticket import Phase
from workflows.ports.notify import Note


def note(key: str = "acc/plan-1", text: str = "Waiting for your approval.") -> Note:
    return Note(key=key, identifier="ENG-12", phase=Phase.PLAN_GATE, text=text)


async def test_a_note_is_one_line_said_once_per_key(tmp_path: Path) -> None:
    out = io.StringIO()
    console = ConsoleNotify(tmp_path / "said", out)
    await asyncio.gather(*(console.post_note(note()) for _ in range(5)))
    await console.post_note(note("acc/plan-2", "Again."))
    assert out.getvalue().splitlines() == ["ENG-12 Plan gate: Waiting for your approval.", "ENG-12 Plan gate: Again."]


async def test_a_restart_does_not_repeat_it(tmp_path: Path) -> None:
    for said, key in enumerate(("a b\nc", "a b\nc", "a b")):
        out = io.StringIO()
        await ConsoleNotify(tmp_path / "said", out).post_note(note(key))
        assert bool(out.getvalue()) == (said != 1)


async def test_what_was_not_said_is_not_remembered(tmp_path: Path) -> None:
    """Killed between saying and remembering, it is said twice; the other order would lose it."""

    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await ConsoleNotify(tmp_path / "said", Gone()).post_note(note())
    out = io.StringIO()
    await ConsoleNotify(tmp_path / "said", out).post_note(note())
    assert out.getvalue().count("\n") == 1


async def test_half_a_line_that_a_kill_left_is_no_key(tmp_path: Path) -> None:
    said, out = tmp_path / "said", io.StringIO()
    said.write_text("acc/done-3\nacc/done-1")
    console = ConsoleNotify(said, out)
    for key in ("acc/done-1", "acc/done-12", "acc/done-3"):
        await console.post_note(note(key))
    assert out.getvalue().count("\n") == 2
    assert said.read_text().splitlines() == ["acc/done-3", "acc/done-1", "acc/done-12"]


async def test_remembering_adds_a_line_and_writes_nothing_else(tmp_path: Path) -> None:
    said, out = tmp_path / "said", io.StringIO()
    console = ConsoleNotify(said, out)
    await console.post_note(note("k0"))
    before = said.stat().st_ino
    for n in range(200):
        await console.post_note(note(f"k{n}"))
    assert said.read_text() == "".join(f"k{n}\n" for n in range(200))
    assert said.stat().st_ino == before
    assert said.stat().st_mode & 0o077 == 0
    said.unlink()  # what an operator threw away is forgotten
    await console.post_note(note("k0"))
    assert out.getvalue().count("\n") == 201


def test_a_line_holds_nothing_a_terminal_obeys() -> None:
    line = line_of(note(text="one\n\x1b[2Jtwo\u202eeerht\r" + "x" * 1000))
    assert line.startswith("ENG-12 Plan gate: one [2Jtwo eerht xxx")
    assert len(line) == 500


def test_an_alarm_is_told_to_the_files_it_names() -> None:
    broken = " ".join(f"/srv/pawl/{'deep/' * 40}{name}.yaml could not be read." for name in ("shop", "last"))
    alarm = note(text=broken).model_copy(update={"alarm": True})
    assert line_of(alarm).endswith("last.yaml could not be read.")
    assert len(line_of(alarm.model_copy(update={"text": "x" * 9_000}))) == 2_000


_SAY = """
import asyncio, sys
from pathlib import Path
from activities.notify.console import ConsoleNotify
from workflows.domain.ticket import Phase
from workflows.ports.notify import Note
async def main():
    console = ConsoleNotify(Path(sys.argv[1]), sys.stdout)
    for n in range(20):
        await console.post_note(Note(key=f"k{n}", identifier="T-1", phase=Phase.DONE, text=str(n)))
asyncio.run(main())
"""


def test_two_processes_say_each_thing_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SAY, str(tmp_path / "said")]
    speakers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = [line for speaker in speakers for line in speaker.communicate(timeout=60)[0].splitlines()]
    assert sorted(lines) == sorted(f"T-1 Done: {n}" for n in range(20))
