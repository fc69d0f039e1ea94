"""The journal's storage: entries and small bodies in a database, large bodies in an object store."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import VARCHAR
from sqlalchemy.exc import IntegrityError

from infra.settings import Settings
from infra.storage import READS, Objects, open_engine
from workflows.domain.model import Record
from workflows.ports.journal import Entry, EntryKind

SMALL = 16 * 1024
"""Bytes up to which a body lives in the database, where it shares the commit of the rows around it."""

_PREFIX = "sha256:"
_KEY = sa.String(300).with_variant(VARCHAR(300, collation="C"), "postgresql")  # ordered by code point everywhere
_TABLES = sa.MetaData()
_ENTRIES = sa.Table(
    "entries",
    _TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("session", _KEY, nullable=False),
    sa.Column("key", _KEY, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.UniqueConstraint("session", "key"),
    sa.Index("entries_by_turn", "session", "seq"),
)
_BODIES = sa.Table(
    "bodies",
    _TABLES,
    sa.Column("ref", sa.String(80), primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)


class JournalEvent(Record):
    """An entry with its place in the whole journal. Places grow; they may have gaps."""

    place: int
    entry: Entry


def reference(data: bytes) -> str:
    """The reference of these bytes, wherever they are kept."""
    return _PREFIX + hashlib.sha256(data).hexdigest()


class JournalStore:
    """Put-if-absent rows and content-addressed bodies. Every write is durable when its call returns.

    All methods block and may be called from any thread; several processes may share one database and object store.
    """

    def __init__(self, url: str, objects: str | Path) -> None:
        """`url` is SQLAlchemy's; `objects` is a folder or a URL that obstore understands."""
        self._engine = open_engine(url)
        self._reading = self._engine.execution_options(**READS)
        self._objects = Objects(objects)
        with self._engine.begin() as connection:
            _TABLES.create_all(connection)

    def write(self, batch: Sequence[Entry | bytes]) -> list[Entry | str]:
        """Write entries and small bodies in one commit, the bodies first.

        Returns, in order: for an entry what is stored under its (session, key), itself or the one that was there
        first; for a body its reference.
        """
        try:
            return self._write(batch)
        except IntegrityError:  # another process wrote one of them between our look-up and our insert: look again
            return self._write(batch)

    def get(self, session: str, key: str) -> Entry | None:
        where = sa.and_(_ENTRIES.c.session == session, _ENTRIES.c.key == key)
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(_ENTRIES).where(where)).mappings().first()
        return _entry(row) if row else None

    def entries(self, session: str, first: int = 0, last: int | None = None) -> list[Entry]:
        """The session's entries with first <= seq <= last, in the order they were written."""
        query = sa.select(_ENTRIES).where(_ENTRIES.c.session == session, _ENTRIES.c.seq >= first)
        if last is not None:
            query = query.where(_ENTRIES.c.seq <= last)
        with self._reading.connect() as connection:
            return [_entry(row) for row in connection.execute(query.order_by(_ENTRIES.c.id)).mappings()]

    def events(
        self, under: str = "", kinds: Sequence[EntryKind] = (), after: int = 0, limit: int = 500
    ) -> list[JournalEvent]:
        """Entries of the session `under` and of those below it, whose keys go on with a dot: a ticket's account names
        all its sessions, nothing names all there are. Of these kinds (none named: all), in the order they were
        written. Page on, or follow a running session, with the last place as `after`."""
        query = sa.select(_ENTRIES).where(_ENTRIES.c.id > after).order_by(_ENTRIES.c.id).limit(limit)
        if under:
            below = sa.and_(_ENTRIES.c.session >= f"{under}.", _ENTRIES.c.session < f"{under}/")  # "/" follows "."
            query = query.where(sa.or_(_ENTRIES.c.session == under, below))
        if kinds:
            query = query.where(_ENTRIES.c.kind.in_([kind.value for kind in kinds]))
        with self._reading.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [JournalEvent(place=row["id"], entry=_entry(row)) for row in rows]

    def keep(self, data: bytes) -> str:
        """Store bytes, return their reference."""
        if len(data) <= SMALL:
            self.write([data])
        else:
            self._objects.keep(data)
        return reference(data)

    def load(self, ref: str) -> bytes:
        """The bytes of a reference. Raises KeyError when there are none, or when what is there was damaged."""
        with self._reading.connect() as connection:
            data = connection.execute(sa.select(_BODIES.c.data).where(_BODIES.c.ref == ref)).scalar()
        if data is not None:
            return data
        try:
            return self._objects.load(ref.removeprefix(_PREFIX))
        except KeyError as error:
            raise KeyError(f"The journal holds nothing whole under {ref!r} ({error.args[0]}).") from error

    def close(self) -> None:
        self._engine.dispose()

    def _write(self, batch: Sequence[Entry | bytes]) -> list[Entry | str]:
        bodies = {reference(item): item for item in batch if isinstance(item, bytes)}
        entries = [item for item in batch if isinstance(item, Entry)]
        with self._engine.begin() as connection:
            if bodies:
                _insert_bodies(connection, bodies)
            stored = _insert_entries(connection, entries) if entries else {}
        return [reference(item) if isinstance(item, bytes) else stored[item.session, item.key] for item in batch]


def _insert_bodies(connection: sa.Connection, bodies: Mapping[str, bytes]) -> None:
    known = set(connection.execute(sa.select(_BODIES.c.ref).where(_BODIES.c.ref.in_(list(bodies)))).scalars())
    if rows := [{"ref": ref, "data": data} for ref, data in bodies.items() if ref not in known]:
        connection.execute(sa.insert(_BODIES), rows)


def _insert_entries(connection: sa.Connection, entries: Sequence[Entry]) -> dict[tuple[str, str], Entry]:
    """Insert those whose (session, key) is free; return what is then stored under each."""
    keys = [(entry.session, entry.key) for entry in entries]
    query = sa.select(_ENTRIES).where(sa.tuple_(_ENTRIES.c.session, _ENTRIES.c.key).in_(keys))
    found = {(row["session"], row["key"]): _entry(row) for row in connection.execute(query).mappings()}
    now, new = datetime.now(UTC), list[dict[str, Any]]()
    for entry, key in zip(entries, keys, strict=True):
        if key not in found:
            found[key] = entry.model_copy(update={"at": now})
            new.append({**found[key].model_dump(mode="json"), "at": now.isoformat()})
    if new:
        connection.execute(sa.insert(_ENTRIES), new)
    return found


def _entry(row: sa.RowMapping) -> Entry:
    return Entry(
        session=row["session"],
        seq=row["seq"],
        kind=EntryKind(row["kind"]),
        key=row["key"],
        body=row["body"],
        at=datetime.fromisoformat(row["at"]),
    )


def journal_of(settings: Settings) -> JournalStore:
    """The one of this installation."""
    return JournalStore(
        settings.database("journal", settings.journal_url), settings.objects_url or settings.home / "objects"
    )
