"""A process's number is another's when it has died: who signals by number must know that it still is the one meant."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports.sandbox.escape.raw import raw
from tests.ports.sandbox.providers import LOCAL

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may say which number a new process gets"),
]

_PROJECT = Path(__file__).parents[4]

# The supervisor sees the end of its sandbox late, and by then somebody else has the number of its first process.
SCRIPT = """
import asyncio, signal
from pathlib import Path
from tests.ports.sandbox.providers import LOCAL, made, shell, until
from activities.sandbox.supervisor.watch import children

def with_number(number):
    while True:
        with open("/proc/sys/kernel/ns_last_pid", "w") as file: file.write(str(number - 1))
        pid = os.fork()
        if pid == 0: time.sleep(30); os._exit(0)
        if pid == number: return pid
        os.kill(pid, 9); os.waitpid(pid, 0)

def buried(orphan):
    # orphans become ours: here we are process 1
    try: return os.waitpid(orphan, os.WNOHANG)[0]
    except ChildProcessError: return False

async def main():
    root = Path(ROOT)
    sandbox = LOCAL[TIER](root)
    ref = await made(sandbox)
    await sandbox.start(ref, "j", shell("touch /work/ready; sleep 30"))
    await until(lambda: (root / "one/work/ready").exists())
    [pid] = root.glob("one/jobs/j-*/pid")
    supervisor = int(pid.read_text())
    [bwrap] = children(supervisor)
    [first] = children(bwrap)
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(bwrap, signal.SIGKILL)
    await until(lambda: buried(first))
    bystander = with_number(first)
    os.kill(supervisor, signal.SIGCONT)
    view = await sandbox.poll(ref, "j", wait_seconds=10)
    print(view.state.value, "killed" if os.waitpid(bystander, os.WNOHANG)[0] else "unharmed")
    await sandbox.destroy(ref.key)
asyncio.run(main())
"""


@pytest.mark.parametrize("tier", LOCAL)
async def test_the_next_process_with_the_number_is_left_alone(tier: str, tmp_path: Path) -> None:
    script = raw(f"ROOT, TIER = {str(tmp_path / 'sandboxes')!r}, {tier!r}\n{SCRIPT}")
    apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", script]
    ran = await asyncio.to_thread(subprocess.run, apart, cwd=_PROJECT, capture_output=True, check=False)
    assert ran.stdout.decode() == "exited unharmed\n", ran.stderr.decode()
