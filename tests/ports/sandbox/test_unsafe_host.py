"""The bare host: only for who says so, never silently, and with what can still be held."""

import json
import os
import signal
import stat
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sandbox.unsafe_host import CONFIRMATION, UnsafeHost
from tests.ports.sandbox.providers import MODEST, host_processes, made, ran, shell, until
from workflows.domain.policy import SandboxLimits
from workflows.ports.sandbox import (
    BadSpec,
    Command,
    Denied,
    ExitReason,
    Gone,
    PolicyUnsupported,
    SandboxRef,
    SandboxSpec,
)

pytestmark = pytest.mark.sandbox


@pytest.fixture
async def host(tmp_path: Path) -> AsyncGenerator[UnsafeHost]:
    host = UnsafeHost(tmp_path / "sandboxes", tmp_path / "audit", CONFIRMATION)
    yield host
    for info in await host.list({}):
        await host.destroy(info.ref.key)


@pytest.fixture
async def ref(host: UnsafeHost) -> SandboxRef:
    return await made(host)


@pytest.mark.parametrize("said", ["", "yes", "1", "true", CONFIRMATION.lower(), f"{CONFIRMATION}.", f" {CONFIRMATION}"])
def test_it_needs_the_exact_words(tmp_path: Path, said: str) -> None:
    with pytest.raises(BadSpec, match="PAWL_UNSAFE_HOST"):
        UnsafeHost(tmp_path / "sandboxes", tmp_path / "audit", said)
    assert list(tmp_path.iterdir()) == []


async def test_it_says_what_it_is_and_claims_nothing(host: UnsafeHost, ref: SandboxRef) -> None:
    assert host.capabilities.tier == "NO SANDBOX: the bare host"
    for spec in (
        SandboxSpec(key="a", egress=("example.org",)),
        SandboxSpec(key="b", require_hard_limits=True),
        SandboxSpec(key="c", limits=SandboxLimits(cpus=1)),
        SandboxSpec(key="d", image="debian"),
    ):
        with pytest.raises(PolicyUnsupported, match="NO SANDBOX"):
            await host.ensure(spec)
    with pytest.raises(PolicyUnsupported, match="NO SANDBOX"):
        await host.snapshot(ref)


async def test_every_sandbox_and_every_command_is_written_down(host: UnsafeHost, tmp_path: Path) -> None:
    ref = await host.ensure(SandboxSpec(key="one", labels={"ticket": "7"}))
    await made(host)
    for _ in range(2):
        await ran(host, ref, "j", Command(argv=("echo", "x" * 1_000)))
    with pytest.raises(PolicyUnsupported):
        await host.ensure(SandboxSpec(key="two", egress=("example.org",)))
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert [(line["what"], line["sandbox"], line["user"]) for line in lines] == [
        ("sandbox made", "one", os.getuid()),
        ("command started", "one", os.getuid()),
    ]
    assert lines[0]["labels"] == {"ticket": "7"}
    assert lines[1]["argv"] == ["echo", "x" * 200]
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o600


async def test_what_cannot_be_written_down_does_not_run(host: UnsafeHost, ref: SandboxRef, tmp_path: Path) -> None:
    (tmp_path / "audit").unlink()
    (tmp_path / "audit").mkdir()
    with pytest.raises(Denied, match="audit"):
        await host.start(ref, "j", shell("touch ran"))
    with pytest.raises(Denied, match="audit"):
        await made(host, "two")
    assert [info.ref.key for info in await host.list({})] == ["one"]
    with pytest.raises(FileNotFoundError):
        await host.read(ref, "ran", 10)


async def test_a_command_runs_as_me_in_the_folder_of_its_sandbox(
    host: UnsafeHost, ref: SandboxRef, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAWL_GATEWAY_SECRET", "secret")
    await host.write(ref, "/work/repo/file", b"read")
    script = "id -u; pwd; echo $HOME $GIVEN; cat '/work/repo/file'; cat >&2; echo x > /work/made; echo /workshop; env"
    command = Command(argv=("sh", "-c", script), cwd="/work/repo", env={"GIVEN": "/work/a:/work"}, stdin=b"in")
    view = await ran(host, ref, "j", command)
    work = tmp_path / "sandboxes/one/work"
    lines = view.out.decode().splitlines()
    assert lines[:4] == [str(os.getuid()), f"{work}/repo", f"{work}/home {work}/a:{work}", "read/workshop"]
    assert "secret" not in view.out.decode()
    assert (view.err, view.code) == (b"in", 0)
    assert await host.read(ref, "/work/made", 10) == b"x\n"


async def test_how_commands_end(host: UnsafeHost, ref: SandboxRef) -> None:
    assert (await ran(host, ref, "exit", "exit 137")).code == 137
    died = await ran(host, ref, "signal", "kill -9 $$")
    assert (died.reason, died.code) == (ExitReason.SIGNALLED, signal.SIGKILL)
    assert (await ran(host, ref, "none", Command(argv=("no-such-program",)))).code == 127
    assert (await ran(host, ref, "disk", "fallocate -l 60M a; fallocate -l 60M b; sleep 12")).reason is ExitReason.DISK


async def test_its_memory_is_watched(host: UnsafeHost, ref: SandboxRef) -> None:
    greedy = "for n in 1 2 3 4 5; do sh -c 'x=$(head -c 80000000 /dev/zero | tr \"\\\\0\" x); sleep 20' & done; wait"
    view = await ran(host, ref, "j", shell(greedy))
    assert view.reason is ExitReason.OOM


async def test_nothing_is_left_of_a_command(host: UnsafeHost, ref: SandboxRef, mark: str) -> None:
    script = f"trap '' TERM; setsid sleep {mark} & (setsid sh -c 'sleep {mark}; sleep {mark}' &) ; nohup sleep {mark} &"
    view = await ran(host, ref, "ends", f"{script} sleep 0.2; exit 3")
    assert (view.reason, view.code) == (ExitReason.EXITED, 3)
    assert not host_processes(mark)
    started = time.monotonic()
    view = await ran(host, ref, "late", shell(f"{script} echo partial; sleep {mark}", timeout_seconds=1))
    assert (view.reason, view.out) == (ExitReason.TIMEOUT, b"partial\n")
    assert time.monotonic() - started < 8
    assert not host_processes(mark)
    await host.start(ref, "killed", shell(f"{script} sleep {mark}"))
    await until(lambda: len(host_processes(mark)) >= 5)
    await host.kill(ref, "killed")
    assert (await host.poll(ref, "killed")).reason is ExitReason.KILLED
    assert not host_processes(mark)


async def test_destroying_ends_what_runs(host: UnsafeHost, ref: SandboxRef, mark: str, tmp_path: Path) -> None:
    await host.start(ref, "j", shell(f"setsid sleep {mark} & sleep {mark}"))
    await until(lambda: len(host_processes(f"sleep\0{mark}")) == 2)
    await host.destroy(ref.key)
    assert not host_processes(mark)
    assert not (tmp_path / "sandboxes/one").exists()
    with pytest.raises(Gone):
        await host.poll(ref, "j")


async def test_limits_are_the_sandboxs(host: UnsafeHost) -> None:
    ref = await made(host, "short", MODEST.model_copy(update={"seconds": 1}))
    assert (await ran(host, ref, "j", shell("sleep 20", timeout_seconds=20))).reason is ExitReason.TIMEOUT
