"""Watching the board: which cards have a new file since they were last looked at, and what happened to them.

A look costs one `stat` a card, and nothing is read of a card at rest, also not by the watcher of a worker that has
just started: what was looked at is kept beside the cards, in `.pawl/.watched`.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from pydantic import TypeAdapter, ValidationError

from infra import cards
from infra.cards import BoardChange
from infra.files import replace_file

_SAVE_SECONDS = 60.0
"""How much a killed watcher may forget: its successor reads the cards that changed meanwhile once more."""

_Stamp = tuple[int, int, int]
"""Time of the last change in nanoseconds, size, inode."""
_STAMPS = TypeAdapter(dict[str, _Stamp])


async def watch(folder: Path, interval: float = 1.0) -> AsyncGenerator[BoardChange]:
    """Yield every move since the last watcher stopped, then those to come, forever.

    A move counts as told when the caller asks for the next one, so a watcher that dies repeats the last. The moves of
    a card come in order and none is lost when Pawl moves the card on. For one watcher per board.
    """
    seen = await asyncio.to_thread(_kept, folder)
    there, saved, unsaved = dict[str, _Stamp](), time.monotonic(), False
    try:
        while True:
            there = await asyncio.to_thread(_stamps, folder)
            for name in _changed(there, seen):
                try:
                    moves = await asyncio.to_thread(cards.untold, folder, Path(name).stem)
                except cards.ClosedCard:  # looked at again until it opens; the others go on
                    continue
                for change in moves:
                    yield change
                    await asyncio.to_thread(cards.told, folder, change)
                seen[name], unsaved = there[name], True
            if unsaved and time.monotonic() - saved > _SAVE_SECONDS:
                await asyncio.to_thread(_keep, folder, seen, there)
                saved, unsaved = time.monotonic(), False
            await asyncio.sleep(interval)
    finally:
        if unsaved:
            with suppress(OSError):
                _keep(folder, seen, there)


def _stamps(folder: Path) -> dict[str, _Stamp]:
    """Of all files that may be cards, by name. A folder or a link to nothing is none."""
    found: dict[str, _Stamp] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".md"):
                    try:
                        stat = entry.stat()
                    except OSError:  # of this entry alone: it is gone, or leads nowhere
                        continue
                    if S_ISREG(stat.st_mode):
                        found[entry.name] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    except (FileNotFoundError, NotADirectoryError):  # nobody has put a card there yet
        return {}
    return found


def _changed(there: Mapping[str, _Stamp], seen: Mapping[str, _Stamp]) -> list[str]:
    names = sorted(name for name, stamp in there.items() if seen.get(name) != stamp)
    return [name for name in names if cards.is_card(name)]


def _kept(folder: Path) -> dict[str, _Stamp]:
    try:
        return _STAMPS.validate_json(_file(folder).read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}  # then every card is read once more, and what was told before is known to be


def _keep(folder: Path, seen: Mapping[str, _Stamp], there: Mapping[str, _Stamp]) -> None:
    replace_file(_file(folder), _STAMPS.dump_json({name: stamp for name, stamp in seen.items() if name in there}))


def _file(folder: Path) -> Path:
    return folder / ".pawl" / ".watched"
