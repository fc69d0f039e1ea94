"""The terminal: keys are heard without Enter, Ctrl-C keeps its meaning, pipes get plain lines."""

import asyncio
import os
import pty
import sys
import termios
from collections.abc import Iterator

import pytest

from infra.demo.screen import Screen
from infra.process import StackEvent, What


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The person's end of a terminal that is standard input."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield ours
    os.close(ours)


async def test_first_offered_key_counts(keyboard: int) -> None:
    screen = Screen(json=False, listens=True)
    pressed = asyncio.create_task(screen.key("acr"))
    await asyncio.sleep(0.05)
    os.write(keyboard, b"xC")
    assert await asyncio.wait_for(pressed, 5) == "c"


async def test_a_letter_of_another_alphabet_leaves_the_keyboard_alive(keyboard: int) -> None:
    screen = Screen(json=False, listens=True)
    pressed = asyncio.create_task(screen.key("acr"))
    await asyncio.sleep(0.05)
    os.write(keyboard, "éда".encode() + b"\xff")
    await asyncio.sleep(0.05)
    assert not pressed.done()
    os.write(keyboard, b"A")
    assert await asyncio.wait_for(pressed, 5) == "a"


async def test_arrow_key_is_no_letter(keyboard: int) -> None:
    screen = Screen(json=False, listens=True)
    screen.listens = True
    pressed = asyncio.create_task(screen.key("acr"))
    await asyncio.sleep(0.05)
    os.write(keyboard, b"\x1b[A\x1b[C")
    await asyncio.sleep(0.05)
    assert not pressed.done()
    os.write(keyboard, b"r")
    assert await asyncio.wait_for(pressed, 5) == "r"


async def test_key_pressed_while_the_question_is_printed_counts_an_older_one_does_not(
    keyboard: int,
) -> None:
    screen = Screen(json=False, listens=True)
    screen.listens = True
    os.write(keyboard, b"r")
    await asyncio.sleep(0.05)
    screen.forget_typed()
    os.write(keyboard, b"a")
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(screen.key("acr"), 5) == "a"


async def test_terminal_is_given_back_when_somebody_decides_elsewhere(keyboard: int) -> None:
    before = termios.tcgetattr(sys.stdin.fileno())
    pressed = asyncio.create_task(Screen(json=False, listens=True).key("acr"))
    await asyncio.sleep(0.05)
    assert termios.tcgetattr(sys.stdin.fileno()) != before
    pressed.cancel()
    await asyncio.wait([pressed])
    assert termios.tcgetattr(sys.stdin.fileno()) == before


async def test_words_are_a_line(keyboard: int, capsys: pytest.CaptureFixture[str]) -> None:
    typed = asyncio.create_task(Screen(json=False, listens=True).words("What should be different?"))
    await asyncio.sleep(0.05)
    os.write(keyboard, b"Name the changelog\n")
    assert await asyncio.wait_for(typed, 5) == "Name the changelog"
    assert "What should be different?" in capsys.readouterr().out


async def test_end_of_input_is_an_empty_answer(keyboard: int) -> None:
    screen = Screen(json=False, listens=True)
    typed = asyncio.create_task(screen.words("Go on? [y/N]"))
    await asyncio.sleep(0.05)
    os.write(keyboard, b"\x04")
    assert not await asyncio.wait_for(typed, 5)


def test_piped_lines_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(json=False, listens=True)
    screen.line("worker [dead] is ready " + "x" * 200, "bold red")
    screen.markdown("**Plan, revision 1**")
    screen.text("\x1b[2Jgone")
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("  worker [dead] is ready " + "x" * 200)
    assert "\x1b" not in said[0]
    assert said[1] == "**Plan, revision 1**"
    assert "\x1b" not in said[2]
    assert not screen.listens


def test_json_leaves_standard_output_to_the_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(json=True, listens=False).line("server is ready")
    said = capsys.readouterr()
    assert (said.out, "server is ready" in said.err) == ("", True)


def test_only_readiness_and_deaths_are_news(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(json=False, listens=False)
    for what in What:
        screen.heard(StackEvent(part="worker", what=what, pid=7, seconds=1.2, how="SIGKILL"))
    assert [line.partition(" s  ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "worker is ready after 1.2 s (process 7)",
        "worker died (SIGKILL) after 1.2 s (process 7)",
    ]
