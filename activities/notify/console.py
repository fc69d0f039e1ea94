"""Notes to whoever looks at the terminal or log the worker writes to."""

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from temporalio import activity

from infra.files import locked, replace_file
from workflows.ports.notify import Note, Notify

_REMEMBERED = 5_000
_MOST_CHARS = 500


@dataclass
class ConsoleNotify(Notify):
    """One line per note. What was said is remembered in the file `said`, so a restart does not say it again."""

    said: Path
    out: TextIO = field(default_factory=lambda: sys.stderr)

    @activity.defn
    async def post_note(self, note: Note) -> None:
        await asyncio.to_thread(self._say, note)

    def _say(self, note: Note) -> None:
        with locked(self.said.with_name(f"{self.said.name}.lock")):
            keys = self.said.read_text().splitlines() if self.said.exists() else []
            key = quote(note.key, safe=":/. ")
            if key in keys:
                return
            print(line_of(note), file=self.out, flush=True)
            replace_file(self.said, "".join(f"{old}\n" for old in [*keys, key][-_REMEMBERED:]).encode())


def line_of(note: Note) -> str:
    """`ENG-12 Plan gate: words`, on one line, with nothing in it that a terminal would obey."""
    line = f"{note.identifier} {note.phase}: {note.text}"
    line = " ".join("".join(character if character.isprintable() else " " for character in line).split())
    return line if len(line) <= _MOST_CHARS else f"{line[: _MOST_CHARS - 3]}..."
