"""What every sandbox provider promises, asked of each one that can run here."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.ports.sandbox.providers import MODEST, PROVIDERS, host_processes, made, ran, shell, until
from workflows.ports.sandbox import (
    BadSpec,
    Command,
    ExitReason,
    Gone,
    JobState,
    PolicyUnsupported,
    Sandbox,
    SandboxRef,
    SandboxSpec,
)

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_same_key_is_same_sandbox_for_whoever_asks(sandbox: Sandbox, provider: str, tmp_path: Path) -> None:
    other_worker = PROVIDERS[provider](tmp_path / "sandboxes")
    refs = await asyncio.gather(*(made(maker, "shared") for maker in (sandbox, other_worker) for _ in range(4)))
    assert len(set(refs)) == 1
    assert [info.ref for info in await sandbox.list({})] == [refs[0]]


async def test_list_finds_the_living_by_all_their_labels(sandbox: Sandbox) -> None:
    for key, labels in (("a", {"owner": "x", "ticket": "1"}), ("b", {"owner": "x"}), ("c", {"owner": "y"})):
        await sandbox.ensure(SandboxSpec(key=key, labels=labels))
    await sandbox.destroy("b")
    assert [info.ref.key for info in await sandbox.list({"owner": "x"})] == ["a"]
    assert len(await sandbox.list({})) == 2


async def test_destroy_twice_and_use_after(sandbox: Sandbox, ref: SandboxRef) -> None:
    await sandbox.write(ref, "/work/a", b"old")
    await sandbox.destroy(ref.key)
    await sandbox.destroy(ref.key)
    for use in (
        sandbox.start(ref, "j", shell("true")),
        sandbox.poll(ref, "j"),
        sandbox.read(ref, "/work/a", 10),
        sandbox.write(ref, "/work/a", b""),
        sandbox.kill(ref, "j"),
    ):
        with pytest.raises(Gone):
            await use
    anew = await made(sandbox)
    assert anew.instance != ref.instance
    with pytest.raises(FileNotFoundError):
        await sandbox.read(anew, "/work/a", 10)
    with pytest.raises(Gone):
        await sandbox.read(ref, "/work/a", 10)


async def test_destroy_kills_what_runs(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    await sandbox.start(ref, "j", shell(f"sleep {mark} & setsid sleep {mark}", timeout_seconds=60))
    await until(lambda: len(host_processes(f"sleep\0{mark}")) == 2)
    await sandbox.destroy(ref.key)
    assert not host_processes(mark)


async def test_exit_codes_are_exact(sandbox: Sandbox, ref: SandboxRef) -> None:
    for code in (0, 7, 124, 126, 127, 137, 255):
        view = await ran(sandbox, ref, f"exit {code}", f"exit {code}")
        assert (view.reason, view.code) == (ExitReason.EXITED, code)


async def test_death_by_signal_is_not_an_exit_code(sandbox: Sandbox, ref: SandboxRef) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGPIPE):
        view = await ran(sandbox, ref, number.name, f"echo before; kill -{int(number)} $$; sleep 5")
        assert (view.reason, view.code, view.out, view.err) == (ExitReason.SIGNALLED, number, b"before\n", b"")


async def test_a_command_that_does_not_exist(sandbox: Sandbox, ref: SandboxRef) -> None:
    view = await ran(sandbox, ref, "j", Command(argv=("no-such-program",)))
    assert (view.reason, view.code) == (ExitReason.EXITED, 127)
    assert b"no-such-program" in view.err


async def test_timeout_ends_the_whole_tree_and_keeps_output(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    script = f"""
        trap '' TERM HUP INT
        setsid sleep {mark} & nohup sleep {mark} & (trap '' TERM; setsid sh -c 'sleep {mark}; sleep {mark}') &
        echo partial; sleep {mark}
    """
    started = time.monotonic()
    view = await ran(sandbox, ref, "j", shell(script, timeout_seconds=1))
    assert (view.reason, view.code, view.out) == (ExitReason.TIMEOUT, None, b"partial\n")
    assert time.monotonic() - started < 5
    assert not host_processes(mark)


async def test_nothing_outlives_a_command_that_ended(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    view = await ran(sandbox, ref, "j", f"setsid sleep {mark} & nohup sleep {mark} & exit 3")
    assert (view.reason, view.code) == (ExitReason.EXITED, 3)
    assert not host_processes(mark)


async def test_kill_is_idempotent_and_harmless_after_the_end(sandbox: Sandbox, ref: SandboxRef, mark: str) -> None:
    await sandbox.start(ref, "j", shell(f"setsid sleep {mark} & sleep {mark}", timeout_seconds=60))
    await until(lambda: bool(host_processes(f"sleep\0{mark}")))
    await asyncio.gather(sandbox.kill(ref, "j"), sandbox.kill(ref, "j"))
    await sandbox.kill(ref, "j")
    assert (await sandbox.poll(ref, "j")).reason is ExitReason.KILLED
    assert not host_processes(mark)
    await ran(sandbox, ref, "k", "exit 4")
    await sandbox.kill(ref, "k")
    assert (await sandbox.poll(ref, "k")).code == 4


async def test_same_job_is_one_run(sandbox: Sandbox, ref: SandboxRef, provider: str, tmp_path: Path) -> None:
    other_worker = PROVIDERS[provider](tmp_path / "sandboxes")
    script = shell("echo ran | tee -a /work/count; sleep 0.2")
    await asyncio.gather(*(who.start(ref, "j/1: odd id", script) for who in (sandbox, other_worker) for _ in range(3)))
    assert (await ran(other_worker, ref, "j/1: odd id", "echo something else")).out == b"ran\n"
    assert await sandbox.read(ref, "/work/count", 100) == b"ran\n"


async def test_unknown_job(sandbox: Sandbox, ref: SandboxRef) -> None:
    with pytest.raises(BadSpec):
        await sandbox.poll(ref, "never started", wait_seconds=5)


async def test_output_by_offset_without_loss_or_repeat(sandbox: Sandbox, ref: SandboxRef) -> None:
    script = """
        for i in 1 2 3 4 5 6; do echo out$i; echo err$i >&2; sleep 0.05; done
        until [ -e /work/seen ]; do sleep 0.02; done
    """
    await sandbox.start(ref, "j", shell(script))
    out, err, state = b"", b"", JobState.RUNNING
    polls = 0
    while state is JobState.RUNNING:
        if polls == 4:  # however long a provider takes for one
            await sandbox.write(ref, "/work/seen", b"")
        view = await sandbox.poll(ref, "j", len(out), len(err), wait_seconds=0.03)
        out, err, state, polls = out + view.out, err + view.err, view.state, polls + 1
        assert (view.out_next, view.err_next) == (len(out), len(err))
    assert out == b"".join(f"out{i}\n".encode() for i in range(1, 7))
    assert err == b"".join(f"err{i}\n".encode() for i in range(1, 7))


async def test_another_worker_goes_on_after_the_first_was_killed(
    sandbox: Sandbox, provider: str, tmp_path: Path
) -> None:
    starter = f"""
