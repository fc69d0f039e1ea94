"""What the demo says in the terminal, and the keys it hears."""

import asyncio
import os
import sys
import termios
import time
import tty
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console

from infra.console import HarmlessMarkdown, safe
from infra.process import StackEvent, What

_ESCAPE = b"\x1b"
"""Begins what an arrow or function key sends; the letters behind it were not pressed."""


class Screen:
    """Calm lines with the seconds since the start. With `json`, they go to standard error, and standard output gets
    the receipt alone."""

    def __init__(self, *, json: bool, listens: bool) -> None:
        self._out = Console(stderr=json, highlight=False)
        self._begun = time.monotonic()
        self.listens = listens and sys.stdin.isatty() and self._out.is_terminal
        """Whether somebody sits here who can press a key."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def line(self, text: str, style: str = "") -> None:
        """One thing that happened."""
        self._out.print(f"[dim]{self.seconds:6.1f} s[/]  {_styled(text, style)}", soft_wrap=True)

    def aside(self, text: str) -> None:
        """What belongs to the line before."""
        self._out.print(f"            [dim italic]{safe(text)}[/]", soft_wrap=True)

    def text(self, text: str = "", style: str = "") -> None:
        self._out.print(_styled(text, style), soft_wrap=True)

    def markdown(self, text: str) -> None:
        if self._out.is_terminal:
            self._out.print(HarmlessMarkdown(text))
        else:
            self.text(text)

    def heard(self, event: StackEvent) -> None:
        """What happened to server, gateway and worker, without the moments between."""
        if event.what is What.DIED:
            self.line(event.sentence, "bold red")
        elif event.what is What.READY:
            self.line(event.sentence)

    def forget_typed(self) -> None:
        """Drop the keys that were pressed before the question was there."""
        if self.listens:
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

    async def key(self, keys: str) -> str:
        """The first of these ASCII keys that is pressed. Safe to cancel."""
        offered = {key.encode() for key in keys}
        with _single_keys():
            while (read := await _read(1)).lower() not in offered:
                if read == _ESCAPE:
                    self.forget_typed()
                if not read:
                    await asyncio.Event().wait()  # nobody is there any more: the other ways to decide stay open
        return read.decode().lower()

    async def words(self, question: str) -> str:
        """One line that is typed; empty when nobody is there any more. Safe to cancel."""
        self._out.print(f"{safe(question)} ", end="")
        return (await _read(4_096)).decode(errors="ignore").strip()


def _styled(text: str, style: str) -> str:
    return f"[{style}]{safe(text)}[/]" if style else safe(text)


async def _read(most: int) -> bytes:
    """What standard input has next, nothing only when it was closed; without a thread that would outlive the wait."""
    loop, handle = asyncio.get_running_loop(), sys.stdin.fileno()
    readable = asyncio.Event()
    loop.add_reader(handle, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(handle)
    return os.read(handle, most)


@contextmanager
def _single_keys() -> Generator[None]:
    """Hear keys without Enter; Ctrl-C keeps its meaning."""
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    tty.setcbreak(handle, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
