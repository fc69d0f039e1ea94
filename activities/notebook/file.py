"""The state file of each repository, in one folder."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from temporalio import activity

from activities.errors import again, stop
from activities.notebook.merging import Meant, meant, merged, parted
from activities.notebook.sheet import MOST_BYTES, Sheet, entry_lines, render
from activities.notebook.shelf import Look, Shelf
from infra.files import locked
from workflows.domain.failures import Failure
from workflows.domain.triage import Entry, Standing, TriageState
from workflows.domain.triage_size import carried, that_fit
from workflows.domain.words import counted
from workflows.ports.notebook import KeepNotebook, Notebook, Opened, OpenNotebook

_Said = TypeVar("_Said")
_FORMS = ((500, False), (100, False), (0, False), (0, True))
"""How many findings that are over and done with stay in a file, fewer where it would become too large; and whether old
goes lose what they printed."""
_MOST_WRITTEN = MOST_BYTES * 4 // 5
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(hours=1)
"""How far the clocks of several machines may be apart."""
_PLAIN = re.compile(r"(?!.*\.(archive|broken-))[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


@dataclass
class FileNotebook(Notebook):
    """`folder` holds a YAML file for each loop: `shop-3f2a.yaml` for `triage:shop-3f2a`. Several machines may share
    it, where its file system knows locks."""

    folder: Path
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @activity.defn
    async def open_notebook(self, request: OpenNotebook) -> Opened:
        return await self._under_lock(request.name, lambda shelf: _opened(shelf, request, self.now()))

    @activity.defn
    async def keep_notebook(self, request: KeepNotebook) -> TriageState:
        return await self._under_lock(request.name, lambda shelf: _kept(shelf, request))

    async def _under_lock(self, name: str, work: Callable[[Shelf], _Said]) -> _Said:
        shelf = Shelf(self.folder, file_name(name))

        def alone() -> _Said:
            with locked(shelf.lock):
                return work(shelf)

        try:
            return await asyncio.to_thread(alone)
        except OSError as error:
            raise again(f"The state file {shelf.path} cannot be used now: {error.strerror or error}.") from error


def file_name(name: str) -> str:
    """The file's, without `.yaml`, for a loop's: another one for every loop."""
    said = name.removeprefix("triage:")
    if _PLAIN.fullmatch(said):
        return said
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", said).strip("-")[:60]
    return f"{readable or 'triage'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _opened(shelf: Shelf, request: OpenNotebook, now: datetime) -> Opened:
    look = shelf.look(request.repository)
    state = look.sheet.state
    shelf.remember(Meant(had_file=look.signature is not None))
    night, doubts = _carried(state), list[str]()
    if state.seen_until and not _OLDEST <= state.seen_until <= max(now, request.at or now) + _AHEAD:
        night = night.model_copy(update={"seen_until": None})
        said = f"{shelf.path} says seen_until: {state.seen_until.date()}, which cannot be"
        doubts.append(f"{said}: the night looked a week back instead.")
    if left := len(_to_know(state)) - len(_to_know(night)):
        said = f"{counted(left, 'finding')} of {shelf.path} cannot be carried by a night and stay as they stand"
        doubts.append(f"{said}. Delete those that nobody needs.")
    return Opened(state=night, path=str(shelf.path), set_aside=shelf.tell(), doubt=" ".join(doubts))


def _kept(shelf: Shelf, keep: KeepNotebook) -> TriageState:
    """A person who saves the file meanwhile is not overwritten: then it is read again."""
    while True:
        look = shelf.look(keep.repository)
        people = _meant(shelf, look, keep)
        sheet = replace(look.sheet, state=merged(look.sheet.state, keep, people))
        state, data = _fitting(shelf, sheet)
        if not shelf.has_moved(look.signature):
            break
    shelf.remember(people)
    shelf.write(data)
    shelf.forget_what_was_told()
    return _carried(state, {entry.id for entry in keep.entries})


def _meant(shelf: Shelf, look: Look, keep: KeepNotebook) -> Meant:
    has_file = look.signature is not None
    return meant(look.sheet.state, keep, shelf.meant(), has_file=has_file, is_lost=look.is_lost)


def _carried(state: TriageState, first: AbstractSet[str] = frozenset()) -> TriageState:
    return state.model_copy(update={"findings": that_fit(state.findings, first)})


def _to_know(state: TriageState) -> list[Entry]:
    """What is ignored stays so, carried or not."""
    return [entry for entry in state.findings if entry.standing is not Standing.IGNORED]


def _fitting(shelf: Shelf, sheet: Sheet) -> tuple[TriageState, bytes]:
    """The state with its file, after what is long over has gone to the archive."""
    for most, is_short in _FORMS:
        stays, goes = parted(sheet.state.findings, most)
        findings = tuple(map(carried, stays)) if is_short else stays
        kept = replace(sheet, state=sheet.state.model_copy(update={"findings": findings}))
        data = render(kept)
        if len(data) <= _MOST_WRITTEN:
            if goes and not shelf.put_into_archive(_archived(sheet, goes)):
                raise again(f"The archive {shelf.archive} cannot be written.")
            return kept.state, data
    raise stop(
        Failure.BAD_REQUEST,
        f"The state file {shelf.path} would become larger than {_MOST_WRITTEN:,} bytes.",
        "Delete findings from it that nobody needs.",
    )


def _archived(sheet: Sheet, entries: tuple[Entry, ...]) -> bytes:
    return "".join(f"{line}\n" for entry in entries for line in entry_lines(entry, sheet.words)).encode()
