"""The suite once more as an ordinary user, when this run is root's: no spare uid and no cgroup there."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.sandbox

_HERE = Path(__file__).parent
_NAMES = (
    "bubblewrap",
    "contract",
    "egress",
    "files",
    "first_process",
    "leases",
    "limits",
    "processors",
    "remote",
    "snapshots",
    "systemd",
    "unsafe_host",
)
_SUITE = [
    *(str(_HERE / f"test_{name}.py") for name in _NAMES),
    str(_HERE / "escape"),
    *map(str, (_HERE.parent / "workspace").glob("test_hostile*.py")),
]
_PROVIDER = "limits and watchdog"
"""What is particular to this user: our own sandboxes. Of the vendors one is asked the contract, for the published page
all."""
_UID = "1899999999"

# Interpreter and project may lie where only root may enter: they are shown at the same paths, to this run alone.
_AS_ORDINARY_USER = """
set -eu
uid=$1 stage=$2 interpreter=$3 project=$4; shift 4
as_user() { setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"; }
for path in "$interpreter" "$project"; do
    mkdir -p "$stage$path"
    mount --bind "$path" "$stage$path"
done
for path in "$interpreter" "$project"; do
    as_user test -x "$path/." && continue
    top="/$(echo "$path" | cut -d/ -f2)"
    [ -e "$top/covered" ] || mount -t tmpfs -o mode=0755 none "$top"
    touch "$top/covered"
    mkdir -p "$path"
    mount --move "$stage$path" "$path"
done
setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
"""


@pytest.mark.timeout(1_500)
async def test_the_suite_holds_for_an_ordinary_user(request: pytest.FixtureRequest) -> None:
    project = _HERE.parents[2]
    noted: str | None = request.config.getoption("conformance")
    with tempfile.TemporaryDirectory() as folder:
        stage, home = Path(folder, "stage"), Path(folder, "home")
        stage.mkdir()
        home.mkdir()
        os.chown(home, int(_UID), int(_UID))
        Path(folder).chmod(0o711)
        places = [_UID, str(stage), sys.base_prefix, str(project)]
        options = ["-q", "-p", "no:cacheprovider", f"--basetemp={home}/tests", f"--conformance={home}/found.json"]
        options += [] if noted else ["-k", "test_contract or not modal"]
        suite = [sys.executable, "-m", "pytest", *options, *_SUITE]
        ran = await asyncio.to_thread(
            subprocess.run,
            ["unshare", "--mount", "sh", "-c", _AS_ORDINARY_USER, "sh", *places, *suite],
            cwd=project,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PAWL_TEST_PROVIDERS": f"{_PROVIDER},modal",
            },
            capture_output=True,
            check=False,
        )
        if noted:
            shutil.copy(home / "found.json", f"{noted}.ordinary")
    assert ran.returncode == 0, ran.stdout.decode()[-6_000:] + ran.stderr.decode()[-2_000:]
