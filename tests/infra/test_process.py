"""Supervised processes: restarted when they die, ended when they must, never left behind."""

import asyncio
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from infra import process
from infra.exits import Misused, OutOfReach, PawlError
from infra.process import Program, StackEvent, Supervised, What

SERVES = """
    import os, pathlib, signal, sys, time
    pathlib.Path("ready").write_text(str(os.getpid()))
    print("serving", flush=True)
    time.sleep(600)
"""
ROOT = Path(__file__).resolve().parents[2]


def program(folder: Path, code: str = SERVES) -> Program:
    """A Python program in `folder` that serves once it has written its process id into `ready`."""

    async def is_ready(pid: int) -> bool:
        said = folder / "ready"
        return said.exists() and said.read_text() == str(pid)

    script = folder / "program.py"
    script.write_text(textwrap.dedent(code))
    argv = (sys.executable, "-I", "-S", str(script))
    return Program(name="part", argv=argv, env={}, cwd=folder, log=folder / "part.log", is_ready=is_ready)


@asynccontextmanager
async def running(what: Program, events: list[StackEvent]) -> AsyncGenerator[Supervised]:
    supervised = Supervised(what, events.append)
    await supervised.start(30)
    try:
        yield supervised
    finally:
        await supervised.stop(5)


async def until_gone(pid: int) -> None:
    """Zombies count as gone: nobody may be there to wait for an orphan's orphan."""
    async with asyncio.timeout(20):
        while _state(pid) not in ("", "Z"):  # noqa: ASYNC110  # another process: no event to wait for
            await asyncio.sleep(0.02)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def test_a_killed_process_is_started_again_at_once(tmp_path: Path) -> None:
    events: list[StackEvent] = []
    async with running(program(tmp_path), events) as supervised:
        first = supervised.pid
        supervised.kill(signal.SIGKILL)
        async with asyncio.timeout(20):
            await supervised.wait_ready()
        second = supervised.pid
        assert second != first
        assert [event.what for event in events] == [What.STARTED, What.READY, What.DIED, What.STARTED, What.READY]
        died = events[2]
        assert (died.pid, died.how) == (first, "SIGKILL")
        assert "died (SIGKILL)" in died.sentence
    await until_gone(second)
    assert events[-1].what is What.STOPPED


async def test_a_program_that_keeps_dying_is_started_ever_more_slowly(tmp_path: Path) -> None:
    dies_after_the_first = SERVES.replace("time.sleep(600)", "time.sleep(600 if not os.path.exists('again') else 0)")
    events: list[StackEvent] = []
    async with running(program(tmp_path, dies_after_the_first), events) as supervised:
        (tmp_path / "again").touch()
        supervised.kill(signal.SIGKILL)
        await asyncio.sleep(1.5)
        starts = sum(event.what is What.STARTED for event in events)
        assert 3 <= starts <= 5  # at 0, 0, 0.2, 0.7 and 1.7 s, when starting cost nothing


async def test_a_program_that_does_not_come_up_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    events: list[StackEvent] = []
    supervised = Supervised(program(tmp_path, "raise SystemExit('the port is taken')"), events.append)
    with pytest.raises(OutOfReach, match=r"part ended with exit code 1[\s\S]*the port is taken"):
        await supervised.start(30)


async def test_a_program_that_never_answers_is_given_up_and_ended(tmp_path: Path) -> None:
    events: list[StackEvent] = []
    supervised = Supervised(program(tmp_path, "import time; time.sleep(600)"), events.append)
    with pytest.raises(OutOfReach, match="does not answer"):
        await supervised.start(0.5)
    await until_gone(events[0].pid)


async def test_only_what_this_start_wrote_is_told(tmp_path: Path) -> None:
    broken = program(tmp_path, "import sys; print('new trouble'); sys.exit(1)")
    broken.log.write_text("old trouble\n")
    with pytest.raises(OutOfReach, match="ended with exit code 1") as told:
        await Supervised(broken, lambda _: None).start(30)
    assert "new trouble" in str(told.value)
    assert "old trouble" not in str(told.value)


@pytest.mark.parametrize(("ours", "kind"), [(True, Misused), (False, OutOfReach)])
async def test_a_part_of_ours_that_finds_a_setting_at_fault_is_no_outage(
    tmp_path: Path, ours: bool, kind: type[PawlError]
) -> None:
    misused = replace(program(tmp_path, "import sys; print('PAWL_X makes no sense'); sys.exit(2)"), is_ours=ours)
    with pytest.raises(PawlError, match="PAWL_X makes no sense") as told:
        await Supervised(misused, lambda _: None).start(30)
    assert type(told.value) is kind


async def test_stopping_is_bounded_even_when_the_program_will_not(tmp_path: Path) -> None:
    deaf = SERVES.replace("print(", "signal.signal(signal.SIGTERM, signal.SIG_IGN); print(", 1)
    deaf = deaf.replace("pathlib.Path(", "signal.signal(signal.SIGTERM, signal.SIG_IGN); pathlib.Path(", 1)
    events: list[StackEvent] = []
    async with running(program(tmp_path, deaf), events) as supervised:
        begun = time.monotonic()
        await supervised.stop(0.3)
        assert time.monotonic() - begun < 10
    assert events[-1].how == "SIGKILL"


