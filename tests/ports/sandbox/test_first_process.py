"""What the sandbox reads about the programs that started it: bwrap's options name folders and variables of the host."""

from pathlib import Path

import pytest

from tests.ports.sandbox.providers import ran, shell
from workflows.ports.sandbox import Sandbox, SandboxRef

pytestmark = pytest.mark.sandbox


async def test_the_first_process_tells_nothing_of_the_host(
    sandbox: Sandbox, ref: SandboxRef, mark: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAWL_TEST_VARIABLE", f"of-the-worker-{mark}")
    script = """
        tr '\\0' '\\n' < /proc/1/cmdline | head -n 1 | grep -c bwrap
        cat /proc/1/cmdline /proc/$PPID/cmdline /proc/1/environ 2>/dev/null | tr '\\0' '\\n'
    """
    view = await ran(sandbox, ref, "j", shell(script, GIVEN=f"of-the-command-{mark}"))
    lines = view.out.decode().splitlines()
    assert lines[0] == "1"
    assert "--args" in lines
    told = "\n".join(lines)
    assert mark not in told
    assert str(tmp_path) not in told
    assert "--bind" not in lines
    assert "--setenv" not in lines
