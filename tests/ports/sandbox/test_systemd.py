"""Limits through a user's systemd, with a `systemd-run` of our own: it writes what it is told to where the control
group of its process would be, and runs the program like the real one, as its own process."""

import os
import time
from pathlib import Path

import pytest

from activities.sandbox import scopes
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.probe import probe
from tests.ports.sandbox.providers import MODEST, made, ran, shell
from workflows.ports.sandbox import ExitReason, SandboxSpec

pytestmark = pytest.mark.sandbox
needs_ordinary_user = pytest.mark.skipif(
    os.geteuid() == 0, reason="root has cgroups or does without; run as a user too"
)

SYSTEMD_RUN = """#!/bin/sh
here={here}
printf '%s\\n' "the next call" "$@" >> $here/asked
group=$here/groups$(sed -n s/^0:://p /proc/self/cgroup)
mkdir -p "$group"
while [ "$1" != -- ]; do
    case $1 in
    MemoryMax=*) echo "${{1#*=}}" > "$group/memory.max" ;;
    TasksMax=*) echo "${{1#*=}}" > "$group/pids.max" ;;
    CPUQuota=50%) echo "50000 100000" > "$group/cpu.max" ;;
    esac
    shift
done
shift
rm -f "$group"/{ignored}
if [ -e $here/starve ]; then
    (sleep 0.5; echo oom_kill 1 > "$group/memory.events") > /dev/null 2>&1 &
fi
second_child() {{ read -r _ second < /proc/$$/task/$$/children; [ -n "$second" ]; }}
if [ -e $here/starved ]; then
    echo oom_kill 1 > "$group/memory.events"
    (
        until second_child || [ ! -e /proc/$$ ]; do :; done
        while second_child; do :; done
        : > "$group/memory.events"
    ) > /dev/null 2>&1 &
fi
exec "$@"
"""
"""With `starve` memory runs out in half a second. With `starved` it has, and the group goes with the processes in it:
the program's first child is the one that waits for the second to end."""


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, ignored: str = "nothing") -> Path:
    """Put it on PATH. `ignored`: the limit's file that this system does not let its users write."""
    (folder / "bin").mkdir(parents=True)
    (folder / "groups").mkdir()
    program = folder / "bin/systemd-run"
    program.write_text(SYSTEMD_RUN.format(here=folder, ignored=ignored))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    return folder / "groups"


def asked(folder: Path) -> list[list[str]]:
    return [call.splitlines() for call in (folder / "asked").read_text().split("the next call\n")[1:]]


def test_what_systemd_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = pretend(tmp_path, monkeypatch)
    found = scopes.find(root)
    assert found is not None
    assert found.cpu
    assert found.launcher(MODEST.model_copy(update={"cpus": 1.5})) == [
        *(f"{tmp_path}/bin/systemd-run", "--user", "--scope", "--quiet", "--collect", "--no-ask-password"),
        *("--property", "MemoryMax=268435456", "--property", "MemorySwapMax=0"),
        *("--property", "TasksMax=136", "--property", "CPUQuota=150%"),
        *("--", "/usr/bin/env", "-i"),
    ]
    assert len(asked(tmp_path)) == 1, "it is asked once"


def test_a_system_that_does_not_cap_processors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = scopes.find(pretend(tmp_path, monkeypatch, ignored="cpu.max"))
    assert found is not None
    assert not found.cpu


@pytest.mark.parametrize("ignored", ["memory.max", "pids.max"])
def test_a_scope_without_the_limits_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ignored: str) -> None:
    assert scopes.find(pretend(tmp_path, monkeypatch, ignored)) is None


def test_no_systemd_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert scopes.find(None) is None
    root = pretend(tmp_path / "refuses", monkeypatch)
    (tmp_path / "refuses/bin/systemd-run").write_text("#!/bin/sh\nexit 1\n")
    assert scopes.find(root) is None
    monkeypatch.setattr(scopes, "_PROBE_SECONDS", 0.2)
    (tmp_path / "refuses/bin/systemd-run").write_text("#!/bin/sh\nexec sleep 20\n")
    started = time.monotonic()
    assert scopes.find(root) is None
    assert time.monotonic() - started < 5
    monkeypatch.setenv("PATH", str(tmp_path))
    assert scopes.find(root) is None


@needs_ordinary_user
class TestJobs:
    async def test_a_job_runs_in_a_scope(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        sandbox = BubblewrapSandbox(tmp_path / "sandboxes", cgroup_root=pretend(tmp_path, monkeypatch))
        assert (await probe(sandbox)).tier == "bubblewrap, same uid, systemd scope"
        assert sandbox.capabilities.hard_limits
        limits = MODEST.model_copy(update={"cpus": 0.5})
        ref = await sandbox.ensure(SandboxSpec(key="one", limits=limits, require_hard_limits=True))
        calls = len(asked(tmp_path))
        view = await ran(
            sandbox, ref, "j", shell("cat; env | cut -d = -f 1 | sort | tr '\\n' ' '; exit 7", stdin=b"in ")
        )
        assert (view.code, view.out, view.err) == (7, b"in HOME LANG PATH PWD TMPDIR USER ", b"")
        (call,) = asked(tmp_path)[calls:]
        assert call[call.index("--property") + 1] == "MemoryMax=268435456"
        assert "CPUQuota=50%" in call
        assert "bwrap" in call[call.index("-i") + 1]
        await sandbox.destroy("one")

    async def test_want_of_memory_is_seen(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mark: str) -> None:
        sandbox = BubblewrapSandbox(tmp_path / "sandboxes", cgroup_root=pretend(tmp_path, monkeypatch))
        ref = await made(sandbox)
        (tmp_path / "starve").touch()
        view = await ran(sandbox, ref, "j", shell(f"sleep {mark}", timeout_seconds=20))
        assert view.reason is ExitReason.OOM
        await sandbox.destroy(ref.key)

    async def test_a_command_the_kernel_killed_at_once(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The group is gone with its last process, so it is asked while the command is the last but one."""
        root = pretend(tmp_path, monkeypatch)
        sandbox = BubblewrapSandbox(tmp_path / "sandboxes", cgroup_root=root)
        ref = await made(sandbox)
        (tmp_path / "starved").touch()
        assert (await ran(sandbox, ref, "j", "kill -9 $$")).reason is ExitReason.OOM
        await sandbox.destroy(ref.key)

    async def test_without_one_the_next_tier_is_used(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        root = pretend(tmp_path, monkeypatch, ignored="memory.max")
        sandbox = BubblewrapSandbox(tmp_path / "sandboxes", cgroup_root=root)
        assert sandbox.capabilities.tier == "bubblewrap, same uid, rlimits and watchdog"
        assert not sandbox.capabilities.hard_limits
        ref = await made(sandbox)
        assert (await ran(sandbox, ref, "j", "echo fine")).out == b"fine\n"
        assert len(asked(tmp_path)) == 1
        await sandbox.destroy(ref.key)
