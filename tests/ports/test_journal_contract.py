"""What every journal promises: put-if-absent, order, durability, content-addressed bodies."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.journal.sql import SqlJournal
from infra.journal import SMALL, JournalStore
from workflows.ports.journal import Entry, EntryKind, Journal


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JournalStore]:
    store = JournalStore(f"sqlite:///{tmp_path}/journal.db", tmp_path / "objects")
    yield store
    store.close()


@pytest.fixture
def journal(store: JournalStore) -> Journal:
    return SqlJournal(store)


def entry(key: str, body: str = "{}", session: str = "t.builder1", seq: int = 1) -> Entry:
    return Entry(session=session, seq=seq, kind=EntryKind.TOOL, key=key, body=body)


async def test_the_first_writer_of_a_key_is_right(journal: Journal) -> None:
    first = await journal.put(entry("a", "one"))
    second = await journal.put(entry("a", "two"))
    assert first.body == second.body == "one"
    assert first.at is not None
    assert first == second == await journal.get("t.builder1", "a")
    assert (await journal.put(entry("a", "other session", session="t.fixer1"))).body == "other session"


async def test_concurrent_writers_of_one_key_all_see_the_winner(journal: Journal) -> None:
    stored = await asyncio.gather(*(journal.put(entry("a", str(n))) for n in range(50)))
    assert {one.body for one in stored} == {"0"}
    assert len(await journal.entries("t.builder1")) == 1


async def test_what_is_not_there_is_none(journal: Journal) -> None:
    assert await journal.get("t.builder1", "a") is None
    assert await journal.entries("t.builder1") == []


async def test_entries_come_in_the_order_they_were_written_and_by_slice(journal: Journal) -> None:
    for seq, key in [(0, "prompt"), (1, "z"), (2, "b"), (1, "a"), (3, "c")]:
        await journal.put(entry(key, seq=seq))
    await journal.put(entry("stranger", session="t.builder10"))
    assert [one.key for one in await journal.entries("t.builder1")] == ["prompt", "z", "b", "a", "c"]
    assert [one.key for one in await journal.entries("t.builder1", 1, 2)] == ["z", "b", "a"]
    assert [one.key for one in await journal.entries("t.builder1", first=2)] == ["b", "c"]


@pytest.mark.parametrize("size", [0, 5, SMALL, SMALL + 1, 3_000_000])
async def test_bytes_come_back_by_their_digest(journal: Journal, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    ref = await journal.keep(data)
    assert ref.startswith("sha256:")
    assert ref == await journal.keep(data)
    assert await journal.load(ref) == data


async def test_text_comes_back_as_text(journal: Journal) -> None:
    assert await journal.load_text(await journal.keep_text("żółw \U0001f422 \x00")) == "żółw \U0001f422 \x00"


@pytest.mark.parametrize("ref", ["sha256:" + "0" * 64, "sha256:../../etc/passwd", ""])
async def test_an_unknown_reference_is_a_key_error(journal: Journal, ref: str) -> None:
    with pytest.raises(KeyError):
        await journal.load(ref)


async def test_an_entry_that_cannot_be_written_does_not_fail_its_neighbours(journal: Journal) -> None:
    lone_surrogate = entry("bad", "\ud800")
    results = await asyncio.gather(
        journal.put(entry("a")), journal.put(lone_surrogate), journal.put(entry("b")), return_exceptions=True
    )
    assert isinstance(results[1], UnicodeEncodeError)
    assert [one.key for one in await journal.entries("t.builder1")] == ["a", "b"]


async def test_a_cancelled_writer_still_writes_and_the_next_one_is_served(journal: Journal) -> None:
    put = asyncio.create_task(journal.put(entry("a")))
    await asyncio.sleep(0)
    put.cancel()
    assert (await journal.put(entry("b"))).key == "b"
    assert {one.key for one in await journal.entries("t.builder1")} == {"a", "b"}


async def test_a_damaged_large_body_is_refused_and_writing_it_again_mends_it(journal: Journal, tmp_path: Path) -> None:
    data = b"y" * (SMALL + 1)
    ref = await journal.keep(data)
    (file,) = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    file.write_bytes(b"cut short by a power failure")
    with pytest.raises(KeyError, match="damaged"):
        await journal.load(ref)
    await journal.keep(data)
    assert await journal.load(ref) == data


def test_events_are_read_by_session_kind_and_page(store: JournalStore) -> None:
    sessions = ["a.builder1", "a.builder10", "a.fixer1", "ab.builder1", "a%.builder1"]
    store.write([entry(f"k{n}", session=name) for n, name in enumerate(sessions)])
    store.write([Entry(session="a.fixer1", seq=2, kind=EntryKind.TURN, key="turn", body="{}")])
    assert [event.entry.session for event in store.events("a.builder1")] == ["a.builder1"]
    assert store.events("a.build") == []
    assert [event.entry.session for event in store.events("a")] == [
        "a.builder1",
        "a.builder10",
        "a.fixer1",
        "a.fixer1",
    ]
    assert [event.entry.key for event in store.events("a", kinds=[EntryKind.TURN])] == ["turn"]
    first = store.events(limit=4)
    rest = store.events(after=first[-1].place)
    assert [event.entry.key for event in (*first, *rest)] == ["k0", "k1", "k2", "k3", "k4", "turn"]


def test_the_default_commit_waits_for_the_disk(store: JournalStore, tmp_path: Path) -> None:
    with store._engine.connect() as connection:  # pyright: ignore[reportPrivateUsage]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    with sqlite3.connect(tmp_path / "journal.db") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


def _writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ports.journal_writer", str(folder), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_two_processes_agree_on_every_key(journal: Journal, tmp_path: Path) -> None:
    writers = [_writer(tmp_path, name, 40) for name in ("x", "y")]
    outputs = [await asyncio.to_thread(writer.communicate, timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    winners = defaultdict[str, set[str]](set)
    for out, _ in outputs:
        for line in out.splitlines():
            _, n, _, won = line.split()
            winners[f"k-{n}"].add(won)
    stored = {one.key: {one.body} for one in await journal.entries("shared")}
    assert len(stored) == 40
    assert stored == winners


async def test_what_a_killed_writer_was_told_is_there(tmp_path: Path, journal: Journal) -> None:
    writer = _writer(tmp_path, "x", 100_000)
    assert writer.stdout is not None
    promised = [await asyncio.to_thread(writer.stdout.readline) for _ in range(150)]
    writer.send_signal(signal.SIGKILL)
    promised += (await asyncio.to_thread(writer.communicate))[0].splitlines()
    promises = [line.split() for line in promised if len(line.split()) == 4]
    assert len(promises) >= 150
    for session, n, ref, _ in promises:
        kept = await journal.get(session, f"own-{n}")
        assert kept is not None
        assert kept.body == ref
        assert (await journal.load(ref)).startswith(f"{session.removeprefix('s.')}.{n}".encode())
