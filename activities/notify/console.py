"""Notes to whoever looks at the terminal or log the worker writes to."""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO
from urllib.parse import quote

from temporalio import activity

from infra.files import locked
from workflows.ports.notify import Digest, Note, Notify

_MOST_CHARS, _MOST_OF_AN_ALARM = 500, 2_000
"""An alarm names files, and what to do at its end."""


@dataclass
class ConsoleNotify(Notify):
    """One line per note. The key of what was said is added to the file `said`, a line each, so a restart does not say
    it again. It is added after the saying: a kill between the two has a note said twice, and never loses one."""

    said: Path
    out: TextIO = field(default_factory=lambda: sys.stderr)
    _keys: set[str] = field(default_factory=set[str], init=False)
    _read: int = field(default=0, init=False)
    """How many bytes of the file are in `_keys`: what other processes add is read, and nothing is read twice."""

    @activity.defn
    async def post_note(self, note: Note) -> None:
        await asyncio.to_thread(self._say, note)

    @activity.defn
    async def post_digest(self, digest: Digest) -> None:
        """A log tells of each ticket when it begins to wait: `pawl list --waiting` shows what waits now."""

    def _say(self, note: Note) -> None:
        key = quote(note.key, safe=":/. ")
        with locked(self.said.with_name(f"{self.said.name}.lock")), _opened(self.said) as file:
            self._recall(file)
            if key not in self._keys:
                print(line_of(note), file=self.out, flush=True)
                file.write(f"{key}\n".encode())

    def _recall(self, file: BinaryIO) -> None:
        """Read what was added since the last look. Half a line is what a kill left of one: it goes."""
        if file.seek(0, os.SEEK_END) < self._read:
            self._keys.clear()
            self._read = 0
        file.seek(self._read)
        whole, end, torn = file.read().rpartition(b"\n")
        self._keys.update(whole.decode().splitlines())
        self._read += len(whole + end)
        if torn:
            file.truncate(self._read)


def _opened(path: Path) -> BinaryIO:
    """To read and to add to; made for its owner only."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+b")


def line_of(note: Note) -> str:
    """`ENG-12 Plan gate: words`, on one line, with nothing in it that a terminal would obey."""
    line = f"{note.identifier} {note.phase}: {note.text}"
    line = " ".join("".join(character if character.isprintable() else " " for character in line).split())
    most = _MOST_OF_AN_ALARM if note.alarm else _MOST_CHARS
    return line if len(line) <= most else f"{line[: most - 3]}..."
