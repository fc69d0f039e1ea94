"""Modal for the suites: one double of it for the whole run, or with `--live-modal` the real one."""

import atexit
import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from activities.sandbox.modal_vendor import ModalVendor
from tests.live import modal_is_live

_INHERITED = "PAWL_TEST_MODAL"
"""Set for the processes that tests start: they use the double of their parent."""
_PROJECT = Path(__file__).parents[4]


def modal_vendor(root: Path) -> ModalVendor:
    """An installation of its own for every root, the same for the same root."""
    if not modal_is_live() and _INHERITED not in os.environ:
        os.environ.update({**_double(), _INHERITED: "1"})
    return ModalVendor(installation=hashlib.sha256(str(root).encode()).hexdigest()[:12], app="pawl-tests")


@cache
def _double() -> dict[str, str]:
    """The environment that leads to it. It is a process of its own, which ends with this one, however this one ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.modal", "--with-parent"],
        cwd=_PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    lines = [process.stdout.readline().removeprefix("export ").strip() for _ in range(4)]
    process.stdout.close()
    return dict(line.split("=", 1) for line in lines)