import asyncio, os, signal
from pathlib import Path
from tests.ports.sandbox.providers import PROVIDERS, made, shell
async def main():
    sandbox = PROVIDERS[{provider!r}](Path({str(tmp_path / "sandboxes")!r}))
    ref = await made(sandbox)
    await sandbox.start(ref, "j", shell("echo first; sleep 0.5; echo second; exit 5"))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    died = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", starter], cwd=Path(__file__).parents[3], check=False
    )
    assert died.returncode == -signal.SIGKILL
    ref = await made(sandbox)
    view = await ran(sandbox, ref, "j", "echo a second run")
    assert (view.out, view.code) == (b"first\nsecond\n", 5)
    assert (await sandbox.poll(ref, "j", out_at=6)).out == b"second\n"


async def test_a_dead_supervisor_leaves_gone_and_no_process(
    sandbox: Sandbox, ref: SandboxRef, provider: str, mark: str
) -> None:
    await sandbox.start(ref, "j", shell(f"setsid sleep {mark} & sleep {mark}", timeout_seconds=60))
    await until(lambda: len(host_processes(f"sleep\0{mark}")) == 2)
    (supervisor,) = {_supervisor_of(pid, PROVIDERS[provider].supervisor) for pid in host_processes(f"sleep\0{mark}")}
    os.kill(supervisor, signal.SIGKILL)
    view = await sandbox.poll(ref, "j", wait_seconds=5)
    assert (view.state, view.reason, view.code) == (JobState.EXITED, ExitReason.GONE, None)
    await until(lambda: not host_processes(mark))


async def test_a_cancelled_watcher_leaves_the_job_alone(sandbox: Sandbox, ref: SandboxRef) -> None:
    await sandbox.start(ref, "j", shell("sleep 0.4; echo done"))
    watcher = asyncio.create_task(sandbox.poll(ref, "j", wait_seconds=30))
    await asyncio.sleep(0.1)
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    assert (await sandbox.poll(ref, "j", wait_seconds=30)).out == b"done\n"


