"""The files of one repository's notebook: the state file, its last good copy, what was set aside, the archive."""

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from activities.notebook.merging import Meant
from activities.notebook.reading import Unreadable
from activities.notebook.sheet import MOST_BYTES, Sheet, read_sheet
from infra.files import PRIVATE, replace_file
from workflows.domain.model import Record
from workflows.domain.triage import TriageState

_SECOND_LOOK_SECONDS = 0.3
"""Editors empty a file before they write it."""
Signature = tuple[int, int, int] | None


class _Aside(Record):
    """A file that was set aside, or is about to be."""

    path: str
    says: str


class _Asides(Record):
    """What is still to be said. Kept before anything is moved, so that a death in between hides nothing."""

    told: bool = False
    files: tuple[_Aside, ...] = ()


@dataclass
class Look:
    sheet: Sheet
    signature: Signature
    """Of the file that was read; None: there is none."""
    is_lost: bool = False
    """There was something, and nothing of it can be read."""


@dataclass(frozen=True)
class Shelf:
    """All under the lock file, which is `lock`."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.yaml"

    @property
    def good(self) -> Path:
        return self.folder / f".{self.name}.good.yaml"

    @property
    def archive(self) -> Path:
        return self.folder / f"{self.name}.archive.yaml"

    @property
    def lock(self) -> Path:
        return self.folder / f".{self.name}.lock"

    @property
    def _meant(self) -> Path:
        return self.folder / f".{self.name}.people.json"

    @property
    def _asides(self) -> Path:
        return self.folder / f".{self.name}.aside.json"

    def look(self, repository: str) -> Look:
        """The file as it is. One that cannot be read is set aside, and its last good copy takes its place."""
        try:
            found = self._read(self.path, repository)
        except Unreadable:
            time.sleep(_SECOND_LOOK_SECONDS)
            found = self._read_or_set_aside(self.path, repository)
        if found is not None:
            sheet, data, signature = found
            if _bytes_or_none(self.good) != data:
                self._replace(self.good, data)
            return Look(sheet, signature)
        if not self._said().files:
            return Look(Sheet(TriageState(repository=repository)), None)
        kept = self._read_or_set_aside(self.good, repository)
        if kept is None:
            return Look(Sheet(TriageState(repository=repository)), None, is_lost=True)
        self._replace(self.path, kept[1])
        return Look(kept[0], _signature(self.path))

    def write(self, data: bytes) -> None:
        self._replace(self.path, data)
        self._replace(self.good, data)

    def has_moved(self, signature: Signature) -> bool:
        """Whether somebody has written the file since."""
        return _signature(self.path) != signature

    def put_into_archive(self, data: bytes) -> bool:
        """Append; not again what a killed write has appended last. False where the archive cannot be written."""
        try:
            descriptor = os.open(self.archive, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, PRIVATE)
        except OSError:
            return False
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(data)))
            if file.read(len(data)) != data:
                file.write(data)
                os.fsync(descriptor)
        return True

    def meant(self) -> Meant:
        """What people have written since the notebook was opened, as far as it was noticed."""
        try:
            return Meant.model_validate_json(self._meant.read_bytes())
        except (OSError, ValidationError):
            return Meant()

    def remember(self, people: Meant) -> None:
        if people != self.meant():
            self._replace(self._meant, people.model_dump_json().encode())

    def tell(self) -> str:
        """What was set aside and nobody has kept the notebook since."""
        said = self._said()
        if said.files and not said.told:
            self._replace(self._asides, said.model_copy(update={"told": True}).model_dump_json().encode())
        return " ".join(one.says for one in said.files)

    def forget_what_was_told(self) -> None:
        if self._said().told:
            self._asides.unlink(missing_ok=True)

    def _read_or_set_aside(self, path: Path, repository: str) -> tuple[Sheet, bytes, Signature] | None:
        try:
            return self._read(path, repository)
        except Unreadable as error:
            self._set_aside(path, str(error))
            return None

    def _read(self, path: Path, repository: str) -> tuple[Sheet, bytes, Signature] | None:
        """None: there is no file. Raises Unreadable."""
        signature, data = _signature(path), _bytes(path)
        if data is None or signature is None:
            return None
        written = datetime.fromtimestamp(signature[1] // 1_000_000_000, UTC)
        return read_sheet(data, repository, written), data, signature

    def _set_aside(self, path: Path, why: str) -> None:
        moved = self._free_name()
        is_copy = path == self.good
        says = (
            f"Its last good copy cannot be read either ({why}) and is now {moved.name}: triage begins anew there. What "
            "was found before is in what was set aside."
            if is_copy
            else f"{path} could not be read ({why}). It was set aside as it is: {moved}. Triage goes on from the last "
            f"state that could be read; to use yours, mend it and put it back as {path.name}."
        )
        said = self._said()
        now = _Asides(files=(*said.files, _Aside(path=str(moved), says=says)))
        self._replace(self._asides, now.model_dump_json().encode())
        with suppress(FileNotFoundError):
            path.rename(moved)

    def _free_name(self) -> Path:
        at = datetime.now(UTC)
        names = (f"{self.name}.broken-{at:%Y%m%dT%H%M%SZ}{f'-{n}' if n else ''}.yaml" for n in range(1_000_000))
        return next(path for name in names if not os.path.lexists(path := self.folder / name))

    def _said(self) -> _Asides:
        try:
            said = _Asides.model_validate_json(self._asides.read_bytes())
        except FileNotFoundError:
            return _Asides()
        except (OSError, ValidationError):
            says = f"A state file was set aside in {self.folder}: look for {self.name}.broken-*.yaml."
            return _Asides(files=(_Aside(path=str(self.folder), says=says),))
        return said.model_copy(update={"files": tuple(one for one in said.files if os.path.lexists(one.path))})

    def _replace(self, path: Path, data: bytes) -> None:
        """A file of people's keeps its mode; all others are for their owner."""
        replace_file(path, data, None if path == self.path and path.is_file() else PRIVATE)


def _signature(path: Path) -> Signature:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _bytes(path: Path) -> bytes | None:
    """No more of it than tells that it is too large; None: there is no file. Raises Unreadable for what is none."""
    try:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise Unreadable("it is a symbolic link")
        if not stat.S_ISREG(kind):
            raise Unreadable("it is a folder" if stat.S_ISDIR(kind) else "it is no file")
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MOST_BYTES + 1)


def _bytes_or_none(path: Path) -> bytes | None:
    try:
        return _bytes(path)
    except (OSError, Unreadable):
        return None
