"""The audit log as a file: a JSON object per line, only ever added to."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from temporalio import activity

from infra.files import PRIVATE, locked, private_folder
from workflows.domain.unattended import AuditEntry
from workflows.ports.audit import Audit


@dataclass
class FileAudit(Audit):
    """`file` is made for its owner only. Several workers may share it."""

    file: Path

    @activity.defn
    async def append_audit(self, entry: AuditEntry) -> None:
        await asyncio.to_thread(self._append, entry)

    def _append(self, entry: AuditEntry) -> None:
        private_folder(self.file.parent)
        line = entry.model_dump_json().encode() + b"\n"
        with locked(self.file.with_name(f"{self.file.name}.lock")):
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE)
            try:
                there = _read(descriptor)
                if entry.key not in _keys(there):
                    torn = there and not there.endswith(b"\n")  # what a kill left of a line stays, as a line of its own
                    _write(descriptor, b"\n" + line if torn else line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _read(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _keys(there: bytes) -> Iterator[str]:
    for line in there.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(key := entry.get("key"), str):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            yield key