async def test_helpers_of_a_dead_process_do_not_work_on_beside_its_successor(tmp_path: Path) -> None:
    with_helper = SERVES.replace(
        'pathlib.Path("ready")',
        'import subprocess; helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]); '
        'pathlib.Path(f"helper-{os.getpid()}").write_text(str(helper.pid)); pathlib.Path("ready")',
        1,
    )
    events: list[StackEvent] = []
    async with running(program(tmp_path, with_helper), events) as supervised:
        helper = int((tmp_path / f"helper-{supervised.pid}").read_text())
        supervised.kill(signal.SIGKILL)
        async with asyncio.timeout(20):
            await supervised.wait_ready()
        await until_gone(helper)


async def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    supervisor_code = f"""
        import asyncio, sys
        from pathlib import Path
        from infra.process import Supervised
        from tests.infra.test_process import program

        async def main():
            await Supervised(program(Path({str(tmp_path)!r})), lambda event: None).start(30)
            print("up", flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(supervisor_code), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    assert await supervisor.stdout.readline() == b"up\n"
    child = int((tmp_path / "ready").read_text())
    os.kill(child, 0)
    supervisor.kill()
    await supervisor.wait()
    await until_gone(child)


SPARE = """
    import os, pathlib, sys, time
    sys.path.insert(0, {root!r})
    from infra.spare import wait_until_needed
    with open("loaded", "a") as loaded:
        loaded.write(f"{{os.getpid()}}\\n")
    wait_until_needed()
    pathlib.Path("ready").write_text(str(os.getpid()))
    time.sleep(600)
"""


async def loaded(folder: Path, count: int) -> list[int]:
    """The process ids of everything that was ever loaded, once there are so many."""
    async with asyncio.timeout(20):
        while True:
            said = folder / "loaded"
            pids = [int(line) for line in said.read_text().split()] if said.exists() else []
            if len(pids) >= count:
                return pids
            await asyncio.sleep(0.02)


async def test_a_spare_is_loaded_beforehand_and_serves_when_its_predecessor_dies(tmp_path: Path) -> None:
    what = replace(program(tmp_path, SPARE.format(root=str(ROOT))), has_spare=True)
    events: list[StackEvent] = []
    async with running(what, events) as supervised:
        first, spare = await loaded(tmp_path, 2)
        assert supervised.pid == first
        supervised.kill(signal.SIGKILL)
        await supervised.wait_ready()
        assert supervised.pid == spare
        next_spare = (await loaded(tmp_path, 3))[2]
    for pid in (first, spare, next_spare):
        await until_gone(pid)


LOADING = """
    import os, pathlib, sys, time
    sys.path.insert(0, {root!r})
    from infra import spare
    spare.REST_SECONDS = 0.1
    spare.wait_until_needed(pathlib.Path("more").touch)
    pathlib.Path("ready").write_text(str(os.getpid()))
    time.sleep(600)
"""


async def test_a_spare_loads_more_while_it_waits_and_one_that_serves_does_not(tmp_path: Path) -> None:
    what = program(tmp_path, LOADING.format(root=str(ROOT)))
    async with running(what, []):
        assert not (tmp_path / "more").exists()
    async with running(replace(what, has_spare=True), []), asyncio.timeout(20):
        while not (tmp_path / "more").exists():  # noqa: ASYNC110  # another process: no event to wait for
            await asyncio.sleep(0.02)


async def test_a_spare_that_was_killed_is_replaced_by_a_fresh_start(tmp_path: Path) -> None:
    what = replace(program(tmp_path, SPARE.format(root=str(ROOT))), has_spare=True)
    async with running(what, []) as supervised:
        first, spare = await loaded(tmp_path, 2)
        os.kill(spare, signal.SIGKILL)
        await until_gone(spare)
        supervised.kill(signal.SIGKILL)
        await supervised.wait_ready()
        assert supervised.pid not in (first, spare)


async def test_one_that_lives_and_no_longer_works_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WATCH_SECONDS", 0.02)
    answers = iter([True, False, False, True, False, False, False])
    events: list[StackEvent] = []

    async def works() -> bool:
        return next(answers, True)

    async with running(replace(program(tmp_path), works=works), events) as supervised:
        first = supervised.pid
        async with asyncio.timeout(20):
            while supervised.pid == first:  # noqa: ASYNC110  # another process: no event to wait for
                await asyncio.sleep(0.02)
            await supervised.wait_ready()
    assert next(answers, None) is None, "two misses in a row are forgiven"
    told = [event.what for event in events]
    assert told[:5] == [What.STARTED, What.READY, What.STUCK, What.DIED, What.STARTED]
    await until_gone(first)


async def test_it_is_started_again_when_the_machine_has_room_for_it_again(tmp_path: Path) -> None:
    """The log's folder stands for whatever a start needs and cannot have for a while."""
    logs = tmp_path / "logs"
    events: list[StackEvent] = []
    async with running(replace(program(tmp_path), log=logs / "part.log"), events) as supervised:
        first = supervised.pid
        logs.rename(tmp_path / "away")
        supervised.kill(signal.SIGKILL)
        async with asyncio.timeout(20):
            while events[-1].what is not What.NOT_STARTED:  # noqa: ASYNC110  # another process: no event to wait for
                await asyncio.sleep(0.02)
            assert "No such file" in events[-1].sentence
            (tmp_path / "away").rename(logs)
            await supervised.wait_ready()
        assert supervised.pid != first


async def test_it_is_kept_running_when_nobody_can_be_told_any_more(tmp_path: Path) -> None:
    def closed(_event: StackEvent) -> None:
        raise BrokenPipeError

    supervised = Supervised(program(tmp_path), closed)
    await supervised.start(30)
    try:
        first = supervised.pid
        supervised.kill(signal.SIGKILL)
        async with asyncio.timeout(20):
            await supervised.wait_ready()
        assert supervised.pid != first
    finally:
        await supervised.stop(5)
