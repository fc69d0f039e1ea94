"""Pawl's three processes on a home of their own, the worker with real or with plain workspaces."""

import os
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from enum import StrEnum
from pathlib import Path

from temporalio.client import Client

from bench.process import Cpu, cpu, resident_mb
from bench.work import make_repository, tape
from infra import temporal
from infra.exits import PawlError
from infra.gateway.player import TAPE
from infra.gateway.tape import read_tape
from infra.gateway_client import keep_tape
from infra.journal import JournalStore
from infra.parts import ROOT, Part, environment
from infra.process import Program, StackEvent, Supervised
from infra.settings import Settings
from infra.stack import START_SECONDS, Stack
from workflows import names

_STOP_SECONDS = 5.0
_DATABASES = ("temporal", "journal", "gateway")


class Kind(StrEnum):
    WHOLE = "whole"
    """Everything real: bubblewrap sandboxes, git, the local forge."""
    ORCHESTRATION = "orchestration"
    """The same without sandboxes and git: see bench/plain.py."""


class Machine:
    """A running Pawl."""

    def __init__(self, stack: Stack, worker: Supervised, journal: JournalStore) -> None:
        self.journal = journal
        self._stack, self._worker = stack, worker

    @property
    def settings(self) -> Settings:
        return self._stack.settings

    @property
    def client(self) -> Client:
        return self._stack.client

    @property
    def repository(self) -> Path:
        return self.settings.home / "project"

    def base_branch(self, name: str) -> str:
        """A branch of its own at the first commit: the tape's edits fit only files that nobody has changed."""
        heads = self.repository / ".git" / "refs" / "heads"
        (heads / name).write_text((heads / "main").read_text())
        return name

    async def keep_tape(self, turns: int) -> str:
        """The model that plays the synthetic ticket with so many builder turns."""
        data = tape(turns)
        await keep_tape(self.settings, data)
        return f"{TAPE}:{read_tape(data).digest}"

    def cpu(self) -> dict[Part, Cpu]:
        return {part: cpu(self._pid(part)) for part in Part}

    def resident_mb(self) -> dict[Part, float]:
        return {part: resident_mb(self._pid(part)) for part in Part}

    def stored(self) -> dict[str, int]:
        """Bytes on disk by what they are: the used pages of each database, and the files of everything else."""
        home = self.settings.home
        databases = {name: _used_bytes(home / f"{name}.db") for name in _DATABASES}
        folders = ("objects", "clones", "sandboxes", "board", "forge")
        return {**databases, **{name: _folder_bytes(home / name) for name in folders}}

    def kill_worker(self) -> None:
        """SIGKILL. The supervisor starts it again at once."""
        self._worker.kill(signal.SIGKILL)

    async def wait_for_worker(self) -> None:
        await self._worker.wait_ready()

    def _pid(self, part: Part) -> int:
        return self._worker.pid if part is Part.WORKER else self._stack.pid(part)


@asynccontextmanager
async def machine(home: Path, kind: Kind) -> AsyncGenerator[Machine]:
    """Start server, gateway and worker; however this ends, none of them is left."""
    home.mkdir(parents=True)
    make_repository(home / "project")
    stack = Stack(Settings(home=home), parts=(Part.SERVER, Part.GATEWAY))
    try:
        await stack.start()
        worker = Supervised(_worker(stack, kind), _ignore)
        journal = JournalStore(stack.settings.database("journal", ""), home / "objects")
        try:
            await worker.start(START_SECONDS)
            yield Machine(stack, worker, journal)
        finally:
            await worker.stop(_STOP_SECONDS)
            journal.close()
    finally:
        await stack.stop(_STOP_SECONDS)


def leave_others_alone() -> None:
    """Measure neither the operator's Temporal server nor with the operator's settings."""
    for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "PAWL_", "OTEL_"))]:
        if name != "PAWL_TEMPORAL_BIN":
            del os.environ[name]
    os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull


def _worker(stack: Stack, kind: Kind) -> Program:
    async def asks_for_work(pid: int) -> bool:
        try:
            return any(name.startswith(f"{pid}@") for name in await temporal.pollers(stack.client, names.WORK))
        except PawlError:
            return False

    argv = {
        Kind.WHOLE: (sys.executable, str(ROOT / "worker.py")),
        Kind.ORCHESTRATION: (sys.executable, "-m", "bench.plain_worker"),
    }
    return Program(
        name="worker",
        argv=argv[kind],
        env=environment(stack.settings, Part.WORKER, os.environ),
        cwd=ROOT,
        log=stack.settings.home / "logs" / "worker.log",
        is_ready=asks_for_work,
        has_spare=stack.settings.spare_worker,
    )


def _ignore(_event: StackEvent) -> None:
    """Deaths are ours, starts are timed by what the worker does."""


def _used_bytes(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        pages, free, size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def _folder_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
