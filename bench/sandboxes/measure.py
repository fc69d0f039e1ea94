"""The measurements, each on the real adapters."""

import asyncio
import random
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from activities.git import TrustedClones
from activities.journal.sql import SqlJournal
from activities.workspace.checkouts import SandboxCheckouts
from bench.sandboxes.results import Exec, Many, Out, Start
from infra.journal import JournalStore
from workflows.domain.change import Repository
from workflows.domain.environment import EnvironmentKind, Prepare, environment
from workflows.domain.policy import SandboxPolicy
from workflows.domain.session import WorkspaceOrder
from workflows.ports.sandbox import Command, ExitReason, Sandbox, SandboxSpec

_FILE_KB = 20
_WORDS = [f"word{number}" for number in range(4_000)]
_WARM_STARTS = 3
_ROOMY = SandboxPolicy(disk_mb=4_096)
_TRUE = Command(argv=("true",))


async def command(sandbox: Sandbox, times: int) -> Exec:
    """Start and end of `true`, in a sandbox that is there, beside a plain subprocess."""
    ref = await sandbox.ensure(SandboxSpec(key="command"))

    async def inside(number: int) -> None:
        await sandbox.start(ref, f"j{number}", _TRUE)
        view = await sandbox.poll(ref, f"j{number}", wait_seconds=30)
        if view.reason is not ExitReason.EXITED:
            raise RuntimeError(f"`true` ended with {view.reason}")

    inside_ms = [await _milliseconds(lambda n=n: inside(n)) for n in range(times)]
    bare_ms = [await _milliseconds(_bare) for _ in range(times)]
    await sandbox.destroy("command")
    return Exec(bare_ms=statistics.median(bare_ms), sandbox_ms=statistics.median(inside_ms))


async def many(sandbox: Sandbox, count: int) -> Many:
    async def one(number: int) -> float:
        begun = time.monotonic()
        ref = await sandbox.ensure(SandboxSpec(key=f"many-{number}"))
        await sandbox.start(ref, "j", _TRUE)
        while (await sandbox.poll(ref, "j", wait_seconds=30)).reason is None:
            pass
        await sandbox.destroy(ref.key)
        return time.monotonic() - begun

    begun = time.monotonic()
    each = await asyncio.gather(*(one(number) for number in range(count)))
    whole = time.monotonic() - begun
    begun = time.monotonic()
    await asyncio.gather(*(_bare() for _ in range(count)))
    return Many(
        sandboxes=count,
        seconds=whole,
        p50_seconds=statistics.median(each),
        max_seconds=max(each),
        bare_seconds=time.monotonic() - begun,
    )


class Checkouts:
    """One repository of so many megabytes, and the ways into and out of its checkouts."""

    def __init__(self, home: Path, sandbox: Sandbox, megabytes: int) -> None:
        self._home, self._sandbox, self._megabytes = home, sandbox, megabytes
        self._journal = SqlJournal(JournalStore(f"sqlite:///{home}/journal.db", home / "objects"))
        self._clones = TrustedClones(home / "clones")
        self._checkouts = SandboxCheckouts(sandbox, self._clones, self._journal)
        self._files = megabytes * 1024 // _FILE_KB

    async def measured(self) -> tuple[Start, list[Out]]:
        origin = await asyncio.to_thread(self._made)
        copied = await _seconds(lambda: asyncio.to_thread(self._copied, origin))
        branch, sha = await self._clones.fetch("bench", str(origin))
        repository = Repository(name="bench", url=str(origin), base_branch=branch, base_sha=sha)
        plain = WorkspaceOrder(key="first", repository=repository, sandbox=_ROOMY)
        first = await self._opened(plain)
        cold = await self._opened(plain.model_copy(update={"key": "cold"}))
        counts = (0, max(1, self._files // 1_000), self._files // 10)
        out = [await self._out(plain.model_copy(update={"key": "cold"}), count) for count in counts]
        warm = plain.model_copy(
            update={"environment": environment(EnvironmentKind.PLAIN, Prepare(run=("true",)), {"uv.lock": "1"})}
        )
        await self._checkouts.image(warm)
        starts = [await self._opened(warm.model_copy(update={"key": f"warm-{n}"})) for n in range(_WARM_STARTS)]
        for info in await self._sandbox.list({}):
            await self._sandbox.destroy(info.ref.key)
        start = Start(
            repository_mb=self._megabytes,
            files=self._files,
            copy_seconds=copied,
            first_seconds=first,
            cold_seconds=cold,
            warm_seconds=statistics.median(starts),
        )
        return start, out

    async def _opened(self, order: WorkspaceOrder) -> float:
        return await _seconds(lambda: self._checkouts.open(order))

    async def _out(self, order: WorkspaceOrder, changed: int) -> Out:
        """Change so many files and take them out."""
        checkout = await self._checkouts.open(order)
        job = f"change-{changed}"
        touched = await checkout.run(job, f"ls | head -n {changed} | while read f; do echo x >> $f; done", 300)
        if not touched.ok:
            raise RuntimeError(f"the files could not be changed: {touched.output}")
        begun = time.monotonic()
        state = await checkout.keep_state(f"{job}-keep")
        seconds = time.monotonic() - begun
        size = len(await self._journal.load(state)) if state else 0
        return Out(repository_mb=self._megabytes, changed_kb=changed * _FILE_KB, seconds=seconds, bundle_kb=size / 1024)

    def _made(self) -> Path:
        """A repository of text that compresses as text does."""
        origin, dice = self._home / "origin", random.Random(self._megabytes)  # noqa: S311  # the same files every time
        origin.mkdir(parents=True)
        for number in range(self._files):
            text = " ".join(dice.choices(_WORDS, k=_FILE_KB * 1024 // 8))
            (origin / f"file-{number:06}.txt").write_text(text[: _FILE_KB * 1024])
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*_AS_BENCH, "commit", "-q", "-m", "files"]):
            subprocess.run(["git", "-C", str(origin), *words], check=True)
        return origin

    def _copied(self, origin: Path) -> None:
        subprocess.run(["cp", "-a", str(origin), str(self._home / "copy")], check=True)


_AS_BENCH = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]


async def _bare() -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.monotonic()
    await work()
    return time.monotonic() - begun


async def _milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    return await _seconds(work) * 1_000
