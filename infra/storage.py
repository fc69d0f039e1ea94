"""Durable storage that several parts share: database engines and content-addressed objects."""

import hashlib
import os
import sqlite3
from pathlib import Path

import obstore
import sqlalchemy as sa
from obstore.store import LocalStore, ObjectStore, from_url
from sqlalchemy import event

READS = {"pawl_reads": True}
"""Execution options of a transaction that only reads: on SQLite it then waits for no writer."""


def open_engine(url: str) -> sa.Engine:
    """An engine whose commits are on disk when they return. SQLite by file, anything else as SQLAlchemy knows it."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True)
    Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN cannot be IMMEDIATE
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("pawl_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


class Objects:
    """Bytes under their own SHA-256, in a folder or in any object store that obstore knows."""

    def __init__(self, where: str | Path) -> None:
        self._store: ObjectStore = _store(where)

    def keep(self, data: bytes) -> str:
        """Store the bytes durably; return their SHA-256 in hex, which is how they are found again."""
        digest = hashlib.sha256(data).hexdigest()
        obstore.put(self._store, _path(digest), data)
        if isinstance(self._store, LocalStore):
            _sync(Path(str(self._store.prefix)), _path(digest))
        return digest

    def load(self, digest: str) -> bytes:
        """Raises KeyError when there are none, or when they were damaged."""
        try:
            data = bytes(obstore.get(self._store, _path(digest)).bytes())
        except FileNotFoundError as error:
            raise KeyError(digest) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise KeyError(f"{digest} is damaged: its bytes have another digest. Restore it from a backup.")
        return data


def _store(where: str | Path) -> ObjectStore:
    if isinstance(where, str) and "://" in where:
        return LocalStore.from_url(where, mkdir=True) if where.startswith("file://") else from_url(where)
    return LocalStore(Path(where), mkdir=True)


def _path(digest: str) -> str:
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise KeyError(digest)
    return f"{digest[:2]}/{digest[2:]}"


def _sync(folder: Path, path: str) -> None:
    """obstore leaves written files to the operating system's cache; what we were paid for must survive a power cut."""
    for part in (folder / path, (folder / path).parent, folder):
        handle = os.open(part, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