async def test_a_flood_of_output_is_cut_and_does_not_block(sandbox: Sandbox, ref: SandboxRef) -> None:
    script = "head -c 60000000 /dev/zero; head -c 60000000 /dev/zero >&2; exit 9"
    view = await ran(sandbox, ref, "j", script)
    assert (view.code, view.truncated) == (9, True)
    assert 1_000_000 < len(view.out) == len(view.err) < 20_000_000


async def test_output_is_bytes(sandbox: Sandbox, ref: SandboxRef) -> None:
    view = await ran(sandbox, ref, "j", r"printf '\377\000\r\n\303'; printf '\251 end'")
    assert view.out == b"\xff\x00\r\n\xc3\xa9 end"
    assert not view.truncated


async def test_both_pipes_full_do_not_block(sandbox: Sandbox, ref: SandboxRef) -> None:
    view = await ran(sandbox, ref, "j", "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero")
    assert (view.code, len(view.out), len(view.err)) == (0, 1_000_000, 1_000_000)


async def test_stdin_arrives_whole_and_ends(sandbox: Sandbox, ref: SandboxRef) -> None:
    data = bytes(range(256)) * 12_000
    view = await ran(sandbox, ref, "j", shell("cat > /work/in; cat | wc -c", stdin=data))
    assert view.out == b"0\n"
    assert await sandbox.read(ref, "/work/in", 4_000_000) == data
    assert (await ran(sandbox, ref, "k", "cat; echo ended")).out == b"ended\n"


async def test_arguments_arrive_as_they_are(sandbox: Sandbox, ref: SandboxRef) -> None:
    odd = ("a b", "it's", 'say "x"', "line\nbreak", "ünï→", "$HOME `id` \\", "-n", "")
    view = await ran(sandbox, ref, "j", Command(argv=("printf", r"%s\0", *odd)))
    assert view.out.decode() == "".join(f"{part}\0" for part in odd)
    for argv in ((), ("echo", "x" * 200_000), ("echo", "a\0b")):
        with pytest.raises(BadSpec):
            await sandbox.start(ref, "k", Command(argv=argv))
    with pytest.raises(BadSpec):
        await sandbox.start(ref, "k", Command(argv=("true",), cwd="here"))


async def test_folder_and_environment_of_a_command(sandbox: Sandbox, ref: SandboxRef) -> None:
    await sandbox.write(ref, "deep/er/file", b"x" * 100_000)
    view = await ran(
        sandbox,
        ref,
        "j",
        Command(argv=("sh", "-c", "pwd; wc -c < file; echo $A"), cwd="/work/deep/er", env={"A": "b=c"}),
    )
    assert view.out == b"/work/deep/er\n100000\nb=c\n"
    absent = await ran(sandbox, ref, "k", Command(argv=("true",), cwd="/work/absent"))
    assert absent.code == 126


async def test_what_a_provider_cannot_enforce_is_refused(sandbox: Sandbox, ref: SandboxRef) -> None:
    if not sandbox.capabilities.images:
        with pytest.raises(PolicyUnsupported, match=r"pawl\.sandbox\.image"):
            await sandbox.ensure(SandboxSpec(key="i", image="debian"))
    if not sandbox.capabilities.snapshot:
        with pytest.raises(PolicyUnsupported):
            await sandbox.snapshot(ref)


async def test_a_snapshot_is_kept_until_it_is_forgotten(sandbox: Sandbox, ref: SandboxRef) -> None:
    await sandbox.write(ref, "/work/file", b"kept")
    kept, unwanted = await sandbox.snapshot(ref), await sandbox.snapshot(ref)
    for _ in range(2):
        await sandbox.forget(unwanted)
    with pytest.raises(Gone):
        await sandbox.ensure(SandboxSpec(key="late", snapshot=unwanted, limits=MODEST))
    warm = await sandbox.ensure(SandboxSpec(key="warm", snapshot=kept, limits=MODEST))
    assert await sandbox.read(warm, "/work/file", 10) == b"kept"
    with pytest.raises(BadSpec):
        await sandbox.forget("debian")


async def test_a_repository_cannot_name_a_snapshot(sandbox: Sandbox, ref: SandboxRef) -> None:
    await sandbox.write(ref, "/work/file", b"of another repository")
    kept = await sandbox.snapshot(ref)
    with suppress(BadSpec, PolicyUnsupported):  # a registry may have an image of any name
        sly = await sandbox.ensure(SandboxSpec(key="sly", image=kept, limits=MODEST))
        with pytest.raises(FileNotFoundError):
            await sandbox.read(sly, "/work/file", 100)


def _supervisor_of(pid: int, word: str) -> int:
    """The nearest ancestor that Pawl started."""
    while word.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid
