"""A command that reads its own output back: what the supervisor was told is there may be gone when it comes."""

import pytest

from tests.ports.sandbox.escape.raw import raw
from tests.ports.sandbox.providers import python
from workflows.ports.sandbox import ExitReason, Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox

STEAL = """
import fcntl
def waiting(fd): return struct.unpack("i", fcntl.ioctl(fd, 0x541B, bytes(4)))[0]
out, err = (os.open(f"/proc/self/fd/{n}", os.O_RDONLY | os.O_NONBLOCK) for n in (1, 2))
if os.fork() == 0:
    while True: os.write(1, bytes(65536))
time.sleep(0.1)
until, n = time.monotonic() + 2, 0
while time.monotonic() < until:
    n += 1
    os.write(2, b"x")
    time.sleep(0.00005 * (n % 5))
    try: os.read(err, 10)
    except BlockingIOError: continue
    for _ in range(20):
        time.sleep(0.002)
        if waiting(out) < 65536: break
    else: break
time.sleep(3600)
"""


async def test_output_taken_back_does_not_hold_the_supervisor_up(sandbox: Sandbox, ref: SandboxRef) -> None:
    """As an ordinary user the command may open its own pipes for reading; elsewhere that fails and it ends at once."""
    await sandbox.start(ref, "j", python(raw(STEAL), timeout_seconds=3))
    view = await sandbox.poll(ref, "j", 1 << 30, 1 << 30, wait_seconds=12)
    assert view.reason in (ExitReason.TIMEOUT, ExitReason.EXITED)
